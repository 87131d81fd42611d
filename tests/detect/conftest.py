from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from untrained import build_weights, draw_picture

from vision.detect.registry import ModelEntry
from vision.learn.ship.export import export_model


@pytest.fixture(scope="session")
def drawn_pictures() -> list[NDArray[np.uint8]]:
    """Pictures of several aspect ratios, smaller and larger than the detector's input."""
    sizes = [(1280, 720), (640, 480), (240, 320), (1000, 250), (333, 517)]
    return [draw_picture(w, h, seed) for seed, (w, h) in enumerate(sizes)]


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelEntry]:
    """Registered model of an untrained network: yolov8n with raw, yolo26n with end2end output."""
    folder = tmp_path_factory.mktemp("models")
    made: dict[str, ModelEntry] = {}

    def model(architecture: str) -> ModelEntry:
        if architecture not in made:
            made[architecture] = export_model(
                build_weights(architecture, folder / f"{architecture}.pt"),
                name=architecture,
                registry_dir=folder / "registry",
                input_size=320,
                runtimes=("openvino-fp32", "onnx"),
                thresholds=0.3,
                licence="AGPL-3.0-or-later",
                end2end=architecture == "yolo26n",
            )
        return made[architecture]

    return model


@pytest.fixture(scope="session")
def model(untrained: Callable[[str], ModelEntry]) -> ModelEntry:
    """A model with raw output and files for OpenVINO, ONNX Runtime and PyTorch."""
    return untrained("yolov8n")


@pytest.fixture
def registry_file(tmp_path: Path) -> Path:
    """A registry of one model whose files exist and hold a few bytes."""
    (tmp_path / "m").mkdir()
    digests = []
    for name in ("m.xml", "m.bin"):
        (tmp_path / "m" / name).write_text(name)
        digests.append(hashlib.sha256(name.encode()).hexdigest())
    file = tmp_path / "registry.yaml"
    file.write_text(
        f"""\
default: m
models:
  m:
    task: detect
    classes: [car, heap]
    output: raw
    files:
      openvino-int8:
        - path: m/m.xml
          sha256: {digests[0]}
        - path: m/m.bin
          sha256: {digests[1]}
    thresholds: {{car: 0.5, heap: 0.25}}
    licence: AGPL-3.0-or-later
"""
    )
    return file
