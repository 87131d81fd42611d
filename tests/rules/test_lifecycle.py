"""START, still and END: over is only what was seen to be over."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest
from scripted import START, at, every, look, seen

from vision.observe.look import Health
from vision.observe.memory import MemorySettings, SightingMemory
from vision.observe.sighting import Dwell
from vision.rules.judge import Judge
from vision.rules.kinds import KINDS
from vision.rules.lifecycle import Step
from vision.rules.registry import build_rules
from vision.zones import WHOLE_FRAME, Purpose, Zone

HERE, THERE = at(300, 500), at(700, 500)
STALL = seen("street_stall", HERE)
BUS = seen("bus", at(300, 560, 300, 260), 0.9)
"""Stands before the stall."""
DAY_S = 86_400.0


def stall_judge(memory: MemorySettings | None = None, **settings: object) -> Judge:
    rules = build_rules([WHOLE_FRAME], {"street_stall": {"dwell_s": 30, **settings}})
    return Judge(rules, SightingMemory(memory or MemorySettings()), [WHOLE_FRAME], camera_id="cam")


def told(judge: Judge) -> list[tuple[str, float]]:
    return [(event.step.value, event.time_s) for event in judge.take_events()]


def show(judge: Judge, times: list[float], *things: object, **more: object) -> None:
    for t in times:
        judge.look(look(t, *things, **more))  # type: ignore[arg-type]


class TestStartAndEnd:
    def test_a_violation_starts_when_it_is_raised_and_ends_when_the_place_is_empty(self):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        assert told(judge) == [("start", 30)]
        show(judge, every(10, 110, 300))
        ((step, time_s),) = told(judge)
        (one,) = judge.finish()
        assert (step, one.end_s, one.end_noticed_s) == ("end", 100, time_s)
        assert (one.end_reason, one.verification) == ("gone", "gone")
        assert (one.noticed_s, one.raised_s) == (30, 30)

    def test_events_carry_stream_time_wall_time_and_the_violation_as_it_was(self):
        judge = stall_judge()
        show(judge, every(10, 0, 60), STALL)
        (event,) = judge.take_events()
        assert event.step is Step.START
        assert event.timestamp == START + timedelta(seconds=event.time_s)
        assert event.violation.end_s is None
        assert judge.take_events() == []

    def test_one_empty_look_is_no_end(self):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, [110])
        show(judge, every(10, 120, 200), STALL)
        assert told(judge) == [("start", 30)]
        assert judge.finish()[0].verification == "still_there"

    @pytest.mark.parametrize("blind", [{"health": Health.BLACK}, {"health": Health.MOVED}])
    def test_a_camera_that_cannot_see_neither_ends_nor_confirms(self, blind):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 5000), **blind)
        (one,) = judge.finish()
        assert (one.end_s, one.last_seen_s, one.verification) == (None, 100, "cannot_see")

    def test_dusk_below_the_threshold_is_no_end(self):
        """The rule no longer holds, but the thing has not been seen to go."""
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 900), seen("street_stall", HERE, 0.11))
        (one,) = judge.finish()
        assert one.end_s is None

    def test_what_is_over_can_be_taken_out(self):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 300))
        assert len(judge.take_over()) == 1
        assert judge.finish() == []


class TestDwell:
    """Seconds seen, hidden and unknown are kept apart, up to the last sight."""

    def test_the_ledger_tells_where_the_seconds_went(self):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 150), BUS)
        show(judge, every(10, 160, 200), STALL)
        show(judge, every(10, 210, 250), health=Health.BLACK)
        show(judge, every(10, 260, 300), STALL)
        (one,) = judge.finish()
        assert one.dwell == Dwell(observed_s=180, bridged_s=60, unknown_s=60)
        assert one.dwell.total_s == one.last_seen_s - one.start_s

    def test_what_comes_after_the_last_sight_is_no_dwell(self):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 150), BUS)
        assert judge.violations[0].dwell == Dwell(observed_s=100)

    def test_what_was_lost_and_found_keeps_its_ledger(self):
        judge = stall_judge(TestHidden.FORGETFUL)
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 1000), BUS)
        show(judge, every(10, 1010, 1100), STALL)
        (one,) = judge.finish()
        assert one.dwell == Dwell(observed_s=190, unknown_s=910)
        assert one.dwell.total_s == one.last_seen_s - one.start_s

    def test_the_ledger_survives_a_restart(self):
        whole, first, again = stall_judge(), stall_judge(), stall_judge()
        show(whole, every(10, 0, 100), STALL)
        show(first, every(10, 0, 60), STALL)
        again.restore(json.loads(json.dumps(first.state())))
        show(again, every(10, 70, 100), STALL)
        assert again.violations[0].dwell == whole.violations[0].dwell == Dwell(observed_s=100)


class TestHidden:
    """A thing behind a bus for longer than the memory waits is not gone."""

    FORGETFUL = MemorySettings(max_hidden_s=100)

    def hidden(self, **settings: object) -> Judge:
        judge = stall_judge(self.FORGETFUL, **settings)
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 1000), BUS)
        return judge

    def test_hidden_for_long_is_cannot_see(self):
        judge = self.hidden()
        (one,) = judge.finish()
        assert (one.end_s, one.last_seen_s, one.verification) == (None, 100, "cannot_see")

    def test_it_goes_on_when_it_comes_into_view_again(self):
        judge = self.hidden()
        show(judge, every(10, 1010, 1200), STALL)
        (one,) = judge.finish()
        assert (one.start_s, one.last_seen_s, one.end_s) == (0, 1200, None)
        assert told(judge) == [("start", 30)]

    def test_it_is_over_when_its_place_comes_into_view_empty(self):
        judge = self.hidden()
        show(judge, every(10, 1010, 1200))
        (one,) = judge.finish()
        assert (one.end_s, one.end_reason) == (100, "gone")
        assert one.end_noticed_s == 1070

    def test_a_glimpse_of_the_empty_place_is_not_enough(self):
        judge = self.hidden()
        show(judge, [1010, 1020])
        show(judge, every(10, 1030, 1500), BUS)
        assert judge.finish()[0].end_s is None

    def test_a_camera_that_turned_away_for_good_leaves_it_open(self):
        judge = stall_judge()
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 500), pose=1)
        (one,) = judge.finish()
        assert (one.end_s, one.verification) == (None, "cannot_see")


class TestGrace:
    def test_what_is_put_right_within_the_grace_was_never_raised(self):
        judge = stall_judge(grace_s=600)
        show(judge, every(10, 0, 500), STALL)
        show(judge, every(10, 510, 2000))
        assert judge.finish() == []
        assert told(judge) == []

    def test_what_stays_is_raised_after_it_since_it_came(self):
        judge = stall_judge(grace_s=600)
        show(judge, every(10, 0, 700), STALL)
        (one,) = judge.finish()
        assert (one.start_s, one.noticed_s, one.raised_s) == (0, 30, 630)

    def test_it_is_raised_only_while_it_is_seen(self):
        judge = stall_judge(grace_s=600)
        show(judge, every(10, 0, 500), STALL)
        show(judge, every(10, 510, 900), BUS)
        assert judge.finish() == []
        show(judge, every(10, 910, 930), STALL)
        assert judge.finish()[0].raised_s == 910


class TestStill:
    def test_what_stays_is_told_again_at_most_so_often(self):
        judge = stall_judge(repeat_s=100, max_repeats=3)
        show(judge, every(10, 0, 900), STALL)
        assert told(judge) == [("start", 30), ("still", 130), ("still", 230), ("still", 330)]
        assert judge.finish()[0].still_s == (130, 230, 330)

    def test_hidden_is_not_still(self):
        judge = stall_judge(repeat_s=100)
        show(judge, every(10, 0, 100), STALL)
        show(judge, every(10, 110, 400), BUS)
        show(judge, every(10, 410, 420), STALL)
        assert told(judge) == [("start", 30), ("still", 410)]

    def test_never_when_so_set(self):
        judge = stall_judge(repeat_s=0)
        show(judge, every(10, 0, 900), STALL)
        assert told(judge) == [("start", 30)]

    def test_by_default_once_a_day(self):
        judge = stall_judge()
        show(judge, every(600, 0, 3 * DAY_S), STALL)
        assert [step for step, _ in told(judge)] == ["start", "still", "still"]


class TestRecurrence:
    def stalls(self, judge: Judge, *starts_s: float) -> None:
        for start_s in starts_s:
            show(judge, every(10, start_s, start_s + 100), STALL)
            show(judge, every(10, start_s + 110, start_s + 300))

    def test_a_stall_that_comes_back_is_linked_to_the_one_before(self):
        judge = stall_judge()
        self.stalls(judge, 0, DAY_S, 2 * DAY_S)
        first, second, third = judge.finish()
        assert first.recurrence_of is None
        assert second.recurrence_of is not None
        assert (second.recurrence_of.key, second.recurrence_of.start_s) == (first.key, 0)
        assert third.recurrence_of is not None
        assert third.recurrence_of.key == second.key
        assert [one.recurrences for one in (first, second, third)] == [0, 1, 2]

    @pytest.mark.parametrize(("days", "linked"), [(1.5, True), (0.5, False), (0, False)])
    def test_within_so_many_days(self, days, linked):
        judge = stall_judge(recurrence_days=days)
        self.stalls(judge, 0, DAY_S)
        assert (judge.finish()[1].recurrence_of is not None) is linked

    def test_elsewhere_is_another_matter(self):
        judge = stall_judge()
        self.stalls(judge, 0)
        show(judge, every(10, 1000, 1100), seen("street_stall", THERE))
        assert judge.finish()[1].recurrence_of is None


def test_dust_ends_after_clear_looks_and_recurs_over_its_zone():
    zone = Zone(id="a", purpose=Purpose.SITE, points=((0, 0), (1, 0), (1, 1), (0, 1)))
    judge = Judge(build_rules([zone]), SightingMemory(), [zone], camera_id="cam")

    def billow(start_s: float) -> None:
        for i in range(6):
            plume = at(250 + 12 * i, 500, 150 + 20 * i, 120 + 15 * i)
            judge.look(look(start_s + 2 * i, seen("construction_dust", plume)))

    billow(0)
    show(judge, every(2, 12, 100))
    billow(1000)
    one, two = judge.finish()
    assert (one.end_s, one.end_reason) == (10, "gone")
    assert two.recurrence_of is not None
    assert two.recurrence_of.key == one.key == "zone-a"


def test_a_nameless_thing_gives_way_to_one_with_a_name(monkeypatch):
    """The heap that nobody could name first is a stall: one violation, since the heap was there."""
    low = dataclasses.replace(KINDS["debris_pile"], priority="low")
    monkeypatch.setitem(KINDS, "debris_pile", low)
    rules = build_rules(
        [WHOLE_FRAME], {k: {"dwell_s": 30} for k in ("street_stall", "debris_pile")}
    )
    judge = Judge(rules, SightingMemory(), [WHOLE_FRAME], camera_id="cam")
    show(judge, every(10, 0, 100), seen("debris_pile", HERE))
    show(judge, every(10, 110, 200), seen("debris_pile", HERE), STALL)
    (one,) = judge.finish()
    assert (one.kind, one.start_s) == ("street_stall", 0)
    assert [step for step, _ in told(judge)] == ["start", "end", "start"]


@pytest.mark.parametrize("cut", range(0, 150, 7))
def test_a_life_can_be_handed_over_anywhere(cut):
    """Hidden, back, gone, and again: with grace, reminders and a link."""
    settings = {"grace_s": 50, "repeat_s": 100}
    times = every(10, 0, 1490)

    def things(t: float) -> list[object]:
        if 300 <= t < 600:
            return [BUS]
        return [STALL] if t < 700 or t >= 1000 else []

    whole, second = (stall_judge(TestHidden.FORGETFUL, **settings) for _ in range(2))
    shown = [look(t, *things(t)) for t in times]  # type: ignore[arg-type]
    for one in shown:
        whole.look(one)
    first = stall_judge(TestHidden.FORGETFUL, **settings)
    for one in shown[:cut]:
        first.look(one)
    # The memory goes over as it is: only what the rules and lives keep is under test here.
    second._memory = first._memory
    second.restore(json.loads(json.dumps(first.state())))
    for one in shown[cut:]:
        second.look(one)
    assert second.finish() == whole.finish()
    assert len(whole.finish()) == 2
    assert whole.finish()[1].recurrences == 1
    assert first.take_events() + second.take_events() == whole.take_events()
