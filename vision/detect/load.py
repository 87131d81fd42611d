"""Open a model of the registry with one of its runtimes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping

from vision.detect.detector import Detector
from vision.detect.registry import RUNTIMES, ModelEntry
from vision.errors import ModelError

PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime", "pytorch": "ultralytics"}
"""Python package behind each family of runtimes."""

INSTALL = {
    "openvino": "pip install jiexu",
    "onnx": "pip install jiexu[onnx]",
    "pytorch": "pip install jiexu[train]",
}
"""What to install for each family of runtimes."""


def load_detector(
    entry: ModelEntry,
    *,
    runtime: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    streams: int | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Detector:
    """Open a model.

    Args:
        entry: The model, from :func:`vision.detect.registry.load_registry`.
        runtime: One of :data:`vision.detect.registry.RUNTIMES`. ``None`` takes the first of them
            that the model has files for and that is installed; on a CUDA device PyTorch and then
            ONNX Runtime go first.
        device: ``auto``, ``cpu``, ``cuda`` (or ``cuda:1``), or ``gpu`` for OpenVINO's GPU plugin.
            ``auto`` is the CPU for OpenVINO and ONNX Runtime, and CUDA if there is any for PyTorch.
        threads: CPU threads for inference, ``None`` for all.
        streams: Pictures inferred at a time, ``None`` for the runtime's choice.
        thresholds: Smallest confidence of some classes, instead of the registered ones.

    Raises:
        ModelError: The model has no files for the runtime, a file is missing or not the registered
            one, the runtime is not installed (the text says what to install), or it fails.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise ModelError(f"no runtime {runtime!r}; there are {', '.join(RUNTIMES)}")
    chosen = runtime or _first_usable(entry, device)
    family = _family(chosen)
    if not _installed(family):
        raise ModelError(
            f"model {entry.name}: runtime {chosen} is not installed: {INSTALL[family]}"
        )
    files = entry.verified_files(chosen)
    decoding = entry.decoding(thresholds)
    if family == "openvino":
        from vision.detect.openvino_runtime import OpenVinoDetector

        if device.startswith("cuda"):
            raise ModelError("OpenVINO cannot use CUDA: choose runtime pytorch or onnx")
        return OpenVinoDetector(
            entry,
            chosen,
            files,
            decoding,
            device="CPU" if device == "auto" else device.upper(),
            workers=max(streams or 1, threads or len(os.sched_getaffinity(0))),
            threads=threads,
            streams=streams,
        )
    if family == "onnx":
        from vision.detect.onnx_runtime import OnnxDetector

        return OnnxDetector(
            entry,
            chosen,
            files,
            decoding,
            cuda=device.startswith("cuda"),
            threads=threads,
            streams=streams,
        )
    from vision.detect.pytorch_runtime import PyTorchDetector

    return PyTorchDetector(entry, chosen, files, decoding, device=device)


def _first_usable(entry: ModelEntry, device: str) -> str:
    order = [*reversed(RUNTIMES[-2:])] if device.startswith("cuda") else list(RUNTIMES)
    offered = [runtime for runtime in order if runtime in entry.files]
    for runtime in offered:
        if _installed(_family(runtime)):
            return runtime
    if not offered:
        raise ModelError(
            f"model {entry.name}: no files for device {device!r}; it has {', '.join(entry.files)}"
        )
    hints = " or ".join(dict.fromkeys(INSTALL[_family(runtime)] for runtime in offered))
    raise ModelError(f"model {entry.name}: no runtime for it is installed: {hints}")


def _family(runtime: str) -> str:
    return runtime.split("-", 1)[0]


def _installed(family: str) -> bool:
    return importlib.util.find_spec(PACKAGES[family]) is not None
