"""Why a camera gives no pictures, and what follows from it."""

from __future__ import annotations

import errno
import random
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import av.error

from service.cameras.states import FailureKind
from service.reach import ReachError
from vision.errors import JiexuError
from vision.frames.capture import redact


class CameraError(JiexuError):
    """A camera gives no pictures.

    Attributes:
        kind: Why.
        detail: In words, without credentials.
    """

    def __init__(self, kind: FailureKind, detail: str) -> None:
        """Name kind and detail."""
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = redact(detail)

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


@dataclass(frozen=True)
class RetryPolicy:
    """How a failure is answered.

    Attributes:
        first_s: Seconds until the first try after it; doubled with each further failure.
        most_s: Longest wait.
        operator: Tries do not mend it: the operator must. It is still tried, every ``most_s``, for
            the fault may have been at the other end. A wrong password is tried seldom, because
            cameras lock accounts after a few.
        early_s: Longest wait of a brief outage, which mends itself; beyond it a wait is no longer
            than :data:`OUTAGE_SHARE` of the outage. ``None`` where that is not to be hoped for.
    """

    first_s: float
    most_s: float
    operator: bool = False
    early_s: float | None = None

    def wait_s(self, failures: int, down_s: float, rng: random.Random) -> float:
        """Seconds until the next try.

        Waits double up to the longest and are spread evenly over their upper half, so that the
        cameras behind a gateway that came back do not all connect at once.

        Args:
            failures: Failures in a row, at least one.
            down_s: Seconds since the first of them.
            rng: Spreads the wait.
        """
        longest = min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 32))
        if self.early_s is not None:
            longest = min(longest, max(self.early_s, OUTAGE_SHARE * down_s))
        return longest * rng.uniform(0.5, 1.0)


OUTAGE_SHARE = 0.1
"""Whoever was away for so long is looked for no more seldom than every so much of that."""

_SOON = RetryPolicy(1.0, 60.0, early_s=8.0)
_SLOWLY = RetryPolicy(15.0, 600.0)
_BACK_LATER = RetryPolicy(4.0, 600.0, early_s=15.0)
"""A gateway that has just started knows no streams yet, and a name may not resolve for a while."""
_OPERATOR = RetryPolicy(3600.0, 3600.0, operator=True)

POLICIES: dict[FailureKind, RetryPolicy] = {
    FailureKind.BAD_ADDRESS: _OPERATOR,
    FailureKind.FORBIDDEN_ADDRESS: _OPERATOR,
    FailureKind.UNKNOWN_HOST: _BACK_LATER,
    FailureKind.AUTH: _OPERATOR,
    FailureKind.NOT_FOUND: _BACK_LATER,
    FailureKind.REFUSED: _SOON,
    FailureKind.UNREACHABLE: _SOON,
    FailureKind.TLS: _OPERATOR,
    FailureKind.OPEN_TIMEOUT: _SOON,
    FailureKind.READ_TIMEOUT: _SOON,
    FailureKind.NO_VIDEO: _SLOWLY,
    FailureKind.CODEC: _SLOWLY,
    FailureKind.GARBAGE: _SLOWLY,
    FailureKind.ENDED: _SOON,
    FailureKind.SERVER: _SOON,
    FailureKind.HUNG: RetryPolicy(5.0, 300.0, early_s=20.0),
    FailureKind.READER_DIED: RetryPolicy(2.0, 120.0, early_s=10.0),
    FailureKind.OTHER: _SLOWLY,
}
"""What follows from each kind."""

_ERRNO = {
    errno.ECONNREFUSED: FailureKind.REFUSED,
    errno.ENETUNREACH: FailureKind.UNREACHABLE,
    errno.EHOSTUNREACH: FailureKind.UNREACHABLE,
    errno.ENETDOWN: FailureKind.UNREACHABLE,
    errno.EHOSTDOWN: FailureKind.UNREACHABLE,
    errno.ECONNRESET: FailureKind.ENDED,
    errno.ECONNABORTED: FailureKind.ENDED,
    errno.EPIPE: FailureKind.ENDED,
    errno.ENOENT: FailureKind.NOT_FOUND,
    errno.ENOMEM: FailureKind.CODEC,
    errno.EINVAL: FailureKind.GARBAGE,
}

_ERRORS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (av.error.HTTPUnauthorizedError, FailureKind.AUTH),
    (av.error.HTTPForbiddenError, FailureKind.AUTH),
    (av.error.HTTPNotFoundError, FailureKind.NOT_FOUND),
    (av.error.HTTPServerError, FailureKind.SERVER),
    (av.error.HTTPTooManyRequestsError, FailureKind.SERVER),
    (av.error.HTTPBadRequestError, FailureKind.NOT_FOUND),
    (av.error.HTTPError, FailureKind.NOT_FOUND),
    (av.error.DecoderNotFoundError, FailureKind.CODEC),
    (av.error.PatchWelcomeError, FailureKind.CODEC),
    (av.error.NotImplementedError, FailureKind.CODEC),
    (av.error.ProtocolNotFoundError, FailureKind.BAD_ADDRESS),
    (av.error.DemuxerNotFoundError, FailureKind.GARBAGE),
    (av.error.InvalidDataError, FailureKind.GARBAGE),
    (av.error.EOFError, FailureKind.ENDED),
)

_UNKNOWN_HOST = re.compile(r"name or service not known|resolve|nodename", re.IGNORECASE)


def failure_of(error: BaseException, *, opened: bool) -> CameraError:
    """The failure behind what a library raised.

    Args:
        error: From PyAV, httpx, the operating system or the policy of addresses; or a failure
            already.
        opened: Whether the stream had been opened: time-outs differ by that.
    """
    for cause in _causes(error):
        if isinstance(cause, CameraError):
            return cause
        if isinstance(cause, ReachError):
            return CameraError(FailureKind(cause.obstacle.value), cause.detail)
    for cause in _causes(error):
        kind = _kind(cause, opened=opened)
        if kind is not None:
            return CameraError(kind, _words(cause))
    return CameraError(FailureKind.OTHER, _words(error))


def http_failure(status: int) -> CameraError:
    """The failure behind the status of an HTTP answer that is none of 2xx."""
    if status in (401, 403, 407):
        kind = FailureKind.AUTH
    elif status in (404, 410):
        kind = FailureKind.NOT_FOUND
    elif status >= 500 or status == 429:
        kind = FailureKind.SERVER
    else:
        kind = FailureKind.GARBAGE
    return CameraError(kind, f"the server answers {status}")


def _kind(error: BaseException, *, opened: bool) -> FailureKind | None:
    timeout = FailureKind.READ_TIMEOUT if opened else FailureKind.OPEN_TIMEOUT
    for known, kind in _ERRORS:
        if isinstance(error, known):
            return kind
    # PyAV's interrupt on a deadline comes out as "Immediate exit requested".
    if isinstance(error, TimeoutError | av.error.ExitError):
        return timeout
    if isinstance(error, ssl.SSLError):
        return FailureKind.TLS
    number = getattr(error, "errno", None)
    if number in (errno.ETIMEDOUT, errno.EAGAIN):
        return timeout
    if isinstance(number, int) and number in _ERRNO:
        return _ERRNO[number]
    if _UNKNOWN_HOST.search(str(error)):
        return FailureKind.UNKNOWN_HOST
    # httpx is named rather than imported: readers of RTSP alone should not carry it in memory.
    name = type(error).__name__
    if type(error).__module__.partition(".")[0] in ("httpx", "httpcore"):
        if name.endswith("Timeout"):
            return FailureKind.OPEN_TIMEOUT if name.startswith(("Connect", "Pool")) else timeout
        if name in ("RemoteProtocolError", "ReadError", "WriteError", "CloseError"):
            return FailureKind.ENDED
        if name in ("DecodingError", "TooManyRedirects", "UnsupportedProtocol", "InvalidURL"):
            return FailureKind.GARBAGE
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What is behind an error, the deepest first: wrappers know less."""
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in chain:
        chain.append(found)
        found = found.__cause__ or found.__context__
    yield from reversed(chain)


def _words(error: BaseException) -> str:
    return redact(getattr(error, "strerror", None) or str(error) or type(error).__name__)[:300]
