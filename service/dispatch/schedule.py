"""When a delivery is tried again: the schedule of Standard Webhooks, drawn out by chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from service.dispatch.attempt import Attempt, Outcome

SCHEDULE_S = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
"""Delays after the first, second, ... failed attempt (Standard Webhooks 1.0, retry schedule)."""

JITTER_SHARE = 0.2
"""Delays are drawn out by up to this share of them."""

Jitter = Callable[[], float]
"""Gives a number in [0, 1)."""

chance: Jitter = random.SystemRandom().random


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    RETRYING = "retrying"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Refused, or all attempts of the schedule failed."""
    WITHDRAWN = "withdrawn"
    """Not delivered, and no more to be."""


OPEN = (State.PENDING, State.RETRYING)
"""States of what is still to be delivered."""


@dataclass(frozen=True)
class Progress:
    """How far a delivery has come.

    Attributes:
        state: Where it stands.
        steps: Attempts that failed when they were due; the position in the schedule.
        next_at: From when on the next attempt is due.
    """

    state: State
    steps: int
    next_at: datetime


def progressed(
    before: Progress,
    attempt: Attempt,
    at: datetime,
    jitter: Jitter = chance,
    *,
    scale: float = 1.0,
) -> Progress:
    """How far a delivery has come after an attempt.

    Args:
        before: How far it had.
        attempt: What came of the attempt.
        at: When it was made.
        jitter: Source of chance.
        scale: Factor on the delays of the schedule and on what the receiver asks for.
    """
    state, steps, next_at = State.RETRYING, before.steps, before.next_at
    match attempt.outcome:
        case Outcome.DELIVERED | Outcome.DUPLICATE:
            state = State.DELIVERED
        case Outcome.REFUSED:
            state = State.DEAD
        case Outcome.GONE:
            state = before.state
        case Outcome.FAILED if at >= before.next_at:
            steps += 1
            if steps > len(SCHEDULE_S):
                state = State.DEAD
            else:
                delay_s = SCHEDULE_S[steps - 1] * (1 + JITTER_SHARE * jitter())
                next_at = at + timedelta(seconds=delay_s * scale)
    if attempt.retry_after_s is not None:
        next_at = max(next_at, at + timedelta(seconds=attempt.retry_after_s * scale))
    return Progress(state, steps, next_at)
