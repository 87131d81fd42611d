"""Scoring on events: matching, what is counted, and what no order or addition may change."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import at

from vision.rules.finding import Violation
from vision.rules.kinds import KINDS
from vision.score.events import (
    Event,
    EventScore,
    Expectation,
    Matching,
    Outcome,
    Raised,
    Verdict,
    score,
)

HEAP = Event(("debris_pile",), 10.0, 100.0, at(300, 500), dwell_s=30.0)
TOLD = Raised("debris_pile", at(300, 500), 10.0, 100.0, 100.0, noticed_s=42.0, end_noticed_s=130.0)


def outcomes(result: EventScore) -> list[Outcome]:
    return [one.outcome for one in result.events]


def verdicts(result: EventScore) -> list[tuple[Verdict, str]]:
    return [(one.verdict, one.reason) for one in result.violations]


def figures(result: EventScore) -> tuple[int, int, int]:
    return result.total.found, result.total.false_alarms, result.total.missed


def test_an_event_that_was_told_is_found_with_its_delays() -> None:
    result = score([replace(TOLD, start_s=12.0)], [HEAP], watched_s=43_200)
    assert figures(result) == (1, 0, 0)
    (one,) = result.events
    assert one.onset_error_s == 2.0
    assert one.delay_to_raise_s == 2.0, "it could be raised 30 s after its start"
    assert one.delay_to_end_s == 30.0
    assert result.false_alarms_per_camera_day == 0


def test_nothing_expected_and_nothing_raised_is_neither_good_nor_bad() -> None:
    result = score([], [], watched_s=60)
    assert (result.total.precision, result.total.recall, result.total.f1) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"box": at(600, 500)}, "no_event"),
        ({"start_s": 101.0, "last_seen_s": 150.0, "end_s": 150.0}, "no_event"),
        ({"kind": "street_stall"}, "wrong_kind"),
        ({"clip": "other.mp4"}, "no_event"),
    ],
)
def test_elsewhere_later_or_as_something_else_is_a_false_alarm(
    changes: dict[str, object], reason: str
) -> None:
    result = score([replace(TOLD, **changes)], [HEAP], watched_s=21_600)  # type: ignore[arg-type]
    assert figures(result) == (0, 1, 1)
    assert verdicts(result) == [(Verdict.FALSE_ALARM, reason)]
    assert result.false_alarms_per_camera_day == pytest.approx(4)


def test_an_event_told_twice_is_found_once() -> None:
    pieces = [
        replace(TOLD, last_seen_s=40.0, end_s=40.0),
        replace(TOLD, start_s=45.0, last_seen_s=100.0),
    ]
    result = score(pieces, [HEAP])
    assert figures(result) == (1, 1, 0)
    assert sorted(verdicts(result)) == [
        (Verdict.FALSE_ALARM, "raised_twice"),
        (Verdict.RIGHT, ""),
    ]
    (one,) = result.events
    assert one.raised is not None
    assert one.raised.start_s == 45.0, "the longer piece overlaps more"


def test_of_all_ways_to_match_the_one_with_most_pairs_counts() -> None:
    # Greedily, the middle violation would take the left event and leave the right one unfound.
    left = replace(HEAP, box=(0, 0, 100, 100))
    right = replace(HEAP, box=(50, 0, 150, 100))
    middle = replace(TOLD, box=(20, 0, 120, 100))
    far_left = replace(TOLD, box=(-45, 0, 55, 100))
    result = score([middle, far_left], [left, right])
    assert figures(result) == (2, 0, 0)


def test_a_missing_stretch_matches_by_its_zone_or_by_a_little_overlap() -> None:
    gap = Event(("hoarding_missing",), 0.0, None, (100, 100, 400, 200), zone_id="fence")
    told = Raised("hoarding_missing", (350, 90, 900, 260), 0.0, 60.0)
    assert score([told], [gap]).total.found == 1
    elsewhere = replace(told, box=(500, 90, 900, 260))
    assert score([elsewhere], [gap]).total.found == 0
    assert score([replace(elsewhere, zone_id="fence")], [gap]).total.found == 1


@pytest.mark.parametrize(
    ("dwell_s", "raised", "outcome", "found_false_missed"),
    [
        (5.0, True, Outcome.FOUND, (1, 0, 0)),
        (5.0, False, Outcome.MISSED, (0, 0, 1)),
        (20.0, True, Outcome.FALSELY_RAISED, (0, 1, 0)),
        (20.0, False, Outcome.RIGHTLY_QUIET, (0, 0, 0)),
        (None, True, Outcome.UNSCORED, (0, 0, 0)),
    ],
)
def test_a_brief_stay_counts_only_where_the_dwell_is_as_brief(
    dwell_s: float | None,
    raised: bool,
    outcome: Outcome,
    found_false_missed: tuple[int, int, int],
) -> None:
    stay = replace(HEAP, expectation=Expectation.RAISE_IF_BRIEF, max_dwell_s=9.0, dwell_s=dwell_s)
    result = score([TOLD] if raised else [], [stay])
    assert outcomes(result) == [outcome]
    assert figures(result) == found_false_missed


def test_what_must_not_be_raised_is_a_false_alarm_whatever_it_is_called() -> None:
    parked = replace(HEAP, kinds=(), expectation=Expectation.QUIET, type="parked_vehicle_legal")
    result = score([TOLD], [parked])
    assert outcomes(result) == [Outcome.FALSELY_RAISED]
    assert verdicts(result) == [(Verdict.FALSE_ALARM, "must_not_be_raised")]
    assert outcomes(score([], [parked])) == [Outcome.RIGHTLY_QUIET]


def test_kerb_parking_may_be_told_where_a_zone_forbids_it() -> None:
    parked = replace(HEAP, kinds=(), expectation=Expectation.QUIET_UNLESS_ZONE)
    told = replace(TOLD, kind="abandoned_vehicle")
    assert score([told], [parked]).total.false_alarms == 1
    result = score([replace(told, zone_purpose="no_stopping")], [parked])
    assert verdicts(result) == [(Verdict.UNSCORED, "")]
    assert figures(result) == (0, 0, 0)


def test_what_lies_on_an_ignored_event_is_neither_right_nor_wrong() -> None:
    wide = replace(HEAP, box=(0, 0, 1000, 800), expectation=Expectation.UNSCORED)
    assert verdicts(score([TOLD], [wide])) == [(Verdict.UNSCORED, "")]
    assert verdicts(score([TOLD], [replace(wide, box=None)])) == [(Verdict.FALSE_ALARM, "no_event")]
    assert figures(score([TOLD], [wide, HEAP])) == (1, 0, 0), "an event to raise comes first"


def test_counts_by_kind_follow_the_violation_and_a_miss_the_first_kind() -> None:
    bag = replace(HEAP, kinds=("standing_object", "debris_pile"))
    assert set(score([TOLD], [bag]).by_kind) == {"debris_pile"}
    assert score([], [bag]).by_kind["standing_object"].missed == 1


def test_an_end_that_was_not_noticed_is_counted() -> None:
    still = replace(TOLD, end_s=None, end_noticed_s=None)
    assert score([still], [HEAP]).ends_unnoticed == 1
    assert score([still], [replace(HEAP, end_s=None)]).ends_unnoticed == 0


def test_violations_of_the_judge_are_scored_as_they_are() -> None:
    violation = Violation(
        kind="debris_pile",
        camera_id="cam",
        zone_id="frame",
        key="sighting-1",
        box=at(300, 500),
        confidence=0.6,
        start_s=10.0,
        noticed_s=41.0,
        best_s=41.0,
        last_seen_s=100.0,
        end_s=None,
        looks_seen=40,
        signs=(),
        rule_name="debris_pile",
        rule_settings={"dwell_s": 30.0},
    )
    result = score([violation], [HEAP])
    assert result.events[0].delay_to_raise_s == 1.0
    assert result.total.f1 == 1


def test_a_score_can_be_written_as_json() -> None:
    result = score([TOLD, replace(TOLD, box=at(800, 700))], [HEAP], watched_s=3600)
    written = json.loads(json.dumps(result.as_json()))
    assert written["total"] == {
        "found": 1,
        "false_alarms": 1,
        "missed": 0,
        "precision": 0.5,
        "recall": 1.0,
        "f1": 0.6667,
    }
    assert written["false_alarms_per_camera_day"] == 24
    assert written["violations"][1]["reason"] == "no_event"


KIND = st.sampled_from([*KINDS])
EDGE = st.integers(0, 900)
BOX = st.builds(
    lambda x, y, w, h: (float(x), float(y), float(x + w), float(y + h)),
    EDGE,
    EDGE,
    st.integers(10, 200),
    st.integers(10, 200),
)
TIME = st.integers(0, 500).map(float)
CLIP = st.sampled_from(["a.mp4", "b.mp4"])


@st.composite
def events_strategy(draw: st.DrawFn) -> Event:
    start_s = draw(TIME)
    length_s = draw(st.none() | TIME)
    return Event(
        kinds=tuple(draw(st.lists(KIND, min_size=1, max_size=2, unique=True))),
        start_s=start_s,
        end_s=None if length_s is None else start_s + length_s,
        box=draw(BOX),
        expectation=draw(st.sampled_from(Expectation)),
        max_dwell_s=10.0,
        dwell_s=draw(st.sampled_from([None, 5.0, 20.0])),
        clip=draw(CLIP),
    )


@st.composite
def raised_strategy(draw: st.DrawFn) -> Raised:
    start_s = draw(TIME)
    last_s = start_s + draw(TIME)
    return Raised(
        kind=draw(KIND),
        box=draw(BOX),
        start_s=start_s,
        last_seen_s=last_s,
        end_s=draw(st.sampled_from([None, last_s])),
        noticed_s=draw(st.none() | TIME),
        clip=draw(CLIP),
    )


EVENTS = st.lists(events_strategy(), max_size=8)
RAISED = st.lists(raised_strategy(), max_size=8)


def perfect(event: Event) -> Raised:
    """What an all-knowing rule would raise for an event."""
    assert event.box is not None
    end_s = event.end_s if event.end_s is not None else event.start_s + 50
    return Raised(
        event.kinds[0], event.box, event.start_s, end_s, event.end_s, event.start_s, clip=event.clip
    )


@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_perfect_violations_score_one(events: list[Event]) -> None:
    wanted = [event for event in events if event.in_force is Expectation.RAISE]
    result = score([perfect(event) for event in wanted], events)
    assert figures(result) == (len(wanted), 0, 0)
    assert result.total.f1 == (1.0 if wanted else None)


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, raised=RAISED, seed=st.integers(0, 1000))
def test_the_order_of_the_inputs_changes_nothing(
    events: list[Event], raised: list[Raised], seed: int
) -> None:
    expected = score(raised, events, watched_s=60)
    random.Random(seed).shuffle(events)
    random.Random(seed + 1).shuffle(raised)
    assert score(raised, events, watched_s=60) == expected


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, raised=RAISED)
def test_a_false_alarm_more_never_raises_precision_nor_lowers_recall(
    events: list[Event], raised: list[Raised]
) -> None:
    before = score(raised, events).total
    far = Raised("debris_pile", (5000, 5000, 5100, 5100), 0, 9, clip="a.mp4")
    after = score([*raised, far], events).total
    assert after.false_alarms == before.false_alarms + 1
    assert after.recall == before.recall
    assert after.precision is not None
    assert before.precision is None or after.precision <= before.precision


@settings(max_examples=60, deadline=None)
@given(events=EVENTS, raised=RAISED)
def test_everything_is_accounted_for_once(events: list[Event], raised: list[Raised]) -> None:
    result = score(raised, events)
    assert len(result.events) == len(events)
    assert len(result.violations) == len(raised)
    wanted = sum(event.in_force is Expectation.RAISE for event in events)
    assert result.total.found + result.total.missed == wanted
    told = [one for one in result.violations if one.verdict is not Verdict.UNSCORED]
    assert result.total.found + result.total.false_alarms == len(told)
    finders = [id(one.raised) for one in result.events if one.outcome is Outcome.FOUND]
    assert len(set(finders)) == len(finders)


@settings(max_examples=40, deadline=None)
@given(events=EVENTS, raised=RAISED)
def test_a_stricter_overlap_finds_no_more(events: list[Event], raised: list[Raised]) -> None:
    loose = score(raised, events, matching=Matching(min_iou=0.2)).total
    strict = score(raised, events, matching=Matching(min_iou=0.6)).total
    assert strict.found <= loose.found
