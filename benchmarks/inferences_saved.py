"""How many inspections could the standing picture save?

    python -m benchmarks.inferences_saved CLIP ... [--every 2]

Looks through real clips at a fixed pace and counts, among the looks that the gate has inspected,
those that need not have been by one of two rules: the look agrees with the standing picture outside
the passers-by seen last; or nothing in it that the standing picture does not show was there in the
look before. A difference counts from a square of ``SIDE_PX`` pixels of the compared picture on.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import cv2
import numpy as np

from vision.detect.detections import Detections
from vision.detect.registry import load_registry
from vision.engine import watching_detector
from vision.frames.frame import Frame
from vision.frames.gate import ChangeGate
from vision.frames.health import HealthWatch
from vision.frames.looks import LookPolicy
from vision.frames.recording import open_recording
from vision.frames.standing import Mask, same_within
from vision.looking.standing_watch import StandingWatch
from vision.observe.memory import SightingMemory
from vision.observe.sighting import Sighting, Snapshot
from vision.pipeline import Looker

SIDE_PX = 6


class Counting(StandingWatch):
    """A standing watch that counts the looks which a rule would have left out."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def take_in(
        self,
        frame: Frame,
        pose: int,
        found: Detections,
        sightings: Sequence[Sighting],
        *,
        inspected: bool,
    ) -> bool:
        """Take in a look and compare it with the picture as it was before."""
        picture, passing = self._picture, self._passing
        before = None
        if pose == self._pose and picture.recent is not None:
            before = picture.recent.copy()
        news = super().take_in(frame, pose, found, sightings, inspected=inspected)
        after = picture.recent
        if inspected and before is not None and after is not None and before.shape == after.shape:
            levels = picture.settings.same_levels
            unlike = ~same_within(picture.current, before, levels)
            agreed = picture.coming | ~same_within(after, before, levels)
            self.counts["inspected"] += 1
            self.counts["agree outside passers-by"] += not _is_thing(unlike & ~passing)
            self.counts["nothing new twice"] += not _is_thing(unlike & agreed)
        return news


def main() -> None:
    """Look through the clips and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--every", type=float, default=2.0)
    options = parser.parse_args()

    registry = load_registry()
    detector = watching_detector(registry.model(registry.default), None)
    total: Counter[str] = Counter()
    for clip in options.clips:
        watch, memory = Counting(), SightingMemory()
        with open_recording(clip, camera_id=clip.stem, timezone=UTC) as source:
            looker = Looker(
                source,
                detector,
                gate=ChangeGate(),
                watch=HealthWatch(adopt_new_pose=True),
                policy=LookPolicy.fixed(options.every),
                standing_watch=watch,
            )
            standing: tuple[Snapshot, ...] = ()
            while (look := looker.next(False, standing)) is not None:
                standing = tuple(one for one in memory.update(look) if one.ended_s is None)
        print(clip.name, dict(watch.counts))
        total.update(watch.counts)
    print("all", dict(total))
    detector.close()


def _is_thing(where: Mask) -> bool:
    return bool(cv2.erode(where.view(np.uint8), np.ones((SIDE_PX, SIDE_PX), np.uint8)).any())


if __name__ == "__main__":
    main()
