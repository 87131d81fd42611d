"""Boxes that a trained detector adds where people labelled other classes only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from vision.detect import ultralytics_setup
from vision.detect.detections import Detections
from vision.detect.registry import ModelEntry
from vision.errors import ModelError
from vision.frames.frame import Image


class Teacher:
    """An ultralytics detector used to label pictures.

    Attributes:
        names: Class names of the weights.
    """

    names: tuple[str, ...]

    def __init__(self, weights: Path, *, image_size: int = 640, bfloat16: bool = False) -> None:
        """Load the weights.

        Args:
            weights: An ultralytics ``.pt`` file. It is a pickle: open trusted files only.
            image_size: Longest side at which larger pictures are shown to the network, in pixels.
            bfloat16: Compute in bfloat16: up to twice as fast on CPUs that have it; boxes move by
                a pixel or two.

        Raises:
            ModelError: The file cannot be loaded.
        """
        ultralytics_setup.prepare()
        from ultralytics import YOLO

        if not weights.is_file():
            raise ModelError(f"{weights}: no such file")
        try:
            self._model = YOLO(weights, task="detect")
        except Exception as error:  # unpickling may raise anything
            raise ModelError(f"{weights}: cannot be loaded: {error}") from error
        self._image_size = image_size
        self._bfloat16 = bfloat16
        self.names = tuple(self._model.names[i] for i in range(len(self._model.names)))

    def detect(self, image: Image, *, floor: float) -> Detections:
        """Detect in one picture.

        Args:
            image: BGR uint8 ``(h, w, 3)``.
            floor: Boxes below this confidence are left out.

        Returns:
            Detections in pixels of the picture, after non-maximum suppression at IoU 0.6.
        """
        # Enlarging a small picture costs time and shows nothing more.
        size = min(self._image_size, max(64, -(-max(image.shape[:2]) // 32) * 32))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self._bfloat16):
            result = self._model.predict(image, imgsz=size, conf=floor, iou=0.6, verbose=False)[
                0
            ].boxes
        return Detections(
            result.xyxy.float().cpu().numpy().astype(np.float32).reshape(-1, 4),
            result.conf.float().cpu().numpy().astype(np.float32),
            result.cls.cpu().numpy().astype(np.int64),
            self.names,
        )


def registered_weights(entry: ModelEntry) -> Path:
    """The ``.pt`` of a registered model, with which it teaches and from which it learns on.

    Raises:
        ModelError: The model has none, or it is not the registered file.
    """
    if "pytorch" not in entry.files:
        offered = ", ".join(entry.files)
        raise ModelError(f"model {entry.name}: has no .pt to learn from; it has {offered}")
    return entry.verified_files("pytorch")[0]
