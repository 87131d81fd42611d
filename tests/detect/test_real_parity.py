"""The registered model, and trained weights where there are any, agree with ultralytics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from test_runtimes import assert_agrees_with_ultralytics

from vision.detect.registry import ModelEntry, load_registry
from vision.learn.ship.export import export_model

MODELS = Path(__file__).parents[2] / "models"

WEIGHTS = {"yolov8n.pt": False, "yolo26n_deq.pt": True}
"""Weights of the shared data and whether their one-to-one head is used."""


@pytest.fixture(scope="module")
def real_pictures(shared_data) -> list[np.ndarray]:
    """Still pictures and clip frames of many sizes, the last one upright."""
    stills = [
        p
        for folder in ("negatives/street_clean", "vehicles/cctv_street")
        for p in sorted((shared_data / "pictures" / folder / "images").iterdir())[::60]
    ]
    pictures = [cv2.imread(str(path)) for path in stills]
    for clip in sorted((shared_data / "clips" / "dev").glob("d*")):
        capture = cv2.VideoCapture(str(clip))
        read, frame = capture.read()
        capture.release()
        if read:
            pictures.append(frame)
    pictures.append(np.ascontiguousarray(np.rot90(pictures[-1])))
    assert len(pictures) > 10
    assert len({p.shape for p in pictures}) > 4
    return pictures


@pytest.fixture(scope="module", params=list(WEIGHTS))
def trained(request, shared_data, tmp_path_factory) -> ModelEntry:
    return export_model(
        shared_data / "weights" / request.param,
        name="trained",
        registry_dir=tmp_path_factory.mktemp("trained"),
        runtimes=("openvino-fp32", "onnx"),
        licence="AGPL-3.0-only",
        end2end=WEIGHTS[request.param],
    )


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino-fp32", "onnx", "pytorch"])
def test_trained_weights_give_what_ultralytics_gives(trained, runtime, real_pictures):
    assert_agrees_with_ultralytics(trained, runtime, real_pictures, at_least=40)


@pytest.mark.parametrize("runtime", ["openvino-fp32", "onnx", "pytorch"])
def test_our_default_model_gives_what_ultralytics_gives(runtime, drawn_pictures):
    entry = load_registry(MODELS).model()
    if not {"pytorch", runtime} <= set(entry.files):
        pytest.skip(f"the default model has no files for {runtime} beside pytorch")
    # Drawn pictures hold little that a trained model knows: what counts is what it half believes.
    low = entry.model_copy(update={"thresholds": dict.fromkeys(entry.classes, 0.02)})
    assert_agrees_with_ultralytics(low, runtime, drawn_pictures, at_least=1)
