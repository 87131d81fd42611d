"""What a camera's connection is at, and why it gives no pictures."""

from __future__ import annotations

from enum import StrEnum


class SourceState(StrEnum):
    """What a camera's connection is at."""

    CONNECTING = "connecting"
    LIVE = "live"
    """Pictures come."""
    WAITING = "waiting"
    """It failed and is tried again at ``retry_at``."""
    NEEDS_OPERATOR = "needs_operator"
    """It failed in a way that trying again does not mend, such as a wrong password."""
    STOPPED = "stopped"


class FailureKind(StrEnum):
    """Why a camera gives no pictures."""

    BAD_ADDRESS = "bad_address"
    FORBIDDEN_ADDRESS = "forbidden_address"
    """The address policy does not allow this host."""
    UNKNOWN_HOST = "unknown_host"
    AUTH = "auth"
    """User or password is wrong or missing."""
    NOT_FOUND = "not_found"
    """The server is there, the stream is not."""
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    OPEN_TIMEOUT = "open_timeout"
    READ_TIMEOUT = "read_timeout"
    NO_VIDEO = "no_video"
    CODEC = "codec"
    """The video is of a kind that cannot be decoded here."""
    GARBAGE = "garbage"
    """What came is no picture and no stream."""
    ENDED = "ended"
    """The other side ended the stream."""
    SERVER = "server"
    """The server answered with a failure of its own."""
    HUNG = "hung"
    """The reader did not come back by its deadline and was killed."""
    READER_DIED = "reader_died"
    OTHER = "other"
