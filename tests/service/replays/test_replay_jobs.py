from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from posting import FakeClock
from scripted import START, at, every, look, seen

from service.detecting import Detectors
from service.replays.archive import LookArchive
from service.replays.jobs import MOST_WAITING, Replay, Replays, ReplayState, TooManyReplaysError
from vision.detect.registry import load_registry
from vision.schedule import SiteClock
from vision.site import Camera

FOOTWAY = {"id": "footway", "purpose": "footway", "points": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
PLAZA = {"id": "plaza", "purpose": "footway", "points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}
HOARDING = {"id": "line", "purpose": "hoarding_line", "points": [[0, 0.5], [1, 0.5]]}
BRIEF = {"debris_pile": {"dwell_s": 60}}
END = START + timedelta(hours=1)


def camera(*zones: object, rules: object = BRIEF) -> Camera:
    return Camera.model_validate({"id": "cam", "zones": zones, "rules": rules})


@pytest.fixture
def archive(tmp_path: Path) -> LookArchive:
    """An hour in which a heap stands for 10 minutes on the left and one on the right."""
    kept = LookArchive(tmp_path / "archive", "Asia/Shanghai")
    for time_s in every(10, 0, 3600):
        things = [seen("debris_pile", at(200, 400), 0.9)] if 600 <= time_s < 1200 else []
        things += [seen("debris_pile", at(800, 400), 0.9)] if 2000 <= time_s < 2600 else []
        kept.add(look(time_s, *things))
    return kept


@pytest.fixture
def make(archive: LookArchive, tmp_path: Path, clock: FakeClock) -> Callable[..., Replays]:
    def made(**more: float) -> Replays:
        return Replays(
            tmp_path / "replays",
            archive,
            model_of=Detectors(load_registry()).entry_of,
            site_clock=SiteClock(UTC),
            clock=clock.now,
            **more,
        )

    return made


@pytest.fixture
def replays(make: Callable[..., Replays]) -> Iterator[Replays]:
    running = make()
    running.start()
    yield running
    running.stop()


def ended(replays: Replays, replay: Replay) -> Replay:
    deadline = time.monotonic() + 60
    while not (found := replays.get(replay.id)) or not found.is_over:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_what_other_zones_and_dwells_would_have_changed_is_told(replays: Replays) -> None:
    now = camera(FOOTWAY)
    other = camera(PLAZA)
    moved = ended(replays, replays.submit([(now, other)], START, END, "user:li"))
    assert moved.state is ReplayState.DONE, moved.fault
    assert moved.progress == 1.0
    assert moved.result is not None
    assert moved.result["counts"] == {"unchanged": 0, "changed": 0, "appeared": 1, "vanished": 1}
    assert moved.result["cameras"] == [{"camera_id": "cam", "looks": 360, "violations": 1}]
    (appeared,), (vanished,) = moved.result["appeared"], moved.result["vanished"]
    assert (appeared["zone_id"], vanished["zone_id"]) == ("plaza", "footway")
    assert appeared["started_at"] == "2026-03-01T16:33:20.000+08:00"

    same = ended(replays, replays.submit([(now, now)], START, END, "user:li"))
    assert same.result is not None
    assert same.result["counts"]["unchanged"] == 1
    patient = camera(FOOTWAY, rules={"debris_pile": {"dwell_s": 3000}})
    longer = ended(replays, replays.submit([(now, patient)], START, END, "user:li"))
    assert longer.result is not None
    assert longer.result["counts"]["vanished"] == 1


def test_what_looks_cannot_tell_is_said(replays: Replays) -> None:
    lined = camera(FOOTWAY, HOARDING)
    done = ended(
        replays, replays.submit([(camera(FOOTWAY), lined)], START - timedelta(days=2), START, "a")
    )
    assert done.result is not None
    assert any("did not look for hoarding" in note for note in done.result["notes"])
    assert any("no looks are kept" in note for note in done.result["notes"])


def test_a_replay_that_takes_too_long_is_killed(make: Callable[..., Replays]) -> None:
    replays = make(deadline_s=0.1)
    replays.start()
    replay = replays.submit([(camera(FOOTWAY), camera(PLAZA))], START, END, "a")
    late = ended(replays, replay)
    assert (late.state, late.fault) == (ReplayState.FAILED, "it took longer than 0.1 s")
    replays.stop()


def test_replays_wait_are_cancelled_and_have_a_bound(make: Callable[..., Replays]) -> None:
    replays = make()
    terms = [(camera(FOOTWAY), camera(PLAZA))]
    waiting = [replays.submit(terms, START, END, "a") for _ in range(MOST_WAITING)]
    with pytest.raises(TooManyReplaysError):
        replays.submit(terms, START, END, "a")
    given_up = replays.cancel(waiting[0].id)
    assert given_up is not None
    assert given_up.state is ReplayState.CANCELLED
    assert replays.cancel("elsewhere") is None


def test_a_restart_keeps_what_was_done_and_fails_what_was_not(
    make: Callable[..., Replays], clock: FakeClock
) -> None:
    first = make()
    first.start()
    done = ended(first, first.submit([(camera(FOOTWAY), camera(PLAZA))], START, END, "a"))
    first.stop()
    cut_off = first.submit([(camera(FOOTWAY), camera(PLAZA))], START, END, "a")
    again = make()
    again.start()
    found = again.get(done.id)
    assert found is not None
    assert found.result == done.result
    lost = again.get(cut_off.id)
    assert lost is not None
    assert (lost.state, lost.fault) == (ReplayState.FAILED, "the service was restarted")
    clock.sleep(60)
    again.forget(clock.now())
    assert again.get(done.id) is None
    again.stop()
