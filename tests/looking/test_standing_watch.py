"""The standing picture at work in a scan: drawn clips, a detector that really sees blobs."""

from __future__ import annotations

import io
from datetime import UTC
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from blobs import BlobDetector

from vision.archive import read_looks, write_looks
from vision.detect.detections import Detections
from vision.frames.gate import ChangeGate
from vision.frames.health import HealthWatch
from vision.frames.looks import LookPolicy
from vision.frames.recording import Recording, open_recording
from vision.looking.standing_watch import StandingWatch, StandingWatchSettings, own_detections
from vision.observe.boxes import iou
from vision.observe.look import Look
from vision.observe.memory import SightingMemory
from vision.pipeline import Looker

FPS = 5
BAG = (250, 110, 274, 130)
HEAP = (200, 122)
EVERY_2_S = LookPolicy.fixed(2.0)
ADAPTIVE = LookPolicy(rest_s=10.0, active_s=2.0)


def ground() -> np.ndarray:
    random = np.random.default_rng(3)
    grey = cv2.resize(
        random.integers(60, 180, (45, 80), dtype=np.uint8), (320, 180), interpolation=cv2.INTER_AREA
    )
    return cv2.cvtColor(cv2.GaussianBlur(grey, (0, 0), 1), cv2.COLOR_GRAY2BGR)


def clip(path: Path, draw, length_s: float) -> Path:
    """A clip of the ground on which ``draw(image, time_s)`` draws."""
    random, empty = np.random.default_rng(7), ground()
    with av.open(path, "w") as writer:
        stream = writer.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"crf": "18", "g": str(2 * FPS), "sc_threshold": "0"}
        for number in range(int(length_s * FPS)):
            image = empty.copy()
            draw(image, number / FPS)
            image = np.clip(image + random.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    return path


def bag_is_left(image: np.ndarray, time_s: float) -> None:
    """People walk by; one leaves a dark bag at 20 s, which is taken away at 60 s."""
    if 20 <= time_s < 60:
        cv2.rectangle(image, BAG[:2], BAG[2:], (15, 20, 18), -1)
        cv2.line(image, (254, 118), (270, 122), (160, 170, 165), 2)
    x = int(time_s * 37) % 420 - 40
    cv2.rectangle(image, (x, 60), (x + 14, 95), (230, 60, 10), -1)


def crowd_before_heap(image: np.ndarray, time_s: float) -> None:
    """A heap from 10 s on; there is always somebody before it, each time elsewhere."""
    if time_s >= 10:
        cv2.ellipse(image, HEAP, (26, 16), 0, 0, 360, (10, 10, 230), -1)
    for row in range(2):
        x = 178 + (int(time_s * 11) + 23 * row) % 46
        cv2.rectangle(image, (x - 7, 90 + 8 * row), (x + 7, 125 + 8 * row), (230, 60, 10), -1)


def somebody_walks(image: np.ndarray, time_s: float) -> None:
    """There is always one person, each time elsewhere, and nothing else."""
    x = 20 + int(time_s * 37) % 260
    cv2.rectangle(image, (x, 60), (x + 14, 95), (230, 60, 10), -1)


@pytest.fixture(scope="module")
def bag_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("bag") / "bag.mp4", bag_is_left, 90.0)


@pytest.fixture(scope="module")
def crowd_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("crowd") / "crowd.mp4", crowd_before_heap, 200.0)


class Shy(BlobDetector):
    """Misses heaps that somebody stands before, as detectors do."""

    def _detect(self, image: np.ndarray) -> Detections:
        found = super()._detect(image)
        people = [tuple(box.tolist()) for box, _, name in found.rows() if name == "person"]
        return found[
            np.array(
                [
                    name == "person" or not any(iou(tuple(box.tolist()), one) for one in people)
                    for box, _, name in found.rows()
                ],
                np.bool_,
            )
        ]


class Dreamer(BlobDetector):
    """Sees a heap that is not there in every picture without people."""

    def _detect(self, image: np.ndarray) -> Detections:
        found = super()._detect(image)
        if len(found):
            return found
        box, confidence = np.array([[100, 110, 150, 140]], np.float32), np.array([0.9], np.float32)
        return Detections(box, confidence, np.zeros(1, np.int64), self.names)


def open_clip(path: Path) -> Recording:
    return open_recording(path, camera_id="square", timezone=UTC)


def looker_of(
    source: Recording,
    detector: BlobDetector,
    watch: StandingWatch | None,
    policy: LookPolicy = EVERY_2_S,
) -> Looker:
    return Looker(
        source,
        detector,
        gate=ChangeGate(),
        watch=HealthWatch(adopt_new_pose=True),
        policy=policy,
        standing_watch=watch,
    )


def look_through(
    path: Path,
    watch: StandingWatch | None,
    detector=None,
    policy: LookPolicy = EVERY_2_S,
) -> list[Look]:
    memory, looks = SightingMemory(), []
    with open_clip(path) as source:
        looker = looker_of(source, detector or BlobDetector(), watch, policy)
        sightings = ()
        while (look := looker.next(False, sightings)) is not None:
            looks.append(look)
            sightings = tuple(s for s in memory.update(look) if s.ended_s is None)
    return looks


def boxes_of(look: Look, wanted: str) -> list[tuple[float, ...]]:
    return [tuple(box.tolist()) for box, _, name in look.detections.rows() if name == wanted]


def same(a: Look, b: Look) -> bool:
    return (a.time_s, a.inspected) == (b.time_s, b.inspected) and all(
        np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
        for x, y in (
            (a.detections.xyxy, b.detections.xyxy),
            (a.detections.confidence, b.detections.confidence),
            (a.detections.class_id, b.detections.class_id),
            (a.detections.standing, b.detections.standing),
        )
    )


def test_a_bag_that_no_class_covers_is_proposed_while_it_stands(bag_clip: Path) -> None:
    looks = look_through(bag_clip, StandingWatch())
    times = [look.time_s for look in looks if boxes_of(look, "standing_object")]
    assert 22 <= min(times) <= 30
    assert 58 <= max(times) <= 66
    assert len(times) >= 12
    for look in looks:
        for box in boxes_of(look, "standing_object"):
            assert np.allclose(box, BAG, atol=6)


@pytest.mark.parametrize("every_s", [1.0, 2.0, 3.0, 5.0])
def test_a_bag_is_found_whatever_the_pace(bag_clip: Path, every_s: float) -> None:
    looks = look_through(bag_clip, StandingWatch(), policy=LookPolicy.fixed(every_s))
    told = [look for look in looks if boxes_of(look, "standing_object")]
    assert told[0].time_s <= 20 + 4 * every_s + 2
    assert 60 - every_s <= told[-1].time_s <= 60 + max(4.0, 3 * every_s)
    for look in told:
        for box in boxes_of(look, "standing_object"):
            assert np.allclose(box, BAG, atol=6)


def test_seldom_looks_are_followed_by_closer_ones_while_a_bag_may_have_been_left(
    bag_clip: Path,
) -> None:
    """At a look every 10 s alone three looks would have to agree, and one more confirm it."""
    looks = look_through(bag_clip, StandingWatch(), policy=ADAPTIVE)
    told = [look.time_s for look in looks if boxes_of(look, "standing_object")]
    assert told[0] <= 20 + 2 * ADAPTIVE.rest_s + 2 * ADAPTIVE.active_s
    quiet = [look.time_s for look in looks if look.time_s < 20]
    assert np.diff(quiet).min() >= 0.7 * ADAPTIVE.rest_s


def test_it_is_not_proposed_where_that_is_switched_off(bag_clip: Path) -> None:
    looks = look_through(bag_clip, StandingWatch(StandingWatchSettings(propose=False)))
    assert not any(boxes_of(look, "standing_object") for look in looks)


def test_passers_by_that_the_detector_names_are_never_proposed(bag_clip: Path) -> None:
    looks = look_through(bag_clip, StandingWatch())
    early = [look for look in looks if look.time_s < 20]
    assert early
    assert not any(boxes_of(look, "standing_object") for look in early)


def test_the_standing_picture_shows_what_a_crowd_hides(crowd_clip: Path) -> None:
    plain, detector = Shy(), Shy()
    watch = StandingWatch()
    without = [look for look in look_through(crowd_clip, None, plain) if look.time_s > 80]
    looks = [look for look in look_through(crowd_clip, watch, detector) if look.time_s > 80]
    heap = (HEAP[0] - 26.0, HEAP[1] - 16.0, HEAP[0] + 26.0, HEAP[1] + 16.0)

    def seen(look: Look) -> bool:
        return any(iou(box, heap) > 0.6 for box in boxes_of(look, "debris_pile"))

    assert np.mean([seen(look) for look in without]) < 0.2
    assert np.mean([seen(look) for look in looks]) > 0.6
    assert any(look.detections.standing.any() for look in looks)
    assert 1 <= watch.shown <= 6
    assert detector.calls <= plain.calls + watch.shown + 2


def test_what_the_frame_itself_does_not_show_in_clear_sight_is_not_there(tmp_path: Path) -> None:
    watch = StandingWatch(StandingWatchSettings(show_every_s=20.0, gain_share=0.0))
    looks = look_through(clip(tmp_path / "walk.mp4", somebody_walks, 90.0), watch, Dreamer())
    assert watch.shown >= 3
    told = [look for look in looks if boxes_of(look, "debris_pile")]
    assert len(told) == watch.shown


def test_what_was_added_can_be_told_and_taken_away(crowd_clip: Path) -> None:
    looks = look_through(crowd_clip, StandingWatch())
    for look in looks:
        own = own_detections(look.detections)
        assert not own.standing.any()
        assert "standing_object" not in [name for _, _, name in own.rows()]


def test_the_archive_keeps_where_detections_come_from(crowd_clip: Path, tmp_path: Path) -> None:
    looks = look_through(crowd_clip, StandingWatch())
    path = tmp_path / "looks.parquet"
    names = looks[-1].detections.names
    assert "standing_object" in names
    write_looks(path, looks, input_name="crowd.mp4", names=names, timezone="UTC")
    again = list(read_looks(path))
    assert len(again) == len(looks)
    assert all(same(a, b) for a, b in zip(looks, again, strict=True))


@pytest.mark.parametrize(
    ("policy", "cut"),
    [
        *((EVERY_2_S, cut) for cut in (1, 4, 9, 12, 15, 20, 33)),
        *((ADAPTIVE, cut) for cut in (3, 4, 5, 6, 7)),
    ],
)
def test_going_on_from_a_saved_state_gives_the_same_looks(
    bag_clip: Path, policy: LookPolicy, cut: int
) -> None:
    expected = look_through(bag_clip, StandingWatch(), policy=policy)
    memory = SightingMemory()
    sightings: tuple = ()
    with open_clip(bag_clip) as source:
        looker = looker_of(source, BlobDetector(), StandingWatch(), policy)
        for _ in range(cut):
            look = looker.next(False, sightings)
            assert look is not None
            sightings = tuple(s for s in memory.update(look) if s.ended_s is None)
        file = io.BytesIO()
        np.savez(file, **looker.state())
        base_s = looker.base_s
    file.seek(0)
    inspected = next(one.detections for one in reversed(expected[:cut]) if one.inspected)
    rest = []
    with open_clip(bag_clip) as source:
        looker = looker_of(source, BlobDetector(), StandingWatch(), policy)
        looker.restore(dict(np.load(file)), expected[cut - 1], base_s, inspected)
        while (look := looker.next(False, sightings)) is not None:
            rest.append(look)
            sightings = tuple(s for s in memory.update(look) if s.ended_s is None)
    assert len(rest) == len(expected) - cut
    assert all(same(a, b) for a, b in zip(rest, expected[cut:], strict=True))
