from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest
from blobs import BlobDetector

from vision.detect.detections import Detections
from vision.frames.gate import ChangeGate
from vision.frames.health import HealthWatch
from vision.frames.looks import LookPolicy
from vision.frames.recording import Recording, open_recording
from vision.observe.look import Look
from vision.pipeline import AHEAD_HERE, Ahead, Looker

Wanted = Callable[[Look], bool]


def open_clip(clip: Path) -> Recording:
    return open_recording(clip, camera_id="square", timezone=UTC)


def looker_of(
    source: Recording, detector: BlobDetector, policy: LookPolicy, ahead: Ahead = AHEAD_HERE
) -> Looker:
    watch = HealthWatch(adopt_new_pose=True)
    return Looker(source, detector, gate=ChangeGate(), watch=watch, policy=policy, ahead=ahead)


def look_through(
    clip: Path,
    policy: LookPolicy,
    wanted: Wanted,
    detector: BlobDetector | None = None,
    ahead: Ahead = AHEAD_HERE,
) -> list[Look]:
    looks: list[Look] = []
    with open_clip(clip) as source:
        looker = looker_of(source, detector or BlobDetector(), policy, ahead)
        active = False
        while (look := looker.next(active)) is not None:
            looks.append(look)
            active = wanted(look)
    return looks


def heap_seen(look: Look) -> bool:
    return any(name == "debris_pile" for _, _, name in look.detections.rows())


def same(a: Look, b: Look) -> bool:
    return (a.time_s, a.inspected, a.health, a.pose) == (
        b.time_s,
        b.inspected,
        b.health,
        b.pose,
    ) and np.array_equal(a.detections.xyxy, b.detections.xyxy)


def test_looks_are_seldom_at_rest_and_close_while_wanted(blob_clip: Path) -> None:
    times = [look.time_s for look in look_through(blob_clip, LookPolicy(), heap_seen)]
    assert times[:3] == [0, 10, 20]
    assert times[3:16] == [22 + 2 * i for i in range(13)]
    assert times[16:] == [56, 66, 76, 86]


def test_a_fixed_pace_does_not_depend_on_what_is_seen(blob_clip: Path) -> None:
    looks = look_through(blob_clip, LookPolicy.fixed(4.0), heap_seen)
    assert [look.time_s for look in looks] == [4.0 * i for i in range(23)]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_working_ahead_changes_nothing(blob_clip: Path, ahead: int) -> None:
    expected = look_through(blob_clip, LookPolicy(), heap_seen)
    looks = look_through(blob_clip, LookPolicy(), heap_seen, ahead=Ahead(frames=ahead, looks=ahead))
    assert len(looks) == len(expected)
    assert all(same(a, b) for a, b in zip(looks, expected, strict=True))


@pytest.mark.parametrize("cut", [1, 3, 9, 16])
def test_going_on_from_a_saved_state_gives_the_same_looks(blob_clip: Path, cut: int) -> None:
    expected = look_through(blob_clip, LookPolicy(), heap_seen)
    with open_clip(blob_clip) as source:
        looker = looker_of(source, BlobDetector(), LookPolicy())
        active = False
        for _ in range(cut):
            look = looker.next(active)
            assert look is not None
            active = heap_seen(look)
        state, base_s = looker.state(), looker.base_s
    inspected = Detections.empty(look.detections.names)
    for earlier in expected[:cut]:
        if earlier.inspected:
            inspected = earlier.detections
    rest = []
    with open_clip(blob_clip) as source:
        looker = looker_of(source, BlobDetector(), LookPolicy())
        looker.restore(state, expected[cut - 1], base_s, inspected)
        while (look := looker.next(active)) is not None:
            rest.append(look)
            active = heap_seen(look)
    assert len(rest) == len(expected) - cut
    assert all(same(a, b) for a, b in zip(rest, expected[cut:], strict=True))


def test_looks_in_which_nothing_changed_repeat_what_was_seen(tmp_path: Path) -> None:
    still = still_clip(tmp_path / "still.mp4")
    detector = BlobDetector()
    with open_clip(still) as source:
        looker = looker_of(source, detector, LookPolicy.fixed(2.0))
        looks = []
        while (look := looker.next(active=False)) is not None:
            looks.append(look)
    assert [look.inspected for look in looks] == [True] + [False] * (len(looks) - 1)
    assert detector.calls == 1
    assert all(heap_seen(look) for look in looks)


def still_clip(path: Path) -> Path:
    """Twenty seconds of an unchanging heap under sensor noise."""
    import av

    random = np.random.default_rng(5)
    ground = np.kron(random.integers(70, 170, (18, 32, 3)), np.ones((10, 10, 1)))
    ground[90:120, 150:200] = (10, 10, 230)
    with av.open(path, "w") as writer:
        stream = writer.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"crf": "20", "g": "10"}
        for _ in range(100):
            noisy = np.clip(ground + random.normal(0, 2, ground.shape), 0, 255)
            frame = av.VideoFrame.from_ndarray(noisy.astype(np.uint8), format="bgr24")
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    return path


class NotingDetector(BlobDetector):
    """Notes how large the pictures are that it is shown."""

    def _detect(self, image: np.ndarray) -> Detections:
        self.shapes = {*getattr(self, "shapes", ()), image.shape}
        return super()._detect(image)


def test_the_detector_is_shown_no_more_than_it_makes_use_of(blob_clip: Path) -> None:
    found = {}
    for side in (4096, 160):
        detector = NotingDetector(input_size=side)
        found[side] = look_through(blob_clip, LookPolicy.fixed(10.0), heap_seen, detector)
        assert detector.shapes == {(180, 320, 3) if side == 4096 else (90, 160, 3)}
    # The heap lies there in the looks from 20 s to 40 s; its box is in pixels of the frame.
    for whole, fitted in zip(found[4096][2:5], found[160][2:5], strict=True):
        heap, again = (
            next(box for box, _, name in look.detections.rows() if name == "debris_pile")
            for look in (whole, fitted)
        )
        assert np.abs(heap - again).max() <= 4
