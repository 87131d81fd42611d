"""One request to a platform, and what came of it: deadlines, redirects, secrets, who may be asked.

Every adapter sends through this. Answers are read to a bounded length, redirects stay with the
receiver, and words that are secret are cut out of whatever is written down.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

import httpx

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.destination import Destination
from service.reach import AddressPolicy, ReachError

RETRY_AFTER_CAP_S = 24 * 3600.0
_TRY_AGAIN_LATER = frozenset({408, 409, 425, 429})
# Wrong address, wrong secret or no permission: the next message would be answered alike.
_CONCERNS_ALL = frozenset({401, 403, 404, 405, 407})
_REDIRECTS_MAX = 3
_ANSWER_BYTES_MAX = 64 * 1024
_ANSWER_BODY_S = 5.0
_TEXT_MAX = 200


@dataclass(frozen=True)
class Timeouts:
    """How long a receiver may take, in seconds.

    Attributes:
        connect_s: To take the connection.
        total_s: For the whole attempt, however slowly bytes keep coming.
    """

    connect_s: float = 5.0
    total_s: float = 20.0


@dataclass(frozen=True)
class Answer:
    """An answer that came whole, or at least with its status.

    Attributes:
        status: HTTP status.
        reason: Its words.
        text: Begin of the body.
        headers: Headers by lower-case name.
    """

    status: int
    reason: str
    text: str
    headers: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class NoAnswerError(Exception):
    """No answer came that could be judged.

    Attributes:
        error: Why, free of credentials.
        status: Status of what came, such as of a redirect that is not followed.
        concerns_all: It has to do with the destination, not with this message.
        unsent: The receiver cannot have seen the request.
    """

    def __init__(
        self,
        error: str,
        status: int | None = None,
        *,
        concerns_all: bool = False,
        unsent: bool = False,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.concerns_all = concerns_all
        self.unsent = unsent

    def attempt(self) -> Attempt:
        """The attempt that it makes of a delivery."""
        return Attempt(
            Outcome.FAILED,
            self.status,
            error=self.error,
            concerns_all=self.concerns_all,
            unsent=self.unsent,
        )


class Exchange:
    """Asks one destination, one request at a time, over a connection that is kept open.

    Use as a context manager. TLS certificates are verified; ``SSL_CERT_FILE`` is honoured. In
    asynchronous code it belongs into a thread of its own, since it runs an event loop for deadlines
    that hold however slowly bytes come.

    Args:
        destination: Who is asked.
        timeouts: How long it may take.
        policy: Which hosts may be reached: every request goes to an address that was checked, and
            to no proxy. Without it, the proxy variables of the environment are honoured.
        secrets: Words that must not be written down, besides those in the URL.
    """

    def __init__(
        self,
        destination: Destination,
        timeouts: Timeouts | None = None,
        *,
        policy: AddressPolicy | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self.destination = destination
        self._policy = policy
        parts = urlsplit(destination.url)
        self.url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._auth = (
            httpx.BasicAuth(unquote(parts.username or ""), unquote(parts.password or ""))
            if "@" in parts.netloc
            else None
        )
        words = {*_credentials(destination.url), *(word for word in secrets if len(word) >= 4)}
        self._secrets = tuple(sorted(words, key=len, reverse=True))
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(self.timeouts.total_s, connect=self.timeouts.connect_s),
            follow_redirects=False,
            trust_env=policy is None,
            verify=_tls(),
        )

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.__exit__(kind, error, trace)

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        answer_bytes: int = _ANSWER_BYTES_MAX,
    ) -> Answer:
        """Send one request.

        Args:
            method: ``GET`` or ``POST``.
            url: Where to, without user and password; a part of the destination.
            headers: Headers.
            body: The raw body.
            answer_bytes: So much of the answer's body is read.

        Raises:
            NoAnswerError: No answer came within the deadline, or it led elsewhere.
        """
        with _urls_kept_out_of_logs():
            try:
                return self._runner.run(self._ask(method, url, headers, body, answer_bytes))
            except httpx.ConnectTimeout:
                error = f"no connection within {self.timeouts.connect_s:g} s"
                raise NoAnswerError(error, unsent=True) from None
            except (TimeoutError, httpx.TimeoutException):
                raise NoAnswerError(f"no answer within {self.timeouts.total_s:g} s") from None
            except ReachError as error:
                raise NoAnswerError(
                    self.clean(str(error)), concerns_all=True, unsent=True
                ) from None
            except httpx.ConnectError as error:
                text = self.clean(f"{type(error).__name__}: {error}")
                raise NoAnswerError(text, unsent=True) from None
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise NoAnswerError(self.clean(f"{type(error).__name__}: {error}")) from None

    def clean(self, text: str) -> str:
        """A text in one line of bounded length, without what is secret."""
        for word in self._secrets:
            text = text.replace(word, "***")
        return " ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f]", " ", text).split())[:_TEXT_MAX]

    def unmade(self, answer: Answer, now: datetime, said: str | None = None) -> Attempt:
        """The attempt that an answer other than success makes of a delivery.

        Args:
            answer: The answer.
            now: Aware time of the attempt.
            said: What it complains of; read from its body without it.
        """
        code = answer.status
        said = self.clean(complaint(answer.text) if said is None else said)
        error = f"{code} {answer.reason}" + (f": {said}" if said else "")
        if code == 410:
            return Attempt(Outcome.GONE, code, error=error, concerns_all=True)
        if code in _TRY_AGAIN_LATER or code >= 500:
            after_s = retry_after_s(answer.headers.get("retry-after"), now)
            return Attempt(Outcome.FAILED, code, error=error, retry_after_s=after_s)
        if code < 400:
            error = f"{error}; redirects are not followed"
            return Attempt(Outcome.FAILED, code, error=error, concerns_all=True)
        return Attempt(Outcome.REFUSED, code, error=error, concerns_all=code in _CONCERNS_ALL)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        answer_bytes: int,
    ) -> Answer:
        async with asyncio.timeout(self.timeouts.total_s):
            for _ in range(_REDIRECTS_MAX + 1):
                request = await self._request(method, url, headers, body)
                answer = await self._client.send(request, auth=self._auth, stream=True)
                try:
                    if answer.status_code not in (307, 308):
                        return Answer(
                            answer.status_code,
                            answer.reason_phrase,
                            await _text(answer, answer_bytes),
                            {name.lower(): value for name, value in answer.headers.items()},
                        )
                    target = str(httpx.URL(url).join(answer.headers.get("location", "")))
                finally:
                    await answer.aclose()
                if not self.destination.may_redirect_to(target):
                    host = urlsplit(target).netloc.rpartition("@")[2]
                    raise NoAnswerError(
                        f"redirects to another server ({self.clean(host)}); not followed",
                        answer.status_code,
                        concerns_all=True,
                    )
                url = target
        raise NoAnswerError("redirects without end", answer.status_code, concerns_all=True)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> httpx.Request:
        """A request; with a policy, to the address that was checked, in the name of the host."""
        place = httpx.URL(url)
        if self._policy is None:
            return self._client.build_request(method, place, content=body, headers=dict(headers))
        port = place.port or (443 if place.scheme == "https" else 80)
        ip = await asyncio.to_thread(self._policy.reach, place.host, port)
        return self._client.build_request(
            method,
            place.copy_with(host=ip),
            content=body,
            headers={**headers, "host": place.netloc.decode()},
            extensions={"sni_hostname": place.host},
        )


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, at most a day.

    Args:
        value: Seconds or an HTTP date (RFC 9110, 10.2.3); what is neither is passed over.
        now: Aware current time.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_CAP_S)


def json_fields(text: str) -> Mapping[str, Any]:
    """Fields of an answer in JSON, those of its ``data`` among them; none where it is no object."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return {}
    inner = parsed.get("data")
    return {**inner, **parsed} if isinstance(inner, dict) else parsed


def reference_in(text: str) -> str | None:
    """Id that a receiver gave to what it created, as its answer in JSON names it."""
    fields = json_fields(text)
    for name in ("reference", "case_id", "service_request_id", "task_num", "id"):
        value = fields.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return None


def complaint(text: str) -> str:
    """What an answer complains of."""
    fields = json_fields(text)
    for name in ("detail", "message", "description", "error", "title"):
        if isinstance(fields.get(name), str):
            return str(fields[name])
    return "" if text.lstrip().startswith(("{", "[", "<")) else text


def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=True)


async def _text(answer: httpx.Response, bytes_max: int) -> str:
    """Begin of an answer's body. The status has come: a body that breaks off changes nothing."""
    data = b""
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_ANSWER_BODY_S):
            async for chunk in answer.aiter_raw():
                data += chunk
                if len(data) >= bytes_max:
                    break
    return data[:bytes_max].decode(errors="replace")


def _credentials(url: str) -> tuple[str, ...]:
    """Parts of a URL that an error text or an echoing receiver must not carry into the ledger."""
    parts = urlsplit(url)
    words = [value or key for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.password:
        words += [parts.password, unquote(parts.password)]
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
        words.append(base64.b64encode(pair.encode()).decode())
    words += [part for part in parts.path.split("/") if part not in Destination.parse(url).shown]
    return tuple(word for word in words if len(word) >= 4)


@contextmanager
def _urls_kept_out_of_logs() -> Iterator[None]:
    """Silence httpx's line for each request: it holds the URL with its query."""
    logger = logging.getLogger("httpx")

    def drop(record: logging.LogRecord) -> bool:
        return not any(isinstance(arg, httpx.URL) for arg in record.args or ())

    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)
