"""Bring trained weights into the model registry: convert, quantise, compare, hash, register."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import openvino as ov

from vision.detect import ultralytics_setup
from vision.detect.boxes import OutputForm
from vision.detect.registry import RUNTIMES, ModelEntry, write_entry
from vision.errors import InputError, ModelError
from vision.learn.data.pictures import pictures_below
from vision.learn.measure.opening import read_network, registered_file
from vision.learn.ship.parity import compare_runtimes
from vision.learn.ship.quantise import DEFAULT_QUANTISATION, Quantisation, quantise

COMPARED_PICTURES = 40
"""Most pictures on which the runtimes are compared with PyTorch."""


def export_model(
    weights: Path,
    *,
    name: str,
    registry_dir: Path,
    licence: str,
    input_size: int = 640,
    runtimes: Sequence[str] = ("openvino-fp16", "onnx"),
    thresholds: float | Mapping[str, float] = 0.25,
    classes: Mapping[str, str] | None = None,
    int8_calibration: Path | Sequence[Path] | None = None,
    quantisation: Quantisation = DEFAULT_QUANTISATION,
    experimental: Sequence[str] = (),
    metrics: Mapping[str, Any] | None = None,
    copy_pytorch: bool = True,
    end2end: bool = False,
    default: bool = False,
) -> ModelEntry:
    """Export trained weights to the runtimes and write the model into the registry.

    The files go to ``registry_dir/name``; whatever lay there under the same names is replaced.
    INT8 is made by :func:`vision.learn.ship.quantise.quantise`.

    Args:
        weights: Detector trained with ultralytics, ``.pt``.
        name: Name in the registry.
        registry_dir: Folder of the registry; made if missing.
        licence: SPDX expression of the weights.
        input_size: Pixels of the longer side of the input.
        runtimes: Runtimes to export to, of :data:`vision.detect.registry.RUNTIMES`.
            ``openvino-int8`` is added when there are calibration pictures.
        thresholds: Smallest confidence of all classes, or of each.
        classes: New names of classes by the names in the weights; the others keep theirs.
        int8_calibration: Pictures, or a folder of them, that look like what cameras see. The
            runtimes are compared with PyTorch on some of them.
        quantisation: How INT8 is made; at most
            :data:`~vision.learn.ship.quantise.MOST_CALIBRATION` pictures are used.
        experimental: Classes for which there were no real pictures.
        metrics: Measured figures for the registry; ``parity`` is added.
        copy_pytorch: Register the weights for the PyTorch runtime too, without the training state
            and the paths of the machine that trained them.
        end2end: Export the one-to-one head of a model that has one (YOLO26), which needs no
            non-maximum suppression. ultralytics itself predicts and validates with the
            one-to-many head unless told ``nms=False``.
        default: Make it the registry's default model.

    Returns:
        The entry as written.

    Raises:
        ModelError: The weights are no ultralytics detector, a runtime is unknown, or INT8 is
            asked for without pictures.
        InputError: A calibration picture cannot be read.
    """
    wanted = set(runtimes) | ({"openvino-int8"} if int8_calibration is not None else set())
    wanted.discard("pytorch")
    unknown = sorted(wanted - set(RUNTIMES))
    if unknown:
        raise ModelError(f"no runtime {', '.join(unknown)}; there are {', '.join(RUNTIMES)}")
    pictures = calibration_pictures(int8_calibration)
    if "openvino-int8" in wanted and not pictures:
        raise ModelError("openvino-int8 needs calibration pictures")
    ultralytics_setup.prepare()

    folder = registry_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jiexu-export-") as scratch:
        slim = _slim(weights, Path(scratch) / f"{name}.pt", input_size, end2end=end2end)
        names = tuple((classes or {}).get(old, old) for old in slim.classes)
        made: dict[str, list[Path]] = {}
        if "onnx" in wanted:
            made["onnx"] = [_to_onnx(slim, names, folder / f"{name}.onnx")]
        if any(runtime.startswith("openvino") for runtime in wanted):
            made.update(_to_openvino(slim, folder, wanted, pictures, quantisation))
        shutil.copyfile(slim.path, folder / f"{name}.pt")
        made["pytorch"] = [folder / f"{name}.pt"]

    limits = thresholds if isinstance(thresholds, Mapping) else dict.fromkeys(names, thresholds)
    entry = ModelEntry(
        name=name,
        folder=registry_dir,
        classes=names,
        input_size=input_size,
        stride=slim.stride,
        output=slim.output,
        files={
            runtime: tuple(registered_file(path, registry_dir) for path in made[runtime])
            for runtime in RUNTIMES
            if runtime in made
        },
        thresholds=dict(limits),
        experimental=tuple(experimental),
        metrics=dict(metrics or {}),
        card=f"{name}/README.md",
        licence=licence,
    )
    if pictures:
        step = -(-len(pictures) // COMPARED_PICTURES)
        parity = {k: asdict(v) for k, v in compare_runtimes(entry, pictures[::step]).items()}
        entry = entry.model_copy(update={"metrics": {**entry.metrics, "parity": parity}})
    if not copy_pytorch:
        (folder / f"{name}.pt").unlink()
        kept = {runtime: files for runtime, files in entry.files.items() if runtime != "pytorch"}
        entry = entry.model_copy(update={"files": kept})
    write_entry(registry_dir, entry, default=default)
    return entry


def calibration_pictures(source: Path | Sequence[Path] | None) -> list[Path]:
    """List pictures: those given, or all below a folder in order of their paths.

    Raises:
        InputError: The folder holds none.
    """
    if source is None:
        return []
    if not isinstance(source, Path):
        return list(source)
    found = pictures_below(source)
    if not found:
        raise InputError(f"{source}: no pictures in this folder")
    return found


@dataclass(frozen=True)
class _Slim:
    """Weights without optimiser, training arguments and paths, and what they are."""

    path: Path
    classes: tuple[str, ...]
    input_size: int
    stride: int
    output: OutputForm


def _slim(weights: Path, target: Path, input_size: int, *, end2end: bool) -> _Slim:
    import torch
    import ultralytics

    network = read_network(weights)
    network.end2end = end2end
    if network.end2end != end2end:
        raise ModelError(f"{weights}: has no {'one-to-one' if end2end else 'one-to-many'} head")
    arguments = {"task": "detect", "imgsz": input_size}
    network.args = arguments
    network.pt_path = target.name
    for parameter in network.parameters():
        parameter.requires_grad = False
    torch.save(
        {
            "model": network.half(),
            "ema": None,
            "train_args": arguments,
            "version": ultralytics.__version__,
        },
        target,
    )
    return _Slim(
        path=target,
        classes=tuple(network.names[i] for i in range(len(network.names))),
        input_size=input_size,
        stride=int(network.stride.max()),
        output="end2end" if end2end else "raw",
    )


def _ultralytics_export(slim: _Slim, form: Literal["onnx", "openvino"]) -> Path:
    from ultralytics import YOLO

    options: dict[str, Any] = {"simplify": False} if form == "onnx" else {}
    made = YOLO(slim.path, task="detect").export(
        format=form,
        imgsz=slim.input_size,
        dynamic=True,
        nms=False if slim.output == "end2end" else None,
        device="cpu",
        verbose=False,
        **options,
    )
    return Path(cast("str", made))


def _to_onnx(slim: _Slim, names: tuple[str, ...], target: Path) -> Path:
    import onnx

    network = onnx.load(_ultralytics_export(slim, "onnx"))
    # ultralytics writes the date and paths of this machine here.
    del network.metadata_props[:]
    onnx.helper.set_model_props(network, {"task": "detect", "names": ",".join(names)})
    onnx.save(network, target)
    return target


def _to_openvino(
    slim: _Slim,
    folder: Path,
    wanted: set[str],
    pictures: Sequence[Path],
    quantisation: Quantisation,
) -> dict[str, list[Path]]:
    source = next(_ultralytics_export(slim, "openvino").glob("*.xml"))
    core = ov.Core()
    made: dict[str, list[Path]] = {}
    for runtime in sorted(wanted - {"onnx"}):
        network = core.read_model(source)
        if runtime == "openvino-int8":
            network = quantise(
                network, pictures, slim.input_size, slim.stride, options=quantisation
            )
        target = folder / f"{slim.path.stem}.{runtime.removeprefix('openvino-')}.xml"
        ov.save_model(network, target, compress_to_fp16=runtime == "openvino-fp16")
        made[runtime] = [target, target.with_suffix(".bin")]
    return made
