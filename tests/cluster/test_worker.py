"""What a worker gives does not depend on what it, or another, was asked before."""

from __future__ import annotations

import random
from datetime import UTC
from pathlib import Path

import numpy as np
import pytest

from vision.cluster.parcels import AstrayError, Clip, Seen, Wanted
from vision.cluster.worker import Worker
from vision.frames.frame import Frame
from vision.frames.recording import open_recording


@pytest.fixture(scope="module")
def looks(blob_clip: Path) -> list[tuple[Wanted, Frame | None]]:
    """Looks at keyframes and between them, and one past the end, as one process sees them."""
    with open_recording(blob_clip, camera_id="square", timezone=UTC) as recording:
        made = []
        for time_s, tolerance_s in [(i * 1.3, 0.1 if i % 3 else 0.4) for i in range(70)] + [
            (120, 1)
        ]:
            start_s = recording.starts_at_s(time_s, tolerance_s)
            frame = recording.submit(time_s, tolerance_s).result()
            made.append((Wanted(time_s, tolerance_s, start_s), frame))
    return made


def same(parcel: Seen | None, frame: Frame | None) -> bool:
    if parcel is None or frame is None:
        return parcel is None and frame is None
    return (
        (parcel.time_s, parcel.pts, parcel.rung) == (frame.time_s, frame.pts, frame.rung)
        and np.array_equal(parcel.luma, frame.luma)
        and np.array_equal(parcel.small, frame.small)
    )


@pytest.mark.parametrize("seek", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_segments_in_any_order_give_the_frames_of_a_reading_from_the_front(
    blob_clip: Path, looks: list[tuple[Wanted, Frame | None]], seed: int, seek: bool
) -> None:
    worker = Worker()
    clip = Clip(blob_clip, "", seek)
    segments = [looks[i : i + 5] for i in range(0, len(looks), 5)]
    random.Random(seed).shuffle(segments)
    for segment in segments:
        parcels = worker.looks(clip, [wanted for wanted, _ in segment])
        assert all(same(p, frame) for p, (_, frame) in zip(parcels, segment, strict=True))


def test_a_picture_can_be_had_from_a_worker_that_never_saw_it(
    blob_clip: Path, looks: list[tuple[Wanted, Frame | None]]
) -> None:
    wanted, frame = looks[40]
    assert frame is not None
    assert np.array_equal(Worker().image(Clip(blob_clip, "", seek=True), wanted), frame.image)


def test_a_file_that_reads_otherwise_is_not_guessed_at(blob_clip: Path) -> None:
    with pytest.raises(AstrayError, match="no keyframe at 3"):
        Worker().looks(Clip(blob_clip, "", seek=True), [Wanted(5.0, 0.1, 3.0)])


def test_a_recording_that_is_done_is_closed(
    blob_clip: Path, looks: list[tuple[Wanted, Frame | None]]
) -> None:
    worker = Worker()
    clip = Clip(blob_clip, "", seek=True)
    (before,) = worker.looks(clip, [looks[9][0]])
    worker.forget(blob_clip)
    (after,) = worker.looks(clip, [looks[9][0]])
    assert before is not None
    assert after is not None
    assert np.array_equal(before.luma, after.luma)
