"""The life of a violation: START when it is raised, STILL while it stays, END when it is over.

A violation ends only when its thing was seen to be gone, when its place was seen in order several
times, or when what is there may be there. Hidden, blurred, given up by the memory: that is
*cannot see*, and neither ends a violation nor counts as still there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from vision.observe.boxes import area, as_array, intersections, iou, scaled
from vision.observe.families import FLAT
from vision.observe.look import Affine, Look, carried_box, inverse
from vision.observe.sighting import Box, Dwell, Sighting
from vision.rules.finding import (
    Earlier,
    EndReason,
    Finding,
    Relief,
    Rule,
    Verification,
    Violation,
)
from vision.rules.kinds import KINDS
from vision.rules.settings import LifeSettings
from vision.rules.standing import NAMED_IOU, key_of

END_AFTER_S = 60.0
"""Seconds of clear view in which a place must be in order before a violation there is over."""

END_LOOKS = 3
"""So many looks must have seen that."""

SAME_PLACE_IOU = 0.3
"""Two boxes that overlap so much are at one place."""

HIDING_SHARE = 0.35
"""A place of which other things cover so much is hidden."""


class Step(StrEnum):
    """What happens in the life of a violation."""

    START = "start"
    STILL = "still"
    END = "end"


@dataclass(frozen=True)
class LifeEvent:
    """A step in the life of a violation.

    Attributes:
        step: What happened.
        time_s: Stream time of the look after which it did.
        timestamp: Wall-clock time of that look.
        violation: The violation as it was then.
    """

    step: Step
    time_s: float
    timestamp: datetime
    violation: Violation


@dataclass
class _Case:
    """A violation that is followed.

    Attributes:
        violation: As it is known.
        place: Its box at the last look that found it, in fractions of the view; in the frame it
            lies elsewhere once the camera is nudged.
        pose: Pose in which it was found.
        life: Settings of its rule.
        raised: It has been raised.
        told_s: Stream time at which it was told last.
        lost: Its sighting was given up without having been seen to leave.
        clear_s: Seconds of clear view in which its place has been in order.
        clear_looks: Looks of them.
        before: Ledger of what its thing was known as before it was lost and found again.
        latest: The last finding, if its look saw the thing. What stands is found in every look and
            changes nothing but three numbers: those are entered when somebody asks (:meth:`now`).
    """

    violation: Violation
    place: Box
    pose: int
    life: LifeSettings
    raised: bool = False
    told_s: float = 0.0
    lost: bool = False
    clear_s: float = 0.0
    clear_looks: int = 0
    before: Dwell = field(default_factory=Dwell)
    latest: Annotated[Finding | None, Field(exclude=True)] = None

    def now(self) -> Violation:
        """The violation with what the latest finding says."""
        latest = self.latest
        if latest is not None:
            self.latest = None
            self.violation = self.violation.but(**_went_on(self, latest, seen=True))
        return self.violation


@dataclass(frozen=True)
class _Past:
    """A violation that is over and may recur."""

    kind: str
    earlier: Earlier
    place: Box
    pose: int
    ended_at: datetime
    recurrences: int


@dataclass(frozen=True)
class _State:
    cases: list[tuple[str, str, _Case]]
    over: list[Violation]
    past: list[_Past]
    last_s: float | None


_STATE = TypeAdapter(_State)


class Lives:
    """Follows the violations of one stream of one view."""

    def __init__(self, *, camera_id: str, end_after_s: float = END_AFTER_S) -> None:
        """Start with none.

        Args:
            camera_id: Camera named in the violations.
            end_after_s: See :data:`END_AFTER_S`.
        """
        self._camera_id = camera_id
        self._end_after_s = end_after_s
        self._cases: dict[tuple[str, str], _Case] = {}
        self._over: list[Violation] = []
        self._past: list[_Past] = []
        self._events: list[LifeEvent] = []
        self._last_s: float | None = None
        self._stated: dict[tuple[str, str], bool] = {}
        self._any_lost = False
        self._to_frame: Affine | None = None

    def begin(self, look: Look, ended: Sequence[Sighting], to_view: Affine | None = None) -> None:
        """Begin with a look.

        Args:
            look: The look, healthy or not, its boxes in the view's frame of reference.
            ended: Sightings that ended with it.
            to_view: Where the pixels of its frame lie there. Violations are told with boxes in the
                frame as it is, for evidence is cut from that.
        """
        self._to_frame = None if to_view is None else inverse(to_view)
        self._stated = {}
        self._any_lost = any(case.lost for case in self._cases.values())
        for sighting in ended:
            ended_key = key_of(sighting)
            for case_key in [key for key in self._cases if key[1] == ended_key]:
                if sighting.absent_since_s is not None:
                    self._end(case_key, look, "gone")
                else:
                    self._cases[case_key].lost = self._any_lost = True

    def blind(self, look: Look) -> None:
        """A look could not see."""
        self._last_s = None
        for case in self._cases.values():
            self._verify(case, seen=False)
        self._forget(look)

    def enter(self, rule: Rule, finding: Finding, look: Look) -> None:
        """Take in what a rule says after a healthy look."""
        case_key = (rule.kind, finding.key)
        case = self._cases.get(case_key)
        if finding.relief is not None:
            if case is not None:
                self._relieve(case_key, finding, look)
            return
        if case is None:
            if self._has_name(rule.kind, finding, look):
                return
            finding = self._named(rule.kind, finding, look)
            case = self._adopted(case_key, finding, look) or self._new(rule, finding, look)
            self._cases[case_key] = case
        self._continue(case, finding, look)
        self._stated[case_key] = finding.last_seen_s >= look.time_s
        if self._any_lost:
            self._merge_lost(case_key, case, look)
        life = case.life
        if not case.raised:
            waited_s = look.time_s - case.violation.noticed_s
            if life.grace_s == 0 or (self._stated[case_key] and waited_s >= life.grace_s):
                self._raise(case, look)
        elif (
            self._stated[case_key]
            and life.repeat_s > 0
            and len(case.violation.still_s) < life.max_repeats
            and look.time_s - case.told_s >= life.repeat_s
        ):
            case.violation = case.violation.but(still_s=(*case.violation.still_s, look.time_s))
            self._tell(Step.STILL, case, look)

    def finish_look(self, look: Look) -> None:
        """End with a healthy look, once all rules have spoken."""
        for case_key in list(self._cases):
            case = self._cases[case_key]
            self._verify(case, seen=self._stated.get(case_key, False))
            if case_key in self._stated:
                continue
            if case.lost and case.pose != look.pose:
                # Nobody will ever see that place again: it stays as it was, without an end.
                del self._cases[case_key]
                if case.raised:
                    self._over.append(case.now())
                continue
            if case.lost and _is_empty(case, look):
                self._clear(case, look)
            elif case.lost:
                case.clear_looks, case.clear_s = 0, 0.0
            if case.clear_looks >= END_LOOKS and case.clear_s >= self._end_after_s:
                self._end(case_key, look, "gone")
        self._last_s = look.time_s
        self._forget(look)

    @property
    def violations(self) -> list[Violation]:
        """Violations raised so far, ordered by ``noticed_s``, then kind, zone and key."""
        return sorted(
            [*self._over, *(case.now() for case in self._cases.values() if case.raised)],
            key=lambda one: (one.noticed_s, one.kind, one.zone_id, one.key),
        )

    @property
    def count(self) -> int:
        """How many violations have been raised so far."""
        return len(self._over) + sum(case.raised for case in self._cases.values())

    def take_events(self) -> list[LifeEvent]:
        """What happened since this was asked last, in order."""
        events, self._events = self._events, []
        return events

    def take_over(self) -> list[Violation]:
        """Violations that are over, in the order in which they ended; they are forgotten here.

        A service that runs for years takes them out, so that memory does not grow.
        """
        over, self._over = self._over, []
        return over

    def state(self) -> dict[str, Any]:
        """All but the events not yet taken, in plain types that go through JSON."""
        for case in self._cases.values():
            case.now()
        cases = [(kind, key, case) for (kind, key), case in self._cases.items()]
        state = _State(cases, self._over, self._past, self._last_s)
        plain: dict[str, Any] = _STATE.dump_python(state, mode="json")
        return plain

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        known = _STATE.validate_python(state)
        self._cases = {(kind, key): case for kind, key, case in known.cases}
        self._over, self._past = list(known.over), list(known.past)
        self._last_s = known.last_s

    def _new(self, rule: Rule, finding: Finding, look: Look) -> _Case:
        violation = Violation(
            kind=rule.kind,
            camera_id=self._camera_id,
            zone_id=finding.zone_id,
            key=finding.key,
            box=self._in_frame(finding.box),
            confidence=finding.confidence,
            start_s=finding.since_s,
            noticed_s=look.time_s,
            best_s=look.time_s,
            last_seen_s=finding.last_seen_s,
            end_s=None,
            looks_seen=finding.looks_seen,
            signs=finding.signs,
            rule_name=rule.name,
            rule_settings=rule.settings,
            basis=finding.basis,
            class_names=finding.class_names,
            permit_id=finding.permit_id,
        )
        life = LifeSettings.among(rule.settings)
        return _Case(violation, _fractions(finding.box, look), look.pose, life)

    def _has_name(self, kind: str, finding: Finding, look: Look) -> bool:
        """Whether a finding of low priority is about what is a violation with a name already."""
        place = _fractions(finding.box, look)
        return _is_low(kind) and any(
            not _is_low(other_kind)
            and case.pose == look.pose
            and iou(case.place, place) >= NAMED_IOU
            for (other_kind, _), case in self._cases.items()
        )

    def _named(self, kind: str, finding: Finding, look: Look) -> Finding:
        """Let violations of low priority at the place give way: what stands there has a name now.

        Returns:
            The finding, since the nameless thing was first seen.
        """
        if _is_low(kind):
            return finding
        place = _fractions(finding.box, look)
        for case_key in [key for key in self._cases if _is_low(key[0])]:
            case = self._cases[case_key]
            if case.pose == look.pose and iou(case.place, place) >= NAMED_IOU:
                since_s = min(finding.since_s, case.violation.start_s)
                finding = finding._replace(since_s=since_s)
                if self._end(case_key, look, "merged"):
                    self._over.pop()
        return finding

    def _adopted(self, case_key: tuple[str, str], finding: Finding, look: Look) -> _Case | None:
        """A lost case that goes on under a new key: its thing has come back into view."""
        place = _fractions(finding.box, look)
        for other_key, case in self._cases.items():
            if (
                case.lost
                and other_key[0] == case_key[0]
                and case.pose == look.pose
                and case.violation.zone_id == finding.zone_id
                and iou(case.place, place) >= SAME_PLACE_IOU
            ):
                del self._cases[other_key]
                case.lost = False
                case.before = _until_found(case.now(), finding)
                return case
        return None

    def _merge_lost(self, case_key: tuple[str, str], case: _Case, look: Look) -> None:
        """Close lost cases at the place of one that is in view: they were the same thing."""
        for other_key in [
            key
            for key, other in self._cases.items()
            if other.lost
            and key[0] == case_key[0]
            and other.pose == case.pose
            and iou(other.place, case.place) >= SAME_PLACE_IOU
        ]:
            self._end(other_key, look, "merged")

    def _in_frame(self, box: Box) -> Box:
        return box if self._to_frame is None else carried_box(box, self._to_frame)

    def _continue(self, case: _Case, finding: Finding, look: Look) -> None:
        case.clear_s, case.clear_looks = 0.0, 0
        if _says_nothing_new(case, finding, look):
            case.latest = finding
            return
        known = case.now()
        case.place, case.pose = _fractions(finding.box, look), look.pose
        seen = finding.last_seen_s >= look.time_s
        changes = _went_on(case, finding, seen=seen)
        if finding.signs != known.signs:
            changes["signs"] = _joined(known.signs, finding.signs)
        if finding.class_names != known.class_names:
            changes["class_names"] = _joined(known.class_names, finding.class_names)
        if known.basis == "composition":
            changes["basis"] = finding.basis
        if known.permit_id is None:
            changes["permit_id"] = finding.permit_id
        if seen and finding.confidence > known.confidence:
            changes |= {
                "box": self._in_frame(finding.box),
                "confidence": finding.confidence,
                "best_s": look.time_s,
            }
        case.violation = known.but(**changes)
        case.latest = finding if seen else None

    def _relieve(self, case_key: tuple[str, str], finding: Finding, look: Look) -> None:
        case = self._cases[case_key]
        if finding.relief is Relief.PERMITTED:
            known = case.now()
            case.violation = known.but(last_seen_s=max(known.last_seen_s, finding.last_seen_s))
            self._end(case_key, look, "permitted", min(finding.since_s, look.time_s))
        elif finding.relief is Relief.OVER:
            self._end(case_key, look, "gone")
        elif finding.relief is Relief.NOT_YET:
            case.clear_looks, case.clear_s = 0, 0.0
        else:
            self._clear(case, look)

    def _clear(self, case: _Case, look: Look) -> None:
        """Count a look at which a place is in order, with the time since the last such look."""
        if case.clear_looks and self._last_s is not None:
            case.clear_s += look.time_s - self._last_s
        case.clear_looks += 1

    def _raise(self, case: _Case, look: Look) -> None:
        case.raised = True
        past = self._recurring(case, look)
        if past is not None:
            self._past.remove(past)
        case.violation = case.violation.but(
            raised_s=look.time_s,
            recurrence_of=past.earlier if past else None,
            recurrences=past.recurrences + 1 if past else 0,
        )
        self._tell(Step.START, case, look)

    def _recurring(self, case: _Case, look: Look) -> _Past | None:
        """The violation that ended last at the place of one that is raised."""
        days = timedelta(days=case.life.recurrence_days)
        violation = case.violation
        began_at = look.timestamp - timedelta(seconds=look.time_s - violation.start_s)
        found = [
            past
            for past in self._past
            if past.kind == violation.kind
            and past.earlier.zone_id == violation.zone_id
            and past.pose == case.pose
            and timedelta() <= began_at - past.ended_at <= days
            and (past.earlier.key == violation.key or iou(past.place, case.place) >= SAME_PLACE_IOU)
        ]
        return max(found, key=lambda past: past.ended_at, default=None)

    def _tell(self, step: Step, case: _Case, look: Look) -> None:
        case.told_s = look.time_s
        self._events.append(LifeEvent(step, look.time_s, look.timestamp, case.now()))

    def _verify(self, case: _Case, *, seen: bool) -> None:
        verification: Verification = "still_there" if seen else "cannot_see"
        if case.violation.verification != verification:
            case.violation = case.violation.but(verification=verification)

    def _end(
        self,
        case_key: tuple[str, str],
        look: Look,
        reason: EndReason,
        at_s: float | None = None,
    ) -> bool:
        """Close a violation at its last sight, or at the time from which it may be there.

        Returns:
            Whether it had been raised.
        """
        case = self._cases.pop(case_key)
        if not case.raised:
            return False
        known = case.now()
        end_s = known.last_seen_s if at_s is None else max(at_s, known.start_s)
        case.violation = known.but(
            end_s=end_s,
            end_noticed_s=look.time_s,
            end_reason=reason,
            verification="gone" if reason == "gone" else known.verification,
        )
        self._over.append(case.violation)
        self._tell(Step.END, case, look)
        if reason != "merged" and case.life.recurrence_days > 0:
            self._past.append(
                _Past(
                    known.kind,
                    Earlier(known.key, known.zone_id, known.box, known.start_s, end_s),
                    case.place,
                    case.pose,
                    look.timestamp - timedelta(seconds=look.time_s - end_s),
                    known.recurrences,
                )
            )
        return True

    def _forget(self, look: Look) -> None:
        """Forget what is over for longer than anything can recur."""
        while self._past and look.timestamp - self._past[0].ended_at > _NEVER_AFTER:
            del self._past[0]


_NEVER_AFTER = timedelta(days=366)
"""Nothing recurs so long after it was over."""


def _went_on(case: _Case, finding: Finding, *, seen: bool) -> dict[str, Any]:
    """What a finding changes of a violation that just goes on; the dwell if its look saw it."""
    known, dwell = case.violation, finding.dwell
    if dwell is None or not seen:
        dwell = known.dwell
    elif any(case.before):
        dwell = case.before.and_then(dwell)
    return {
        "last_seen_s": max(known.last_seen_s, finding.last_seen_s),
        "looks_seen": max(known.looks_seen, finding.looks_seen),
        "dwell": dwell,
    }


def _says_nothing_new(case: _Case, finding: Finding, look: Look) -> bool:
    """Whether a finding says but that the thing of the last one is still there."""
    latest = case.latest
    return (
        latest is not None
        and finding.box is latest.box
        and finding.last_seen_s >= look.time_s
        and finding.confidence <= case.violation.confidence
        and case.pose == look.pose
        and finding.signs == latest.signs
        and finding.class_names == latest.class_names
        and finding.basis == latest.basis
        and finding.permit_id == latest.permit_id
    )


def _until_found(lost: Violation, finding: Finding) -> Dwell:
    """Ledger of what was lost, until it was found again: nobody knows of the time between."""
    between_s = max(0.0, finding.since_s - lost.last_seen_s)
    return (lost.dwell or Dwell()).and_then(Dwell(unknown_s=between_s))


def _is_low(kind: str) -> bool:
    return kind in KINDS and KINDS[kind].priority == "low"


def _fractions(box: Box, look: Look) -> Box:
    width, height = look.frame_size
    return scaled(box, 1 / width, 1 / height)


def _is_empty(case: _Case, look: Look) -> bool:
    """Whether nothing stands at a place and nothing hides it."""
    place = scaled(case.place, *look.frame_size)
    solid = set(look.detections.names) - FLAT
    boxes = [box for box, _, _ in look.detections.of(solid)]
    if not boxes:
        return True
    shared = intersections(as_array([place]), as_array(boxes))
    return float(shared.sum()) < HIDING_SHARE * max(area(place), 1e-9)


def _joined(known: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return known + tuple(word for word in more if word not in known)
