"""HTTP as cameras need it: every hop is checked, and secrets go to the camera's own host alone.

libav is given this instead of its own HTTP, which would follow redirects and the segments of a
playlist to wherever they point.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from service.cameras.address import Address, parse_address
from service.cameras.failure import CameraError, failure_of, http_failure
from service.cameras.states import FailureKind
from service.reach import AddressPolicy, ReachError
from vision.closing import Closing
from vision.errors import ConfigError

MAX_REDIRECTS = 3
_HEADERS = {"user-agent": "jiexu", "accept-encoding": "identity"}


class WebFile(Closing):
    """The body of an answer, read from front to back."""

    def __init__(self, client: httpx.Client, response: httpx.Response) -> None:
        self._client = client
        self._response = response
        self._chunks: Iterator[bytes] = response.iter_raw()
        self._rest = b""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes as they come; empty at the end.

        Raises:
            CameraError: No more can be read.
        """
        while not self._rest:
            try:
                chunk = next(self._chunks, None)
            except (httpx.HTTPError, OSError) as error:
                raise failure_of(error, opened=True) from None
            if chunk is None:
                return b""
            self._rest = chunk
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        """Hang up."""
        self._response.close()
        self._client.close()


class Web:
    """Opens what a camera's address leads to.

    Args:
        address: The camera's address.
        policy: Which hosts may be reached.
        open_s: Seconds to connect.
        read_s: Seconds to wait for data.
    """

    def __init__(
        self, address: Address, policy: AddressPolicy, *, open_s: float, read_s: float
    ) -> None:
        self._address = address
        self._policy = policy
        self._timeout = httpx.Timeout(read_s, connect=open_s)

    def io_open(self, url: str, flags: int, options: dict[str, str]) -> WebFile:  # noqa: ARG002
        """Open a URL for libav."""
        return self.open(url)

    def open(self, url: str) -> WebFile:
        """Open a URL and follow redirects that may be followed.

        Raises:
            CameraError: It may not be reached, or gives no body.
        """
        client = httpx.Client(timeout=self._timeout, trust_env=False)
        try:
            return WebFile(client, self._followed(client, url))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ConfigError, ReachError) as error:
            client.close()
            raise failure_of(error, opened=False) from None
        except CameraError:
            client.close()
            raise

    def picture(self, max_bytes: int) -> bytes:
        """The body of the address itself, whole.

        Raises:
            CameraError: It cannot be had or is longer than ``max_bytes``.
        """
        with self.open(self._address.url) as body:
            parts, length = [], 0
            while piece := body.read(1 << 20):
                parts.append(piece)
                length += len(piece)
                if length > max_bytes:
                    raise CameraError(
                        FailureKind.GARBAGE, f"a picture of more than {max_bytes} bytes"
                    )
        return b"".join(parts)

    def _followed(self, client: httpx.Client, url: str) -> httpx.Response:
        for _ in range(MAX_REDIRECTS + 1):
            response = self._get(client, url)
            if response.is_success:
                return response
            if not response.has_redirect_location:
                raise http_failure(response.status_code)
            url = urljoin(url, response.headers["location"])
            response.close()
        raise CameraError(FailureKind.GARBAGE, "one redirect after another")

    def _get(self, client: httpx.Client, url: str) -> httpx.Response:
        """Ask once, and again with user and password where the camera's own host wants them."""
        response = client.send(self._request(client, url), stream=True)
        address = self._address
        if response.status_code != 401 or not address.user or not self._is_own(url):
            return response
        digest = "digest" in response.headers.get("www-authenticate", "").lower()
        response.close()
        auth: httpx.Auth = (httpx.DigestAuth if digest else httpx.BasicAuth)(
            address.user, address.password
        )
        return client.send(self._request(client, url), stream=True, auth=auth)

    def _request(self, client: httpx.Client, url: str) -> httpx.Request:
        """A request to the address that was checked, in the name of the host."""
        target = parse_address(url)
        if not target.host:
            raise CameraError(FailureKind.FORBIDDEN_ADDRESS, "a file cannot be reached from here")
        place = httpx.URL(target.url)
        if place.scheme not in ("http", "https"):
            raise CameraError(FailureKind.FORBIDDEN_ADDRESS, f"{place.scheme} leads out of HTTP")
        ip = self._policy.reach(target.host, target.port)
        extensions: dict[str, Any] = {"sni_hostname": target.host}
        return client.build_request(
            "GET",
            place.copy_with(host=ip),
            headers={**_HEADERS, "host": urlsplit(target.url).netloc},
            extensions=extensions,
        )

    def _is_own(self, url: str) -> bool:
        other = parse_address(url)
        return (other.host, other.port) == (self._address.host, self._address.port)
