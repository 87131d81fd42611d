from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from drawn_street import at_night, brightened, covered, moved, seen, street, with_traffic

from vision.frames.frame import LUMA_WIDTH, Luma
from vision.frames.health import HealthEvent, HealthSettings, HealthWatch
from vision.observe.look import Health

STREET = street()
OTHER_STREET = street(7)


def watch_used_to(
    picture: Luma, *, adopt_new_pose: bool = False, every_s: float = 10.0
) -> HealthWatch:
    """Let a watch look at a street with passing traffic six times; none of it is a fault."""
    watch = HealthWatch(adopt_new_pose=adopt_new_pose)
    for look in range(6):
        luma = seen(with_traffic(picture, look), look)
        assert watch.check(luma, look * every_s) is Health.OK
    return watch


def healths(watch: HealthWatch, pictures: Iterable[Luma], start_s: float, every_s: float = 10.0):
    return [
        watch.check(seen(picture, 100 + number), start_s + number * every_s)
        for number, picture in enumerate(pictures)
    ]


def lens_cap(seed: int) -> Luma:
    return np.random.default_rng(seed).normal(14, 3, STREET.shape).clip(0, 255).astype(np.uint8)


def no_signal(text: bool) -> Luma:
    picture = np.full_like(STREET, 41)
    if text:
        cv2.putText(picture, "NO SIGNAL", (250, 240), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 235, 2)
    return picture


FAULTS: dict[str, tuple[Health, Callable[[Luma], Luma]]] = {
    "lens cap": (Health.BLACK, lambda picture: lens_cap(int(picture[0, 0]))),
    "defocus": (Health.BLURRED, lambda picture: cv2.GaussianBlur(picture, (0, 0), 4)),
    "strong defocus": (Health.BLURRED, lambda picture: cv2.GaussianBlur(picture, (0, 0), 8)),
    "fog": (Health.BLURRED, lambda picture: brightened(picture, 0.12, 170)),
    "grey bag over most": (Health.COVERED, lambda picture: covered(picture, 0.6, 130)),
    "brown leaf over most": (Health.COVERED, lambda picture: covered(picture, 0.7, 70)),
    "hand over all": (Health.COVERED, lambda picture: covered(picture, 1.2, 110)),
    "glare": (Health.COVERED, lambda picture: np.full_like(picture, 250)),
    "5 % to the right": (Health.MOVED, lambda picture: moved(picture, right=0.05)),
    "10 % down": (Health.MOVED, lambda picture: moved(picture, down=0.1)),
    "20 % to the left": (Health.MOVED, lambda picture: moved(picture, right=-0.2)),
    "zoom": (Health.MOVED, lambda picture: moved(picture, zoom=1.2)),
    "turned": (Health.MOVED, lambda picture: moved(picture, turn=5)),
    "another camera": (Health.MOVED, lambda picture: OTHER_STREET),
}

HARMLESS: dict[str, Callable[[Luma], Luma]] = {
    "darker": lambda picture: brightened(picture, 0.6),
    "brighter": lambda picture: brightened(picture, 1.4),
    "night": lambda picture: at_night(picture, int(picture[0, 0])),
    "edges of reversed contrast (infra-red)": lambda picture: 255 - picture,
    "shake": lambda picture: moved(picture, right=0.005, down=-0.005),
    "wind on the mast": lambda picture: moved(picture, right=-0.015),
    "crowd": lambda picture: with_traffic(picture, int(picture[0, 0]), 0.35),
    "lorry": lambda picture: np.hstack([OTHER_STREET[:, :400], picture[:, 400:]]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_becomes_an_event_from_its_first_look(fault: str):
    expected, inject = FAULTS[fault]
    watch = watch_used_to(STREET)
    bad = [inject(with_traffic(STREET, look)) for look in (20, 21, 22)]
    assert healths(watch, bad, 60.0) == [expected] * 3
    assert healths(watch, [with_traffic(STREET, 23), STREET], 90.0) == [Health.OK] * 2
    (event,) = watch.events
    assert (event.kind, event.start_s, event.end_s) == (expected, 60.0, 90.0)
    assert watch.pose == 0


@pytest.mark.parametrize("change", HARMLESS)
def test_light_weather_and_traffic_are_no_faults(change: str):
    watch = watch_used_to(STREET)
    changed = [HARMLESS[change](with_traffic(STREET, look)) for look in range(20, 26)]
    assert healths(watch, changed, 60.0) == [Health.OK] * 6
    assert watch.events == []


@pytest.mark.parametrize("text", [True, False])
def test_a_generated_no_signal_picture_is_black_whatever_its_grey(text: bool):
    watch = watch_used_to(STREET)
    luma = cv2.resize(no_signal(text), (320, 213), interpolation=cv2.INTER_AREA)
    assert watch.check(luma, 60.0) is Health.BLACK


def test_a_dark_street_with_lamps_is_not_black():
    night = np.full_like(STREET, 8)
    for x in range(60, 720, 160):
        cv2.circle(night, (x, 120), 7, 250, -1)
        cv2.ellipse(night, (x, 330), (70, 22), 0, 0, 360, 45, -1)
    watch = HealthWatch(adopt_new_pose=False)
    assert healths(watch, [cv2.GaussianBlur(night, (0, 0), 1.0)] * 4, 0.0) == [Health.OK] * 4


def test_lights_going_out_are_not_a_cover():
    watch = watch_used_to(STREET)
    lamp = np.full(STREET.shape, 0.06, np.float32)
    cv2.ellipse(lamp, (600, 350), (110, 90), 0, 0, 360, 0.4, -1)
    dark = [(with_traffic(STREET, look) * lamp).astype(np.uint8) for look in (20, 21)]
    assert Health.COVERED not in healths(watch, dark, 60.0)


def test_the_same_picture_is_frozen_after_half_a_minute_but_not_before():
    watch = watch_used_to(STREET)
    stuck = seen(STREET, 99)
    assert [watch.check(stuck, 60.0 + 10 * look) for look in range(5)] == [
        Health.OK,
        Health.OK,
        Health.OK,
        Health.FROZEN,
        Health.FROZEN,
    ]
    assert watch.check(seen(STREET, 98), 120.0) is Health.OK
    assert watch.check(seen(STREET, 97), 130.0) is Health.OK
    (event,) = watch.events
    assert (event.kind, event.start_s, event.end_s) == (Health.FROZEN, 70.0, 120.0)


def test_two_equal_stills_far_apart_are_not_yet_frozen():
    watch = HealthWatch(adopt_new_pose=False)
    still = seen(STREET)
    assert [watch.check(still, time_s) for time_s in (0.0, 300.0, 600.0)] == [
        Health.OK,
        Health.OK,
        Health.FROZEN,
    ]


def test_an_empty_night_street_with_sensor_noise_is_not_frozen():
    watch = HealthWatch(adopt_new_pose=False)
    night = at_night(STREET, 0)
    assert healths(watch, [night] * 12, 0.0) == [Health.OK] * 12


def test_a_single_bad_look_is_not_judged_but_makes_no_event():
    watch = watch_used_to(STREET)
    assert healths(watch, [OTHER_STREET, STREET, STREET], 60.0) == [
        Health.MOVED,
        Health.OK,
        Health.OK,
    ]
    watch.finish(90.0)
    assert watch.events == []


def test_a_recording_that_starts_out_of_focus_is_blurred_from_its_first_look():
    watch = HealthWatch(adopt_new_pose=False)
    blurred = cv2.GaussianBlur(STREET, (0, 0), 8)
    assert healths(watch, [blurred, blurred, STREET], 0.0) == [
        Health.BLURRED,
        Health.BLURRED,
        Health.OK,
    ]


@pytest.mark.parametrize("every_s", [2.0, 10.0, 300.0])
def test_a_moving_camera_is_never_judged_after_its_first_look(every_s: float):
    watch = HealthWatch(adopt_new_pose=True)
    ride = [street(seed) for seed in range(12)]
    assert healths(watch, ride, 0.0, every_s)[1:] == [Health.MOVED] * 11
    (event,) = watch.events
    assert (event.kind, event.start_s, event.end_s) == (Health.MOVED, every_s, None)
    assert watch.pose == 0


def test_a_moved_view_that_settles_is_adopted_as_a_new_pose():
    watch = watch_used_to(STREET, adopt_new_pose=True)
    new = moved(STREET, right=0.2)
    looks = healths(watch, [with_traffic(new, 20 + look) for look in range(8)], 60.0)
    assert looks == [Health.MOVED] * 3 + [Health.OK] * 5
    assert watch.pose == 1
    (event,) = watch.events
    assert (event.kind, event.start_s, event.end_s) == (Health.MOVED, 60.0, 90.0)


def test_fast_looks_do_not_adopt_a_view_before_it_stood_still_for_the_settling_time():
    watch = watch_used_to(STREET, adopt_new_pose=True)
    looks = healths(watch, [OTHER_STREET] * 20, 60.0, every_s=2.0)
    assert looks == [Health.MOVED] * 15 + [Health.OK] * 5


def test_where_zones_were_drawn_a_moved_view_stays_moved_until_the_old_one_is_back():
    watch = watch_used_to(STREET)
    new = moved(STREET, right=0.2)
    assert healths(watch, [new] * 20, 60.0) == [Health.MOVED] * 20
    assert healths(watch, [STREET] * 2, 260.0) == [Health.OK] * 2
    assert watch.pose == 0
    assert [event.end_s for event in watch.events] == [260.0]


def test_a_camera_on_tour_is_judged_at_one_of_its_stops_and_keeps_its_pose():
    watch = HealthWatch(adopt_new_pose=True)
    stops = [number // 6 % 3 for number in range(72)]
    views = [street(3), street(4), street(5)]
    looks = healths(watch, [views[stop] for stop in stops], 0.0)
    poses_so_far = watch.pose
    later = [stop for stop, health in zip(stops[30:], looks[30:], strict=True) if health == "ok"]
    assert len(set(later)) == 1
    healths(watch, [views[stop] for stop in stops[:18]], 720.0)
    assert watch.pose == poses_so_far


def test_a_lorry_that_filled_the_first_look_does_not_spoil_the_recording():
    plain = np.full_like(STREET, 120)
    for x in range(30, 720, 60):
        cv2.line(plain, (x, 100), (x + 25, 380), 132, 2)
    watch = HealthWatch(adopt_new_pose=False)
    looks = healths(watch, [OTHER_STREET] + [plain] * 6, 0.0)
    assert looks == [Health.OK] + [Health.COVERED] * 3 + [Health.OK] * 3


def test_a_first_look_at_something_else_does_not_spoil_the_recording():
    watch = HealthWatch(adopt_new_pose=False)
    looks = healths(watch, [OTHER_STREET] + [STREET] * 6, 0.0)
    assert looks == [Health.OK] + [Health.MOVED] * 3 + [Health.OK] * 3
    assert watch.pose == 0


def test_a_mount_that_sags_slowly_is_followed_and_found_moved_before_it_reaches_seven_percent():
    watch = watch_used_to(STREET)
    for step in range(1, 80):
        fallen = 0.001 * step
        health = watch.check(seen(moved(STREET, down=fallen), step), 60.0 + 10 * step)
        if health is not Health.OK:
            break
        assert displaced(watch, down=fallen) < 0.004
    assert health is Health.MOVED
    assert 0.04 < fallen < 0.07


NUDGES = {
    "shaken": {"right": 0.01},
    "pushed to the right": {"right": 0.035},
    "pushed down": {"right": 0.01, "down": 0.03},
    "turned": {"turn": 2.0},
    "turned and pushed": {"turn": -1.5, "right": 0.02},
    "zoomed": {"zoom": 1.03},
}


def displaced(watch: HealthWatch, **nudge: float) -> float:
    """How far points of a nudged street lie off after they were brought back, in widths."""
    height = STREET.shape[0] / STREET.shape[1]
    matrix = cv2.getRotationMatrix2D((0.5, height / 2), nudge.get("turn", 0), nudge.get("zoom", 1))
    matrix[:, 2] += (nudge.get("right", 0), nudge.get("down", 0))
    to_view = np.eye(2, 3) if watch.to_view is None else watch.to_view
    points = np.array([(0.25, 0.2), (0.7, 0.2), (0.5, 0.4), (0.3, 0.5)])
    nudged = points @ matrix[:, :2].T + matrix[:, 2]
    back = nudged @ to_view[:, :2].T + to_view[:, 2]
    return float(np.hypot(*(back - points).T).max())


@pytest.mark.parametrize("nudge", NUDGES)
def test_a_nudged_view_is_registered_and_judged_on(nudge: str):
    watch = watch_used_to(STREET)
    for look in range(4):
        picture = with_traffic(moved(STREET, **NUDGES[nudge]), look)
        assert watch.check(seen(picture, look), 60.0 + 10 * look) is Health.OK
    assert displaced(watch, **NUDGES[nudge]) < 0.005


def test_a_view_that_is_put_right_again_lies_as_always():
    watch = watch_used_to(STREET)
    pictures = [moved(STREET, turn=2.0, right=0.02)] * 3 + [STREET] * 3
    assert healths(watch, pictures, 60.0) == [Health.OK] * 6
    assert displaced(watch) < 0.002


def test_a_view_that_stands_still_needs_no_registration():
    watch = watch_used_to(STREET)
    assert watch.to_view is None


def test_a_nudge_survives_a_restart():
    watch = watch_used_to(STREET)
    healths(watch, [moved(STREET, turn=2.0)] * 2, 60.0)
    again = HealthWatch(adopt_new_pose=False)
    again.restore(watch.state())
    for one in (watch, again):
        assert healths(one, [moved(STREET, turn=2.0)], 90.0) == [Health.OK]
    assert np.array_equal(watch.to_view, again.to_view)


def test_a_nudge_is_told_with_its_extent_and_until_it_is_put_right():
    watch = watch_used_to(STREET)
    pictures = [moved(STREET, turn=2.0, right=0.03)] * 4 + [STREET] * 4
    healths(watch, pictures, 60.0)
    (nudge,) = watch.nudges
    assert (nudge.start_s, nudge.end_s) == (60.0, 100.0)
    assert re.search(r"turned by (1\.9|2\.0|2\.1)°", nudge.detail)
    assert "of the width" in nudge.detail
    assert watch.events == []


def test_a_single_nudged_look_and_a_shaking_camera_are_no_nudge():
    watch = watch_used_to(STREET)
    pictures = [moved(STREET, turn=2.0), STREET, STREET]
    pictures += [moved(STREET, right=right) for right in (0.01, -0.01, 0.012, -0.006)]
    healths(watch, pictures, 60.0)
    assert watch.nudges == []


def test_an_open_nudge_survives_a_restart():
    watch = watch_used_to(STREET)
    healths(watch, [moved(STREET, turn=2.0)] * 3, 60.0)
    again = HealthWatch(adopt_new_pose=False)
    again.restore(watch.state())
    for one in (watch, again):
        healths(one, [STREET] * 3, 90.0)
    assert again.nudges == watch.nudges
    assert watch.nudges[0].end_s is not None


def test_dusk_and_night_are_followed_look_by_look():
    watch = watch_used_to(STREET)
    dusk = [
        brightened(with_traffic(STREET, look), 1 - 0.8 * look / 40) for look in range(1, 41)
    ] + [at_night(STREET, seed) for seed in range(5)]
    assert set(healths(watch, dusk, 60.0, every_s=120.0)) == {Health.OK}


def test_another_size_of_the_same_view_is_still_the_same_view():
    watch = watch_used_to(STREET)
    larger = cv2.resize(STREET, (960, 642), interpolation=cv2.INTER_AREA)
    assert healths(watch, [larger] * 3, 60.0) == [Health.OK] * 3


@pytest.mark.parametrize("stop", [3, 8, 11, 14])
def test_a_watch_restored_in_the_middle_goes_on_exactly_as_if_never_stopped(stop: int):
    pictures = (
        [with_traffic(STREET, look) for look in range(6)]
        + [OTHER_STREET] * 2
        + [lens_cap(1), lens_cap(2)]
        + [with_traffic(OTHER_STREET, look) for look in range(6)]
    )
    lumas = [seen(picture, number) for number, picture in enumerate(pictures)]
    through = HealthWatch(adopt_new_pose=True)
    expected = [through.check(luma, 10.0 * number) for number, luma in enumerate(lumas)]

    first = HealthWatch(adopt_new_pose=True)
    got = [first.check(luma, 10.0 * number) for number, luma in enumerate(lumas[:stop])]
    file = io.BytesIO()
    np.savez(file, **first.state())
    file.seek(0)
    second = HealthWatch(adopt_new_pose=True)
    second.restore(np.load(file))
    got += [
        second.check(luma, 10.0 * number) for number, luma in enumerate(lumas[stop:], start=stop)
    ]

    assert got == expected
    assert second.events == through.events
    assert second.pose == through.pose == 1
    ends = (second.state(), through.state())
    assert ends[0].keys() == ends[1].keys()
    for key, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][key])


def test_settings_are_heeded():
    watch = HealthWatch(HealthSettings(frozen_after_s=5.0, frozen_looks=2), adopt_new_pose=False)
    still = seen(STREET)
    assert [watch.check(still, time_s) for time_s in (0.0, 5.0)] == [Health.OK, Health.FROZEN]
    assert watch.events == [HealthEvent(Health.FROZEN, 5.0, None, "same picture since 0.0 s")]


FIXED = ["d01", "d02", "d03", "d04", "d05", "d06", "d07", "d08", "d09", "d11", "d12", "d13", "d14"]


@pytest.mark.slow
@pytest.mark.parametrize("clip", FIXED)
def test_real_fixed_cameras_have_no_event(shared_data: Path, clip: str):
    for every_s in (2.0, 10.0):
        watch = HealthWatch(adopt_new_pose=True)
        looks = [
            watch.check(luma, time_s) for time_s, luma in real_looks(shared_data, clip, every_s)
        ]
        assert set(looks) == {Health.OK}
        assert watch.events == []


@pytest.mark.slow
@pytest.mark.parametrize("clip", ["d15", "d16"])
def test_real_moving_cameras_are_moved_from_their_second_look(shared_data: Path, clip: str):
    for every_s in (1.0, 2.0):
        watch = HealthWatch(adopt_new_pose=True)
        looks = [
            watch.check(luma, time_s) for time_s, luma in real_looks(shared_data, clip, every_s)
        ]
        assert set(looks[1:]) == {Health.MOVED}


def real_looks(shared_data: Path, clip: str, every_s: float) -> list[tuple[float, Luma]]:
    (path,) = (shared_data / "clips" / "dev").glob(f"{clip}_*")
    looks: list[tuple[float, Luma]] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            if not looks or frame.time >= looks[-1][0] + every_s - 1e-3:
                height = round(LUMA_WIDTH * frame.height / frame.width)
                small = frame.reformat(width=LUMA_WIDTH, height=height, format="gray")
                looks.append((frame.time, small.to_ndarray()))
    return looks
