from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real pictures, clips and weights; not part of the repository."""
    folder = os.environ.get("JIEXU_SHARED_DATA")
    if not folder:
        pytest.skip("JIEXU_SHARED_DATA is not set")
    return Path(folder)


def draw_picture(width: int, height: int, seed: int) -> Image:
    """A BGR picture full of edges: gradients, noise, boxes, discs and lines."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 200 / width, y * 200 / height, (x + y) * 100 / (width + height)], axis=2)
    image = (base + rng.normal(0, 8, base.shape)).clip(0, 255).astype(np.uint8)
    size = max(4, min(width, height) // 3)
    for _ in range(25):
        a = rng.integers(0, [width, height])
        b = a + rng.integers(2, size, 2)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        shape = rng.integers(3)
        if shape == 0:
            cv2.rectangle(image, a.tolist(), b.tolist(), colour, -1)
        elif shape == 1:
            cv2.circle(image, a.tolist(), int(rng.integers(2, size)), colour, -1)
        else:
            cv2.line(image, a.tolist(), b.tolist(), colour, 3)
    return image


@pytest.fixture(scope="session")
def drawn_pictures() -> list[Image]:
    """Pictures of several aspect ratios, smaller and larger than the detector's input."""
    sizes = [(1280, 720), (640, 480), (240, 320), (1000, 250), (333, 517), (640, 640)]
    return [draw_picture(w, h, seed) for seed, (w, h) in enumerate(sizes)]


@pytest.fixture(scope="session")
def untrained_weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Weights file of an untrained network of a given ultralytics YAML that fires all the same.

    The network has three classes, the same random weights at every run, batch norms measured on
    drawn pictures, and class scores spread so that about one anchor in fifty fires.
    """
    made: dict[str, Path] = {}

    def build(architecture: str) -> Path:
        if architecture not in made:
            made[architecture] = _build(
                architecture, tmp_path_factory.mktemp("weights") / f"{architecture}.pt"
            )
        return made[architecture]

    return build


def _build(architecture: str, target: Path) -> Path:
    from vision.detect import ultralytics_setup

    ultralytics_setup.prepare()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(20540)
    network = DetectionModel(f"{architecture}.yaml", nc=3, verbose=False)
    network.names = {0: "box", 1: "disc", 2: "line"}
    network.task = "detect"
    pictures = np.stack([draw_picture(320, 320, seed)[:, :, ::-1] for seed in range(100, 104)])
    batch = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
    with torch.no_grad():
        network.train()(batch)
        for norm in norms:
            norm.momentum = 0.03
        network.eval()
        head = network.model[-1]
        branches = [head.cv3]
        if getattr(head, "one2one_cv3", None) is not None:
            branches.append(head.one2one_cv3)
        features: list[list[torch.Tensor]] = []
        hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
        network(batch)
        hook.remove()
        for branch in branches:
            for level, layers in enumerate(branch):
                logits = layers(features[0][level])
                last = layers[-1]
                spread = logits.std(dim=(0, 2, 3))
                centre = logits.mean(dim=(0, 2, 3))
                last.weight.mul_((2 / spread)[:, None, None, None])
                last.bias.sub_(centre).mul_(2 / spread).sub_(5)
    torch.save(
        {"model": network.half(), "train_args": {"data": "/home/somebody/data.yaml"}}, target
    )
    return target
