"""Open any detector to measure it: one of the registry, or a file of weights by its path."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import Any

from vision.detect import ultralytics_setup
from vision.detect.boxes import OutputForm
from vision.detect.registry import ModelEntry, ModelFile, Runtime, load_registry
from vision.errors import ModelError

SUFFIXES: dict[str, Runtime] = {".pt": "pytorch", ".onnx": "onnx", ".xml": "openvino-fp32"}
"""Runtime that opens a file; OpenVINO's runtimes differ in the file only."""

UNREGISTERED_THRESHOLD = 0.25
"""Threshold of every class of a file that no registry knows, ultralytics' own default."""


def find_model(
    model: str, *, models: Path | None = None, input_size: int | None = None
) -> ModelEntry:
    """Find a detector by its name in the registry or by the path of a file.

    Args:
        model: Name, or path of a ``.pt``, ``.onnx`` or OpenVINO ``.xml`` file or of a folder that
            holds one ``.xml``. A ``.pt`` is a pickle: open trusted files only.
        models: Registry folder, see :func:`vision.detect.registry.find_registry`.
        input_size: Pixels of the longer side of the input instead of the registered ones; 640 for
            files.

    Returns:
        The registered entry, or one made from what the file tells.

    Raises:
        ModelError: There is no such model, or the file does not tell its classes.
    """
    path = Path(model)
    if path.is_dir() and len(inside := sorted(path.glob("*.xml"))) == 1:
        path = inside[0]
    if path.suffix not in SUFFIXES:
        entry = load_registry(models).model(model)
        return entry.model_copy(update={"input_size": input_size}) if input_size else entry
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    runtime = SUFFIXES[path.suffix]
    read = {"pytorch": _read_pytorch, "onnx": _read_onnx, "openvino-fp32": _read_openvino}[runtime]
    names, output = read(path)
    files = [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
    return ModelEntry(
        name=path.stem,
        folder=path.parent,
        classes=names,
        input_size=input_size or 640,
        output=output,
        files={runtime: tuple(registered_file(file, path.parent) for file in files)},
        thresholds=dict.fromkeys(names, UNREGISTERED_THRESHOLD),
        licence="unknown",
    )


def registered_file(path: Path, folder: Path) -> ModelFile:
    """A file of a model as the registry in ``folder`` names it, with its SHA-256.

    Raises:
        ModelError: It cannot be read.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    return ModelFile(path=path.relative_to(folder).as_posix(), sha256=digest)


def read_network(weights: Path) -> Any:
    """Load the network of a detector, an ultralytics ``DetectionModel``.

    Args:
        weights: A ``.pt``. It is a pickle: open trusted files only.

    Raises:
        ModelError: The file is missing, cannot be loaded or holds something else.
    """
    ultralytics_setup.prepare()
    from ultralytics.nn.tasks import DetectionModel, load_checkpoint

    if not weights.is_file():  # or ultralytics would look for it on the net
        raise ModelError(f"{weights}: no such file")
    try:
        network, _ = load_checkpoint(weights)
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{weights}: PyTorch cannot load it: {error}") from error
    if not isinstance(network, DetectionModel) or network.task != "detect":
        raise ModelError(f"{weights}: no ultralytics detector")
    return network


def _read_pytorch(path: Path) -> tuple[tuple[str, ...], OutputForm]:
    network = read_network(path)
    # A network with both heads is measured with the one that ultralytics validates.
    return tuple(network.names[i] for i in range(len(network.names))), "raw"


def _read_onnx(path: Path) -> tuple[tuple[str, ...], OutputForm]:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its error classes share no base but Exception
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error
    text = session.get_modelmeta().custom_metadata_map.get("names", "")
    try:
        # Ultralytics writes a Python dictionary, Jiexu the names with commas.
        names = list(ast.literal_eval(text).values()) if text.startswith("{") else text.split(",")
    except (ValueError, SyntaxError) as error:
        raise ModelError(f"{path}: its class names cannot be read: {text!r}") from error
    return _checked(path, names, session.get_outputs()[0].shape[-1] == 6)


def _read_openvino(path: Path) -> tuple[tuple[str, ...], OutputForm]:
    import openvino as ov

    try:
        network = ov.Core().read_model(path)
        labels = network.get_rt_info(["model_info", "labels"])
    except RuntimeError as error:
        raise ModelError(f"{path}: no OpenVINO network that tells its classes: {error}") from error
    last = network.output(0).partial_shape[2]
    return _checked(path, str(labels.value).split(), last.is_static and last.get_length() == 6)


def _checked(path: Path, names: list[str], end2end: bool) -> tuple[tuple[str, ...], OutputForm]:
    if not all(names):
        raise ModelError(f"{path}: does not tell its classes")
    return tuple(names), "end2end" if end2end else "raw"
