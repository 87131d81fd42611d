"""Plays a scenario: street → noisy detector → looks → judge, and holds against it what is true."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vision.detect.detections import Detections
from vision.looking.signing import SigningSettings
from vision.observe.boxes import iou
from vision.observe.families import FLAT, family_of
from vision.observe.look import Health, Look
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Box, Sighting
from vision.rules.finding import Violation
from vision.rules.judge import Judge
from vision.rules.registry import build_rules
from vision.site import given_rules

from .noise import NAMES, NoisyDetector
from .scenario import CAMERA, Scenario, Wrong
from .world import FRAME

MATCH_IOU = 0.3
SAME_IOU, AWAY_S = SigningSettings().same_iou, SigningSettings().away_s
SEEDS = (1, 2, 3)


def looks_of(scenario: Scenario, seed: int) -> list[Look]:
    """Looks at a scenario, in order of time; the same for the same seed, whatever judges them."""
    own = zlib.crc32(scenario.name.encode()) + seed
    detector = NoisyDetector(scenario.noise, own)
    gate = np.random.default_rng(own)
    looks: list[Look] = []
    for time_s in scenario.times:
        health = next(
            (state for start, end, state in scenario.health if start <= time_s < end), Health.OK
        )
        closed = gate.random() < scenario.gated and bool(looks) and looks[-1].health is Health.OK
        to_view = None
        if health is not Health.OK:
            found = Detections.empty(NAMES)
        elif closed:
            found, to_view = looks[-1].detections, looks[-1].to_view
        else:
            shift = detector.shaken(scenario.shift(time_s))
            found = detector.detect(scenario.world.at(time_s), shift)
            to_view = detector.registered(shift)
        looks.append(
            Look(
                camera_id=CAMERA,
                time_s=time_s,
                timestamp=scenario.at(time_s),
                frame_size=FRAME,
                health=health,
                pose=sum(turn <= time_s for turn in scenario.turns),
                inspected=not closed and health is Health.OK,
                detections=found,
                to_view=to_view,
            )
        )
    return looks


Followed = list[list[tuple[int, str, Box]]]
"""For each look, number, family and box of what is followed and was seen in it."""


def judge(scenario: Scenario, looks: Sequence[Look]) -> tuple[list[Violation], Followed]:
    """Judge looks as a scan does; also what the memory followed."""
    site = scenario.site_file
    zones = site.cameras[0].judged_zones
    judge = Judge(
        build_rules(zones, given_rules(site.rules), site.clock),
        SightingMemory(),
        zones,
        camera_id=CAMERA,
        clock=site.clock,
    )
    followed: Followed = []
    for look in looks:
        judge.look(signed_where_asked(look, judge.open_sightings()))
        followed.append(
            [
                (s.id, family_of(s.class_name), s.box)
                for s in judge.open_sightings()
                if s.last_seen_s == look.time_s
            ]
        )
    return judge.finish(), followed


def signed_where_asked(look: Look, sightings: Sequence[Sighting]) -> Look:
    """The look with signatures where a scan takes them (:mod:`vision.looking.signing`).

    What is new is signed, and what is known when the memory asks for it or it was long not seen.
    """
    found = look.registered().detections
    wanted = np.ones(len(found), bool)
    for row, (xyxy, _, name) in enumerate(found.rows()):
        x1, y1, x2, y2 = xyxy.tolist()
        family = family_of(name)
        overlap, known = max(
            (
                (iou((x1, y1, x2, y2), one.box), one)
                for one in sightings
                if family_of(one.class_name) == family
            ),
            key=lambda pair: pair[0],
            default=(0.0, None),
        )
        if name == "person" or name in FLAT:
            wanted[row] = False
        elif known is not None and overlap >= SAME_IOU:
            wanted[row] = (
                look.time_s >= known.sign_from_s or look.time_s - known.last_seen_s > AWAY_S
            )
    appearance = np.where(wanted[:, None], found.appearance, np.uint8(0))
    return replace(look, detections=replace(look.detections, appearance=appearance))


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario with one seed.

    Attributes:
        found: What is wrong and was raised, with the violation.
        missed: What is wrong and was not raised.
        false: Raised with nothing wrong, or raised twice.
        switches: How often one thing that stands got another number.
        takeovers: How often a number went over to another thing.
    """

    found: tuple[tuple[Wrong, Violation], ...]
    missed: tuple[Wrong, ...]
    false: tuple[Violation, ...]
    switches: int = 0
    takeovers: int = 0


def play(scenario: Scenario, seed: int) -> Outcome:
    """Play a scenario with a seed."""
    looks = looks_of(scenario, seed)
    violations, followed = judge(scenario, looks)
    switches, takeovers = identity(true_boxes(scenario, looks), followed)
    return compare(scenario, violations, switches, takeovers)


def compare(
    scenario: Scenario, violations: Sequence[Violation], switches: int = 0, takeovers: int = 0
) -> Outcome:
    """Match what was raised with what is wrong, one to one, nearest starts first."""
    pairs = sorted(
        (abs(violation.start_s - wrong.start_s), w, v)
        for w, wrong in enumerate(scenario.wrong)
        for v, violation in enumerate(violations)
        if tells_of(scenario, wrong, violation)
    )
    given: dict[int, int] = {}
    for _, w, v in pairs:
        if w not in given and v not in given.values():
            given[w] = v
    return Outcome(
        found=tuple((scenario.wrong[w], violations[v]) for w, v in sorted(given.items())),
        missed=tuple(one for w, one in enumerate(scenario.wrong) if w not in given),
        false=tuple(one for v, one in enumerate(violations) if v not in given.values()),
        switches=switches,
        takeovers=takeovers,
    )


def ends_right(scenario: Scenario, wrong: Wrong, violation: Violation) -> bool:
    """Whether a violation ended when it should, or did not where it should not."""
    if wrong.end_s is None or violation.end_s is None:
        return wrong.end_s is violation.end_s
    return abs(violation.end_s - wrong.end_s) <= max(90.0, 6 * scenario.pace_s)


def tells_of(scenario: Scenario, wrong: Wrong, violation: Violation) -> bool:
    """Whether a violation is of this kind, at this place, from about this time on."""
    if violation.kind != wrong.kind:
        return False
    tolerance_s = wrong.tolerance_s or max(60.0, 3 * scenario.pace_s)
    if abs(violation.start_s - wrong.start_s) > tolerance_s:
        return False
    thing = scenario.thing(wrong.where)
    if thing is None:
        return violation.zone_id == wrong.where
    times = (thing.from_s, min(thing.until_s, scenario.times[-1]), violation.best_s)
    return any(iou(shifted(scenario, t, thing.box(t)), violation.box) >= MATCH_IOU for t in times)


def shifted(scenario: Scenario, time_s: float, box: Box) -> Box:
    """Box in the picture of a time at which the whole picture may be off."""
    dx, dy = scenario.shift(time_s)
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


STAYS_S = 60.0
"""A thing that stands longer has an identity to be kept."""

WATCHED = frozenset({"vehicle", "cycle", "derelict_cycle", "street_stall", "waste"})
"""Families whose identity matters."""

Truth = list[dict[str, tuple[str, Box]]]
"""For each look, family and box of each thing that stays and can be seen, by its name."""


def true_boxes(scenario: Scenario, looks: Sequence[Look]) -> Truth:
    """Where the things are that ought to keep an identity."""
    return [
        {
            one.thing.name: (family, one.box)
            for one in scenario.world.at(look.time_s)
            if one.thing.rests
            and one.thing.until_s - one.thing.from_s > STAYS_S
            and (family := family_of(one.thing.class_name)) in WATCHED
            and one.share > 0.5
        }
        if look.health is Health.OK
        else {}
        for look in looks
    ]


def identity(truth: Truth, followed: Followed) -> tuple[int, int]:
    """How often a thing that stands got another number, and a number another thing.

    A look in which nothing of its family lies on a thing does not count.
    """
    number: dict[str, int] = {}
    thing: dict[int, str] = {}
    switches = takeovers = 0
    for things, there in zip(truth, followed, strict=True):
        for name, (family, box) in things.items():
            overlap, minus_id = max(
                ((iou(box, other), -i) for i, kin, other in there if kin == family),
                default=(0.0, 0),
            )
            if overlap < 0.5:
                continue
            switches += number.get(name, -minus_id) != -minus_id
            takeovers += thing.get(-minus_id, name) != name
            number[name], thing[-minus_id] = -minus_id, name
    return switches, takeovers


@dataclass(frozen=True)
class Score:
    """Figures over several outcomes."""

    found: int
    missed: int
    false: int

    @property
    def f1(self) -> float:
        """F1; 1 where nothing is wrong and nothing was raised."""
        wrong = 2 * self.found + self.missed + self.false
        return 2 * self.found / wrong if wrong else 1.0


def score(outcomes: Sequence[Outcome]) -> Score:
    """Sum up outcomes."""
    return Score(
        sum(len(one.found) for one in outcomes),
        sum(len(one.missed) for one in outcomes),
        sum(len(one.false) for one in outcomes),
    )
