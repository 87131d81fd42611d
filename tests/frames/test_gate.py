from __future__ import annotations

import io
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from drawn_street import at_night, brightened, moved, seen, street
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.frames.frame import Luma
from vision.frames.gate import ChangeGate, GateSettings

STREET = street()


def gate_on(picture: Luma) -> ChangeGate:
    gate = ChangeGate()
    gate.inspected(seen(picture, 0), 0.0)
    return gate


def with_box(picture: Luma, x: int, y: int, side: int, levels: int) -> Luma:
    changed = picture.copy()
    box = changed[y : y + side, x : x + side]
    changed[y : y + side, x : x + side] = np.clip(box.astype(int) + levels, 0, 255)
    return changed


def test_it_opens_for_the_first_look():
    assert ChangeGate().open(seen(STREET), 0.0)


def test_it_stays_closed_while_nothing_but_sensor_noise_changes():
    gate = gate_on(STREET)
    assert not any(gate.open(seen(STREET, seed), 2.0 * seed) for seed in range(1, 20))


@settings(max_examples=25, deadline=None)
@given(x=st.integers(10, 680), y=st.integers(310, 440), levels=st.sampled_from([-60, 60, 90]))
def test_a_bag_of_twenty_pixels_opens_it_wherever_it_stands_on_the_littered_road(x, y, levels):
    assert gate_on(STREET).open(seen(with_box(STREET, x, y, 20, levels), 1), 2.0)


def test_a_bag_hardly_unlike_the_road_opens_it_at_nearly_every_place():
    gate = gate_on(STREET)
    places = [(x, y) for x in range(15, 680, 70) for y in (320, 360, 400, 440)]
    opened = [gate.open(seen(with_box(STREET, x, y, 20, -35), 1), 2.0) for x, y in places]
    assert np.mean(opened) > 0.9


def test_a_bag_opens_it_at_night_too():
    gate = gate_on(at_night(STREET, 0))
    assert not gate.open(seen(at_night(STREET, 1), 1), 2.0)
    assert gate.open(seen(at_night(with_box(STREET, 300, 380, 30, 100), 2), 2), 4.0)


@pytest.mark.parametrize(
    "alike",
    [
        brightened(STREET, 0.7),
        brightened(STREET, 1.15),
        brightened(STREET, 1.0, 12),
        moved(STREET, right=0.002, down=0.001),
    ],
    ids=["darker", "brighter", "veil", "shake"],
)
def test_exposure_and_small_shake_do_not_open_it(alike):
    assert not gate_on(STREET).open(seen(alike, 1), 2.0)


def test_a_bag_opens_it_through_a_change_of_exposure():
    assert gate_on(STREET).open(seen(brightened(with_box(STREET, 300, 400, 24, 60), 0.7), 1), 2.0)


def test_slight_rain_does_not_open_it():
    random = np.random.default_rng(3)
    streaks = np.zeros(STREET.shape, np.float32)
    for x, y in random.integers((0, 0), (720, 480), (200, 2)):
        cv2.line(streaks, (int(x), int(y)), (int(x) + 2, int(y) + 14), 35.0, 1)
    rain = np.clip(STREET + streaks, 0, 255).astype(np.uint8)
    assert not gate_on(STREET).open(seen(rain, 1), 2.0)


def test_coding_a_key_frame_anew_does_not_open_it():
    gate = gate_on(recoded(STREET, "20"))
    assert not gate.open(seen(recoded(STREET, "32"), 1), 2.0)


def test_a_street_lit_by_headlights_opens_it():
    beam = np.zeros(STREET.shape, np.float32)
    cv2.ellipse(beam, (250, 400), (120, 30), 0, 0, 360, 70.0, -1)
    lit = np.clip(STREET + cv2.GaussianBlur(beam, (0, 0), 8), 0, 255).astype(np.uint8)
    assert gate_on(STREET).open(seen(lit, 1), 2.0)


def test_another_scene_and_another_size_open_it():
    gate = gate_on(STREET)
    assert gate.open(seen(street(5), 1), 2.0)
    assert gate.open(seen(STREET[:400], 1), 2.0)


def test_slow_change_adds_up_against_the_last_inspected_look():
    gate = gate_on(STREET)
    opened = [
        gate.open(seen(with_box(STREET, 300, 380, 30, levels), levels), levels)
        for levels in range(1, 40)
    ]
    assert not opened[0]
    assert opened[-1]


def test_a_forced_look_comes_after_the_set_time_without_any_change():
    gate = ChangeGate(GateSettings(forced_look_s=20.0))
    gate.inspected(seen(STREET, 0), 100.0)
    assert not gate.open(seen(STREET, 1), 119.9)
    assert gate.open(seen(STREET, 2), 120.0)
    gate.inspected(seen(STREET, 2), 120.0)
    assert not gate.open(seen(STREET, 3), 122.0)


def test_it_opens_when_time_runs_backwards():
    gate = ChangeGate()
    gate.inspected(seen(STREET, 0), 100.0)
    assert gate.open(seen(STREET, 1), 50.0)


def test_a_restored_gate_measures_exactly_the_same():
    gate = gate_on(STREET)
    gate.inspected(seen(STREET, 4), 8.0)
    file = io.BytesIO()
    np.savez(file, **gate.state())
    file.seek(0)
    again = ChangeGate()
    again.restore(np.load(file))
    later = seen(with_box(STREET, 300, 380, 20, 12), 5)
    assert again.change(later) == gate.change(later) > 0
    assert again.open(later, 10.0) == gate.open(later, 10.0)
    assert again.open(later, 68.0)


def test_a_gate_restored_before_any_look_opens():
    again = ChangeGate()
    again.inspected(seen(STREET), 0.0)
    again.restore(ChangeGate().state())
    assert again.open(seen(STREET), 1.0)


@pytest.mark.parametrize(
    ("clip", "before_s", "there_s", "event"),
    [
        ("d01", 10, 30, 0),
        ("d02", 2, 25, 0),
        ("d03", 20, 90, 0),
        ("d04", 3, 18, 0),
        ("d05", 2, 14, 0),
        ("d05", 2, 14, 1),
        ("d06", 10, 30, 1),
        ("d06", 10, 32, 3),
    ],
)
def test_real_bags_and_stalled_vehicles_alone_open_it(
    shared_data: Path, clip: str, before_s: float, there_s: float, event: int
):
    """Only the pixels of the thing are taken over from the later look into the earlier one."""
    folder = shared_data / "clips" / "dev"
    truth = json.loads((folder / "GROUND_TRUTH.json").read_text())
    entry = next(entry for entry in truth if Path(entry["file"]).name.startswith(clip))
    before, there = pictures_at(folder / Path(entry["file"]).name, before_s, there_s)
    x0, y0, x1, y1 = entry["events"][event]["box_xyxy"]
    with_thing = before.copy()
    with_thing[y0:y1, x0:x1] = there[y0:y1, x0:x1]
    gate = ChangeGate()
    gate.inspected(seen(before, noise=0), 0.0)
    assert not gate.open(seen(before, 1), 2.0)
    assert gate.open(seen(with_thing, 2), 2.0)


def pictures_at(path: Path, *times_s: float) -> list[Luma]:
    wanted, found = list(times_s), []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time >= wanted[0]:
                found.append(frame.reformat(format="gray").to_ndarray())
                wanted.pop(0)
                if not wanted:
                    break
    return found


def recoded(picture: Luma, crf: str) -> Luma:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=1, options={"crf": crf})
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        return next(container.decode(video=0)).reformat(format="gray").to_ndarray()
