"""What came of one attempt to deliver, whatever the platform."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What the receiver made of a message."""

    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    """The receiver had it already; it is delivered."""
    FAILED = "failed"
    """Not delivered, and worth another attempt."""
    REFUSED = "refused"
    """Not delivered, and sending the same again would not help."""
    GONE = "gone"
    """The destination exists no more and asks to be left alone."""


@dataclass(frozen=True)
class Attempt:
    """One attempt to deliver one message.

    Attributes:
        outcome: What came of it.
        status_code: HTTP status of the answer; ``None`` without an answer.
        reference: Id that the receiver gave to what it created.
        error: Why it was not delivered, free of credentials; ``None`` when it was.
        retry_after_s: Seconds for which the receiver asks to be spared.
        concerns_all: The answer has to do with the destination (its address or our credentials)
            more likely than with this message.
        unsent: The receiver cannot have seen the request, as when no connection came about.
        is_token: ``reference`` is not the id yet but a token, for which the id is to be asked.
    """

    outcome: Outcome
    status_code: int | None = None
    reference: str | None = None
    error: str | None = None
    retry_after_s: float | None = None
    concerns_all: bool = False
    unsent: bool = False
    is_token: bool = False
