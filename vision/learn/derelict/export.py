"""Bring a trained crop classifier into the model registry: convert, compare, hash, register."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray

from vision.detect.classifier import fit, load_classifier
from vision.detect.registry import ModelEntry, Runtime, write_entry
from vision.frames.frame import Image
from vision.learn.derelict.network import CropNetwork, Scored, load_network, scores, tensor
from vision.learn.derelict.training import CropRecipe
from vision.learn.measure.opening import registered_file

OPSET = 17


def export_classifier(
    weights: Path,
    recipe: CropRecipe,
    *,
    registry_dir: Path,
    licence: str,
    crops: Sequence[Image],
    metrics: Mapping[str, Any] | None = None,
    second_stage: str | None = None,
) -> ModelEntry:
    """Export a trained crop classifier and write it into the registry.

    The files go to ``registry_dir/<name>``: OpenVINO FP16, ONNX and the PyTorch weights. INT8 is
    left out: the network runs a dozen times in a vehicle's first hour.

    Args:
        weights: From :func:`vision.learn.derelict.training.train_crops`.
        recipe: The recipe that made them.
        registry_dir: Folder of the registry; made if missing.
        licence: SPDX expression of the weights.
        crops: BGR uint8 crops on which the runtimes are compared with PyTorch.
        metrics: Measured figures for the registry; ``parity`` is added: the largest difference of
            a score by runtime.
        second_stage: Make it the classifier of this second stage.

    Returns:
        The entry as written.

    Raises:
        ModelError: The weights cannot be loaded.
    """
    network = load_network(weights)
    folder = registry_dir / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    onnx = folder / f"{recipe.name}.onnx"
    _to_onnx(network, recipe.input_size, onnx)
    converted = ov.Core().read_model(onnx)
    openvino = folder / f"{recipe.name}.fp16.xml"
    ov.save_model(converted, openvino, compress_to_fp16=True)
    copied = folder / f"{recipe.name}.pt"
    if weights.resolve() != copied.resolve():
        shutil.copyfile(weights, copied)
    files: dict[Runtime, tuple[Path, ...]] = {
        "openvino-fp16": (openvino, openvino.with_suffix(".bin")),
        "onnx": (onnx,),
        "pytorch": (copied,),
    }
    entry = ModelEntry(
        name=recipe.name,
        folder=registry_dir,
        task="classify",
        classes=(recipe.crops.positive,),
        input_size=recipe.input_size,
        files={
            runtime: tuple(registered_file(path, registry_dir) for path in paths)
            for runtime, paths in files.items()
        },
        card=f"{recipe.name}/README.md",
        licence=licence,
    )
    expected = scores(network, crops, recipe.input_size)
    parity = {
        runtime: round(float(np.abs(found - expected).max()), 5) if len(crops) else None
        for runtime, found in (
            ("openvino-fp16", load_classifier(entry).classify(crops)[:, 0]),
            ("onnx", _onnx_scores(onnx, crops, recipe.input_size)),
        )
    }
    entry = entry.model_copy(update={"metrics": {**(metrics or {}), "parity": parity}})
    write_entry(registry_dir, entry, second_stage=second_stage)
    return entry


def _to_onnx(network: CropNetwork, size: int, target: Path) -> None:
    torch.onnx.export(
        Scored(network).eval(),
        (torch.zeros(1, 3, size, size),),
        target,
        input_names=["crops"],
        output_names=["scores"],
        dynamic_axes={"crops": {0: "n"}, "scores": {0: "n"}},
        opset_version=OPSET,
        dynamo=False,
    )


def _onnx_scores(path: Path, crops: Sequence[Image], size: int) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = [
        session.run(None, {"crops": tensor(fit(crop, size)[np.newaxis]).numpy()})[0][0, 0]
        for crop in crops
    ]
    return np.array(rows, np.float32)
