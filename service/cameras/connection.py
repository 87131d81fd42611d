"""What a camera's connection is at: when to try, when to wait, when to call the operator.

Pure: time comes in, nothing is opened here. It can be stopped in every state.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from service.cameras.failure import POLICIES
from service.cameras.states import FailureKind, SourceState

STEADY_S = 30.0
"""Pictures must come for so long before earlier failures are forgotten: a source that opens and
fails again and again is tried ever more seldom, like one that does not open."""


@dataclass
class Connection:
    """The connection of one camera.

    Attributes:
        rng: Spreads waits.
        state: What it is at.
        since_s: Since when, on the monotonic clock.
        failure: Why there are no pictures.
        detail: The same in words.
        retry_s: When the next try is due.
        failures: Tries in a row that failed.
        down_since_s: When the first of them failed.
        reconnects: How often pictures came again after a failure.
    """

    rng: random.Random = field(repr=False)
    state: SourceState = SourceState.STOPPED
    since_s: float = 0.0
    failure: FailureKind | None = None
    detail: str = ""
    retry_s: float | None = None
    failures: int = 0
    down_since_s: float | None = None
    reconnects: int = 0

    def start(self, now_s: float) -> None:
        """Be tried from now on."""
        if self.state is SourceState.STOPPED:
            self.failure, self.detail = None, ""
            self._forget_failures()
            self._enter(SourceState.WAITING, now_s)
            self.retry_s = now_s

    def due(self, now_s: float) -> bool:
        """Whether it is time to try."""
        return self.retry_s is not None and now_s >= self.retry_s

    def trying(self, now_s: float) -> None:
        """A try begins."""
        if self.state in (SourceState.WAITING, SourceState.NEEDS_OPERATOR):
            self._enter(SourceState.CONNECTING, now_s)

    def came(self, now_s: float) -> None:
        """A picture came."""
        if self.state is SourceState.CONNECTING:
            if self.failure is not None:
                self.reconnects += 1
            self.failure, self.detail = None, ""
            self._enter(SourceState.LIVE, now_s)
        elif self.state is SourceState.LIVE and now_s - self.since_s >= STEADY_S:
            self._forget_failures()

    def failed(self, kind: FailureKind, detail: str, now_s: float) -> None:
        """A try or a live connection failed."""
        if self.state not in (SourceState.CONNECTING, SourceState.LIVE):
            return
        if self.state is SourceState.LIVE and now_s - self.since_s >= STEADY_S:
            self._forget_failures()
        self.failures += 1
        if self.down_since_s is None:
            self.down_since_s = now_s
        self.failure, self.detail = kind, detail
        policy = POLICIES[kind]
        self._enter(SourceState.NEEDS_OPERATOR if policy.operator else SourceState.WAITING, now_s)
        self.retry_s = now_s + policy.wait_s(self.failures, now_s - self.down_since_s, self.rng)

    def interrupted(self, now_s: float) -> None:
        """It lost its reader through no fault of its own: it is tried again at once."""
        if self.state in (SourceState.CONNECTING, SourceState.LIVE):
            self._enter(SourceState.WAITING, now_s)
            self.failure, self.detail = FailureKind.READER_DIED, "the reader was started anew"
            self.retry_s = now_s

    def retry_now(self, now_s: float) -> None:
        """Let the operator have it tried at once."""
        if self.retry_s is not None:
            self.retry_s = now_s

    def stop(self, now_s: float) -> None:
        """Be tried no more."""
        self._enter(SourceState.STOPPED, now_s)

    def _forget_failures(self) -> None:
        self.failures, self.down_since_s = 0, None

    def _enter(self, state: SourceState, now_s: float) -> None:
        self.state, self.since_s, self.retry_s = state, now_s, None
