"""Hosts whose detectors see drawn blobs; they are imported by the processes of the cluster."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from blobs import BlobDetector

from service.cameras import watch
from service.detecting import Detectors
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry, load_registry

SAVE_EVERY_S = 4.0


class BlobDetectors(Detectors):
    """The registry that ships, and a detector of drawn blobs for every model."""

    def _opened(self, entry: ModelEntry) -> Detector:
        return BlobDetector()


def blob_detectors(models: Path | None) -> Detectors:
    # Of the processes of the cluster: tests cannot wait for the minute that may be lost.
    watch.SAVE_EVERY_S = SAVE_EVERY_S
    return BlobDetectors(load_registry(models))


def draw_heap(path: Path) -> Path:
    """Six seconds of a red heap that lies there, to be looped; no two pictures are the same."""
    random = np.random.default_rng(3)
    ground = cv2.resize(
        random.integers(60, 180, (45, 80, 1), dtype=np.uint8).repeat(3, 2), (320, 180)
    )
    cv2.ellipse(ground, (200, 120), (22, 14), 0, 0, 360, (10, 10, 230), -1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=5, options={"crf": "18", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for number in range(30):
            image = np.clip(ground + random.normal(0, 2, ground.shape), 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 5)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
