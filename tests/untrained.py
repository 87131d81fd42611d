"""Networks with random weights that fire all the same, and drawn pictures to show them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.detect import ultralytics_setup

NAMES = ("box", "disc", "line")


def draw_picture(width: int, height: int, seed: int) -> NDArray[np.uint8]:
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


def build_weights(architecture: str, target: Path) -> Path:
    """Save an untrained network of one of ultralytics' YAML files, the same at every run.

    Its batch norms are measured on drawn pictures and the last layers of its head scaled, so that
    a few anchors in a hundred fire, with boxes some cells wide.
    """
    ultralytics_setup.prepare()
    import torch
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(20540)
    network = DetectionModel(f"{architecture}.yaml", nc=len(NAMES), verbose=False)
    network.names = dict(enumerate(NAMES))
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
        features: list[list[torch.Tensor]] = []
        hook = head.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
        network(batch)
        hook.remove()

        def spread(branch: torch.nn.ModuleList, *, mean: float, deviation: float) -> None:
            for level, layers in enumerate(branch):
                out = layers(features[0][level])
                gain = deviation / out.std(dim=(0, 2, 3))
                last = layers[-1]
                last.weight.mul_(gain[:, None, None, None])
                last.bias.sub_(out.mean(dim=(0, 2, 3))).mul_(gain).add_(mean)

        for prefix in ("", "one2one_"):
            if getattr(head, f"{prefix}cv3", None) is not None:
                spread(getattr(head, f"{prefix}cv3"), mean=-2.6, deviation=0.6)
                if head.reg_max == 1:
                    spread(getattr(head, f"{prefix}cv2"), mean=3, deviation=0.2)
    torch.save(
        {"model": network.half(), "train_args": {"data": "/home/somebody/data.yaml"}}, target
    )
    return target
