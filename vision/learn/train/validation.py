"""Measure a network between the epochs of its training."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch

from vision.detect.boxes import Decoding
from vision.detect.detections import Detections
from vision.detect.letterbox import letterbox, to_tensor
from vision.frames.frame import Image
from vision.learn.data.pictures import class_names
from vision.learn.measure.scoring import FAINTEST, examine, score


class NetworkDetector:
    """A detector over a network in memory; see :class:`vision.detect.detector.Detector`."""

    runtime = "pytorch"
    model_name = "in training"
    model_sha256 = ""

    def __init__(self, network: torch.nn.Module, input_size: int) -> None:
        """Copy the network, fused for inference.

        Args:
            network: Ultralytics' DetectionModel; not changed.
            input_size: Longest side of the input, in pixels.
        """
        copied = deepcopy(network).float().eval()
        copied.end2end = False
        self._network = copied.fuse(verbose=False)
        self._device = next(self._network.parameters()).device
        self.input_size = input_size
        self.names = tuple(network.names[i] for i in range(len(network.names)))
        thresholds = np.full(len(self.names), FAINTEST, np.float32)
        self._decoding = Decoding(self.names, "raw", thresholds)

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Detect in pictures, one after the other."""
        return [self._detect(image, None) for image in images]

    @torch.inference_mode()  # type: ignore[untyped-decorator]  # torch is not followed
    def _detect(self, image: Image, size: tuple[int, int] | None) -> Detections:
        canvas, place = letterbox(image, self.input_size, 32, size)
        output = self._network(torch.from_numpy(to_tensor(canvas)).to(self._device))[0]
        return self._decoding.decode(output.float().cpu().numpy(), place)

    def submit(self, image: Image, size: tuple[int, int] | None = None) -> Future[Detections]:
        """Detect in one picture at once."""
        future: Future[Detections] = Future()
        future.set_result(self._detect(image, size))
        return future

    def close(self) -> None:
        """Nothing to release."""


def average_precisions(
    network: torch.nn.Module, data_dir: Path, input_size: int
) -> dict[str, float]:
    """AP50 of every class that is labelled on the validation side of a built data set.

    Args:
        network: Ultralytics' DetectionModel.
        data_dir: Built by :func:`vision.learn.data.dataset.build_dataset`.
        input_size: Longest side of the input, in pixels.
    """
    examined = examine(NetworkDetector(network, input_size), data_dir)
    scores = {name: score(examined, name).ap50 for name in class_names(data_dir)}
    return {name: round(ap50, 4) for name, ap50 in scores.items() if ap50 is not None}
