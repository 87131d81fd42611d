"""The cases that one reviewer has on the screen and those that come next, claimed for them.

The browser has the next cases before they are asked for, shows the next one at once, and tells of
each decision afterwards. What it tells is taken in one after the other; a decision that does not
hold brings its case back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from service.cases.claims import (
    ClaimedByOther,
    NotForReview,
    Reviewer,
    Wanted,
    claim,
    claim_next,
    queue_counts,
    release,
)
from service.cases.lifecycle import NoSuchCase, StaleCase
from service.cases.likeness import alike
from service.cases.review import Decision, ReviewRules, UndoRefused, decide, undo
from service.evidence.access import link_to, open_original
from service.review.brief import brief_of
from service.review.visit import Visit
from service.store.tables import CaseRow, EvidenceRow, Role, Variant, Verdict
from vision.errors import InputError, JiexuError

AHEAD = 8
"""So many cases are claimed for a reviewer at a time, the one on the screen among them."""
STANDBY = 2
"""So many are claimed as they come while nothing is decided: the others may be quicker."""

CaseId = Annotated[str, Field(max_length=64)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DecisionMessage(_Message):
    """What the browser tells of a decision.

    Attributes:
        id: The case.
        version: Version that was on the screen.
        verdict: What was decided.
        kind: Changed kind.
        reason: Why it was rejected.
        box: Corrected box in pixels of the frame.
        note: Anything else.
        on_screen_s: How long it was looked at.
    """

    id: CaseId
    version: int
    verdict: Verdict
    kind: Annotated[str, Field(max_length=64)] | None = None
    reason: Annotated[str, Field(max_length=32)] | None = None
    box: tuple[float, float, float, float] | None = None
    note: Annotated[str, Field(max_length=1000)] | None = None
    on_screen_s: Annotated[float, Field(ge=0, le=86_400)] | None = None


class CaseMessage(_Message):
    """What the browser says of a case without deciding."""

    id: CaseId


class OriginalMessage(CaseMessage):
    """Which original someone wants to see, and why."""

    role: Annotated[str, Field(max_length=16)]
    reason: Annotated[str, Field(min_length=3, max_length=500)]


@dataclass(frozen=True)
class Fault:
    """Why something did not hold.

    Attributes:
        word: ``stale``, ``claimed``, ``not_for_review``, ``too_late``, ``invalid``, ``gone`` or
            ``other_tab``.
        case: The case as it is now, if the reviewer may go on with it.
    """

    word: str
    case: dict[str, Any] | None = None


@dataclass
class Desk:
    """One reviewer's open cases. All methods ask the database: call them outside of the loop.

    Attributes:
        visit: Who reviews.
        wanted: Which candidates they want.
        is_there: Whether a browser has it open.
        passed: Ids of those that they passed over.
    """

    visit: Visit
    wanted: Wanted = field(default_factory=Wanted)
    is_there: Callable[[], bool] = lambda: True
    passed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._desks = self.visit.desks
        self._actor = self.visit.principal.actor
        self._seat = self._desks.sit(self._actor, self.is_there)

    @property
    def held(self) -> list[str]:
        """Ids of the cases that are claimed for it, in the order of the screen."""
        return self._seat.held

    @property
    def rules(self) -> ReviewRules:
        """How review goes."""
        return self.visit.service.review_rules

    def fill(self, enough: int = AHEAD) -> list[dict[str, Any]]:
        """Claim cases until there are enough, and give those that are new."""
        reviewer = self._reviewer()
        found = []
        while len(self.held) < enough:
            now = self.visit.service.clock()
            with self._desks.turn(self._actor):
                skip = {*self.held, *self.passed, *self._elsewhere()}
                with self.visit.service.database.write() as session:
                    case = claim_next(
                        session, reviewer, now, self.rules.lease_s, self.wanted, skip=skip
                    )
                    if case is None:
                        break
                    found.append(brief_of(session, case, self.visit, now))
                self.held.append(case.id)
        return found

    def take(self, case_id: str) -> dict[str, Any] | Fault:
        """Claim one case that someone wants to see."""
        reviewer, now = self._reviewer(), self.visit.service.clock()
        with self._desks.turn(self._actor):
            if case_id in self._elsewhere():
                return Fault("other_tab")
            try:
                with self.visit.service.database.write() as session:
                    case = claim(session, case_id, reviewer, now, self.rules.lease_s)
                    brief = brief_of(session, case, self.visit, now)
            except JiexuError as error:
                return Fault(_word(error))
            if case_id not in self.held:
                self.held.insert(0, case_id)
        return brief

    def decide(self, message: DecisionMessage) -> Fault | None:
        """Keep a decision; what is told if it does not hold."""
        reviewer, now = self._reviewer(), self.visit.service.clock()
        decision = Decision(
            verdict=message.verdict,
            kind=message.kind,
            reason=message.reason,
            box=message.box,
            note=message.note or None,
            on_screen_s=message.on_screen_s,
        )
        self._let_go(message.id)
        try:
            with self.visit.service.database.write() as session:
                decide(
                    session,
                    message.id,
                    reviewer,
                    decision,
                    now,
                    version=message.version,
                    rules=self.rules,
                )
        except (StaleCase, InputError) as error:
            again = self.take(message.id)
            word = _word(error)
            return Fault(word, again) if isinstance(again, dict) else again
        except JiexuError as error:
            return Fault(_word(error))
        return None

    def undo(self, message: CaseMessage) -> dict[str, Any] | Fault:
        """Take a decision back; the case as it is then."""
        reviewer, now = self._reviewer(), self.visit.service.clock()
        try:
            with self.visit.service.database.write() as session:
                case = undo(session, message.id, reviewer, now, self.rules)
                brief = brief_of(session, case, self.visit, now)
        except JiexuError as error:
            return Fault(_word(error))
        self.held.insert(0, case.id)
        return brief

    def pass_over(self, message: CaseMessage) -> None:
        """Leave a case to others; it does not come back on this screen."""
        self.passed.add(message.id)
        self._let_go(message.id)
        self._release([message.id])

    def renew(self) -> None:
        """Hold what is on the screen for as long again; what someone else has got is let go."""
        reviewer = self._reviewer()
        for case_id in tuple(self.held):
            now = self.visit.service.clock()
            try:
                with self.visit.service.database.write() as session:
                    claim(session, case_id, reviewer, now, self.rules.lease_s)
            except JiexuError:
                self._let_go(case_id)

    def let_go(self, case_ids: Sequence[str]) -> None:
        """Give some cases back to the others."""
        for case_id in case_ids:
            self._let_go(case_id)
        self._release(case_ids)

    def close(self) -> None:
        """Give everything back to the others, save what the reviewer has in another tab."""
        held = list(self.held)
        self.held.clear()
        with self._desks.turn(self._actor):
            self._desks.leave(self._actor, self._seat)
            kept = self._desks.still_held(self._actor, self._seat)
            self._release([one for one in held if one not in kept])

    def alike(self, message: CaseMessage) -> list[dict[str, Any]]:
        """Candidates of the same kind in the same zone, claimed to be decided at once.

        ``looks`` of each says how it looks beside the one on the screen.
        """
        reviewer, now = self._reviewer(), self.visit.service.clock()
        with self._desks.turn(self._actor), self.visit.service.database.write() as session:
            shown = session.get(CaseRow, message.id)
            if shown is None:
                return []
            found = []
            elsewhere = self._elsewhere()
            for one in alike(session, shown):
                case = one.case
                if case.id in elsewhere:
                    continue
                if case.id not in self.held:
                    try:
                        claim(session, case.id, reviewer, now, self.rules.lease_s)
                    except (ClaimedByOther, NotForReview):
                        continue
                    self.held.append(case.id)
                found.append(brief_of(session, case, self.visit, now) | {"looks": one.looks})
            return found

    def original(self, message: OriginalMessage) -> str | None:
        """A link to an original, for supervisors, written to the audit; ``None`` if it is gone."""
        visit, now = self.visit, self.visit.service.clock()
        principal = visit.allow(Role.SUPERVISOR)
        with visit.service.database.write() as session:
            query = (
                select(EvidenceRow)
                .where(
                    EvidenceRow.case_id == message.id,
                    EvidenceRow.role == message.role,
                    EvidenceRow.variant == Variant.SEALED,
                    EvidenceRow.superseded_at.is_(None),
                    EvidenceRow.removed_at.is_(None),
                )
                .order_by(EvidenceRow.created_at.desc())
                .limit(1)
            )
            row = session.scalar(query)
            if row is None:
                return None
            open_original(session, row, principal.actor, visit.origin, now, reason=message.reason)
            return link_to(visit.service, row, principal.actor, now).path

    def waiting(self) -> int:
        """How many candidates wait for anyone."""
        with self.visit.service.database.read() as session:
            counts = queue_counts(session, self.visit.service.clock())
        return sum(count.waiting for count in counts)

    def _elsewhere(self) -> frozenset[str]:
        """What the reviewer has open in other tabs."""
        return self._desks.elsewhere(self._actor, self._seat)

    def _reviewer(self) -> Reviewer:
        principal = self.visit.allow(Role.REVIEWER)
        return Reviewer(principal.actor, principal.may(Role.SUPERVISOR, None))

    def _let_go(self, case_id: str) -> None:
        if case_id in self.held:
            self.held.remove(case_id)

    def _release(self, case_ids: Sequence[str]) -> None:
        # Not who may act now but who claimed: a login that is over gives its cases back too.
        reviewer = Reviewer(self.visit.principal.actor)
        # Each by itself: a case that is told of is the last thing that a transaction holds.
        for case_id in case_ids:
            with self.visit.service.database.write() as session:
                release(session, case_id, reviewer, self.visit.service.clock())


def _word(error: JiexuError) -> str:
    words: tuple[tuple[type[JiexuError], str], ...] = (
        (StaleCase, "stale"),
        (ClaimedByOther, "claimed"),
        (NotForReview, "not_for_review"),
        (UndoRefused, "too_late"),
        (NoSuchCase, "gone"),
        (InputError, "invalid"),
    )
    for kind, word in words:
        if isinstance(error, kind):
            return word
    raise error
