"""The sandbox platform: takes cases in, lets time pass, and says what became of them."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

Interface = Literal["webhook", "open311", "panorama"]


class Stage(StrEnum):
    """Where a case stands at the platform."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    HANDLING = "handling"
    RETURNED = "returned"
    SUSPENDED = "suspended"
    HANDLED = "handled"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    EXTENDED = "extended"
    APPEALED = "appealed"
    EXEMPTED = "exempted"


NEXT = {
    Stage.ACCEPTED: Stage.HANDLING,
    Stage.HANDLING: Stage.HANDLED,
    Stage.RETURNED: Stage.HANDLING,
    Stage.SUSPENDED: Stage.HANDLING,
}
"""What time brings. A case is closed once it was verified."""

ASIDE = (Stage.EXTENDED, Stage.APPEALED, Stage.EXEMPTED)
"""What is said of a case that stays where it is."""

DETOURS = (Stage.RETURNED, Stage.SUSPENDED, Stage.EXTENDED)
"""What may come between handling and handled, in turn."""

EXTENSION = timedelta(days=1)
"""So much later is a deadline that is put off."""

REASONS = {
    Stage.RETURNED: "not ours to handle 非本单位职责",
    Stage.SUSPENDED: "waits for the owner 等待权属单位",
    Stage.EXTENDED: "heavy rain 连续降雨",
    Stage.APPEALED: "was told too late 派遣延误",
    Stage.EXEMPTED: "appeal upheld 申诉成立",
}
"""What the platform says with it."""


@dataclass(frozen=True)
class Passed:
    """A stage that a case came to.

    Attributes:
        stage: The stage.
        at: When.
        event_id: Message that it answers.
        reason: Why, where it says so.
        deadline_at: With an extension: the later deadline.
    """

    stage: Stage
    at: datetime
    event_id: str
    reason: str = ""
    deadline_at: datetime | None = None


@dataclass
class HeldCase:
    """A case that the platform has.

    Attributes:
        reference: Its id here.
        interface: How it came.
        key: What it was known by at the sender: the id of its first message.
        facts: What was said of it.
        event_id: The message that asked last to have it handled.
        rounds: How often it was asked to be handled.
        passed: Stages that it came to, in order, and what was said of it beside them.
        detours: How often it took one.
        added: What was sent of it afterwards.
    """

    reference: str
    interface: Interface
    key: str
    facts: Mapping[str, Any]
    event_id: str
    rounds: int = 1
    passed: list[Passed] = field(default_factory=list)
    detours: int = 0
    added: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return next(one.stage for one in reversed(self.passed) if one.stage not in ASIDE)

    @property
    def expected_at(self) -> datetime:
        """When it is expected to be handled: a day after it came, or as it was put off."""
        extended = [one.deadline_at for one in self.passed if one.deadline_at is not None]
        return max(extended, default=self.passed[0].at + EXTENSION)


@dataclass(order=True)
class _Turn:
    at: datetime
    order: int
    case: HeldCase = field(compare=False)
    event_id: str = field(compare=False)


Tell = Callable[[HeldCase, Passed], None]


class SandboxPlatform:
    """Keeps cases in memory; methods may be called from any thread.

    Args:
        clock: Tells aware wall-clock time.
        chance: Source of chance.
        step_s: Seconds from one stage to the next, drawn out or cut short by up to a half; with 0,
            cases stay where they are until somebody moves them.
        decline: Share of cases that are declined, of those that came by webhook.
        detour: Share of cases that are given back by the unit, suspended or put off on the way.
        tell: Called with each stage that a case comes to.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        chance: random.Random,
        *,
        step_s: float,
        decline: float = 0.0,
        detour: float = 0.0,
        tell: Tell,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._decline = decline
        self._detour = detour
        self._detours = itertools.cycle(DETOURS)
        self._tell = tell
        self._lock = threading.RLock()
        self._cases: dict[str, HeldCase] = {}
        self._messages: dict[str, HeldCase] = {}
        self._turns: list[_Turn] = []
        self._order = itertools.count()
        self.step_s = step_s
        self.taken = 0

    def take(
        self,
        interface: Interface,
        event_id: str | None,
        key: str,
        facts: Mapping[str, Any],
        *,
        subject: str = "confirmed",
    ) -> HeldCase | None:
        """Take a message in; the same twice is taken once, where the interface has an id.

        Args:
            interface: How it came.
            event_id: Its idempotency key, ``None`` where there is none.
            key: What the sender knows the case by.
            facts: What is said of it.
            subject: What is told: as :class:`service.dispatch.notice.Subject`.

        Returns:
            The case; ``None`` if it is one that the platform does not have.
        """
        with self._lock:
            self.taken += 1
            if event_id is not None and event_id in self._messages:
                return self._messages[event_id]
            known = self._messages.get(key)
            if subject == "confirmed":
                case = self._open(interface, event_id, key, facts)
            elif known is None:
                return None
            else:
                case = known
                self._told_again(case, event_id or case.event_id, subject, facts)
            if event_id is not None:
                self._messages[event_id] = case
            return case

    def move(self, reference: str, stage: Stage) -> HeldCase | None:
        """Bring a case to a stage by hand."""
        with self._lock:
            case = self._cases.get(reference)
            if case is not None and (case.stage is not Stage.CLOSED or stage in ASIDE):
                self._pass(case, stage, case.event_id)
            return case

    def tick(self) -> float:
        """Do what is due.

        Returns:
            Seconds until something is due next; a second at most.
        """
        with self._lock:
            now = self._clock()
            while self._turns and self._turns[0].at <= now:
                turn = heapq.heappop(self._turns)
                if turn.event_id == turn.case.event_id:
                    self._go_on(turn.case)
            if not self._turns:
                return 1.0
            return min(1.0, max(0.0, (self._turns[0].at - now).total_seconds()))

    def cases(self) -> list[HeldCase]:
        """All cases, in the order in which they came."""
        with self._lock:
            return list(self._cases.values())

    def case(self, reference: str) -> HeldCase | None:
        """One case."""
        with self._lock:
            return self._cases.get(reference)

    def _open(
        self, interface: Interface, event_id: str | None, key: str, facts: Mapping[str, Any]
    ) -> HeldCase:
        reference = f"{interface[0].upper()}{len(self._cases) + 1:06}"
        case = HeldCase(reference, interface, key, facts, event_id or key)
        self._cases[reference] = case
        # The other interfaces have no word for it.
        declined = interface == "webhook" and self._chance.random() < self._decline
        self._pass(case, Stage.DECLINED if declined else Stage.ACCEPTED, case.event_id)
        return case

    def _told_again(
        self, case: HeldCase, event_id: str, subject: str, facts: Mapping[str, Any]
    ) -> None:
        match subject:
            case "evidence":
                case.added.append(facts)
            case "corrected" | "reopened" if case.stage is Stage.DECLINED:
                case.facts = facts
                case.rounds += 1
                case.event_id = event_id
                self._pass(case, Stage.ACCEPTED, event_id)
            case "reopened":
                case.rounds += 1
                case.event_id = event_id
                self._pass(case, Stage.HANDLING, event_id)
            case "verified":
                self._pass(case, Stage.CLOSED, case.event_id)
            case "cancelled":
                self._pass(case, Stage.CANCELLED, case.event_id)

    def _go_on(self, case: HeldCase) -> None:
        """Bring a case to what time brings next, perhaps by a detour, once a round."""
        following = NEXT.get(case.stage)
        if following is None:
            return
        if following is Stage.HANDLED and case.detours < case.rounds:
            case.detours += 1
            if self._chance.random() < self._detour:
                following = next(self._detours)
        self._pass(case, following, case.event_id)
        if following is Stage.EXTENDED:
            self._wait(case, case.event_id)

    def _pass(self, case: HeldCase, stage: Stage, event_id: str) -> None:
        until = case.expected_at + EXTENSION if stage is Stage.EXTENDED else None
        passed = Passed(stage, self._clock(), event_id, REASONS.get(stage, ""), until)
        case.passed.append(passed)
        self._tell(case, passed)
        if stage in NEXT:
            self._wait(case, event_id)

    def _wait(self, case: HeldCase, event_id: str) -> None:
        """Let time bring a case on."""
        if self.step_s > 0:
            delay_s = self.step_s * (0.5 + self._chance.random())
            turn = _Turn(
                self._clock() + timedelta(seconds=delay_s), next(self._order), case, event_id
            )
            heapq.heappush(self._turns, turn)
