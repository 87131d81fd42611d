"""Drawn clips of blobs, and a detector that really sees them."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vision.detect.detections import Detections
from vision.frames.frame import Image

APPEARS_S, LEAVES_S, LENGTH_S, FPS = 14.0, 46.0, 90.0, 5


@dataclass
class BlobDetector:
    """A real detector for drawn clips: red blobs are debris, blue ones people.

    Attributes:
        calls: Number of pictures it was shown.
    """

    calls: int = 0
    names: tuple[str, ...] = ("debris_pile", "person")
    runtime: str = "blobs"
    model_name: str = "blobs"
    model_sha256: str = "b" * 64
    input_size: int = 4096

    def detect(self, images: list[Image]) -> list[Detections]:
        return [self._detect(image) for image in images]

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        height, width = image.shape[:2]
        found = self._detect(image)
        if size is not None:
            scale = np.array([size[0] / width, size[1] / height] * 2, np.float32)
            found = replace(found, xyxy=found.xyxy * scale)
        future: Future[Detections] = Future()
        future.set_result(found)
        return future

    def close(self) -> None:
        """Holds nothing."""

    def _detect(self, image: Image) -> Detections:
        self.calls += 1
        boxes, classes = [], []
        blue, green, red = (image[:, :, i].astype(np.int16) for i in range(3))
        for class_id, mask in enumerate((red - np.maximum(green, blue), blue - red)):
            count, _, stats, _ = cv2.connectedComponentsWithStats((mask > 90).astype(np.uint8))
            for x, y, width, height, area in stats[1:count]:
                if area >= 60:
                    boxes.append((x, y, x + width, y + height))
                    classes.append(class_id)
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.full(len(boxes), 0.9, np.float32),
            np.array(classes, np.int64),
            self.names,
        )


def draw_blob_clip(path: Path) -> Path:
    """90 s of a textured place, 320x180: people pass, a heap lies there from 14 s to 46 s."""
    random = np.random.default_rng(3)
    ground = cv2.resize(
        random.integers(60, 180, (45, 80), dtype=np.uint8), (320, 180), interpolation=cv2.INTER_AREA
    )
    ground = cv2.cvtColor(cv2.GaussianBlur(ground, (0, 0), 1), cv2.COLOR_GRAY2BGR)
    with av.open(path, "w") as writer:
        stream = writer.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"crf": "20", "g": str(2 * FPS), "bf": "2", "sc_threshold": "0"}
        for number in range(int(LENGTH_S * FPS)):
            time_s = number / FPS
            image = ground.copy()
            if APPEARS_S <= time_s < LEAVES_S:
                cv2.ellipse(image, (200, 120), (22, 14), 0, 0, 360, (10, 10, 230), -1)
            x = int(time_s * 37) % 420 - 40
            cv2.rectangle(image, (x, 60), (x + 14, 95), (230, 60, 10), -1)
            grain = random.normal(0, 2, image.shape)
            image = np.clip(image + grain, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))
    return path
