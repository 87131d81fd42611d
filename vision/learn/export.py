"""Bring trained weights into the model registry: convert, quantise, compare, hash, register."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np
import openvino as ov

from vision.detect import ultralytics_setup
from vision.detect.boxes import OutputForm
from vision.detect.detections import Detections
from vision.detect.letterbox import letterbox, to_tensor
from vision.detect.load import load_detector
from vision.detect.registry import RUNTIMES, ModelEntry, ModelFile, write_entry
from vision.errors import InputError, ModelError
from vision.frames.frame import Image

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})

COMPARED_PICTURES = 40
"""Most pictures on which the runtimes are compared with PyTorch."""


@dataclass(frozen=True)
class Agreement:
    """How far two detectors agree on the same pictures.

    Attributes:
        pictures: Pictures compared.
        boxes: Boxes of the reference.
        matched: Boxes that have a partner of the same class with IoU of 0.5 or more.
        unmatched: Boxes of either side without a partner, those within ``margin`` of the
            confidence threshold left out: there a tiny difference in score decides.
        max_box_px: Largest difference of a coordinate between partners in source pixels.
        mean_box_px: Mean of the largest difference of each pair.
        max_score: Largest difference of confidence between partners.
        mean_score: Mean difference of confidence between partners.
    """

    pictures: int
    boxes: int
    matched: int
    unmatched: int
    max_box_px: float
    mean_box_px: float
    max_score: float
    mean_score: float


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
    metrics: Mapping[str, Any] | None = None,
    copy_pytorch: bool = True,
    end2end: bool = False,
    default: bool = False,
) -> ModelEntry:
    """Export trained weights to the runtimes and write the model into the registry.

    The files go to ``registry_dir/name``; whatever lay there under the same names is replaced.
    INT8 is post-training quantisation by NNCF with the box arithmetic behind the last convolutions
    left in floating point, as in ultralytics' own INT8 export.

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
            made.update(_to_openvino(slim, folder, wanted, pictures))
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
            runtime: tuple(_registered(path, registry_dir) for path in made[runtime])
            for runtime in RUNTIMES
            if runtime in made
        },
        thresholds=dict(limits),
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
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
    if not found:
        raise InputError(f"{source}: no pictures in this folder")
    return found


def compare_runtimes(
    entry: ModelEntry, pictures: Sequence[Path], *, margin: float = 0.01
) -> dict[str, Agreement]:
    """Compare every other runtime of a model with PyTorch on the same pictures.

    Args:
        entry: A model with files for PyTorch.
        pictures: Picture files.
        margin: See :attr:`Agreement.unmatched`.
    """
    images = [_read(path) for path in pictures]
    reference = _detect(entry, "pytorch", images)
    limit = entry.decoding().thresholds
    return {
        runtime: agreement(reference, _detect(entry, runtime, images), limit, margin=margin)
        for runtime in entry.files
        if runtime != "pytorch"
    }


def agreement(
    reference: Sequence[Detections],
    other: Sequence[Detections],
    thresholds: np.ndarray[Any, np.dtype[np.float32]],
    *,
    margin: float = 0.01,
) -> Agreement:
    """Match the boxes of two detectors one to one and measure how far they differ.

    Args:
        reference: Detections of each picture.
        other: Detections of the same pictures by the other detector.
        thresholds: ``(classes,)`` smallest confidences of both.
        margin: See :attr:`Agreement.unmatched`.
    """
    box_px: list[float] = []
    score: list[float] = []
    unmatched = 0
    for one, two in zip(reference, other, strict=True):
        pairs = _pairs(one, two)
        for i, j in pairs:
            box_px.append(float(np.abs(one.xyxy[i] - two.xyxy[j]).max()))
            score.append(float(abs(one.confidence[i] - two.confidence[j])))
        for side, used in ((one, {i for i, _ in pairs}), (two, {j for _, j in pairs})):
            clear = side.confidence > thresholds[side.class_id] + margin
            unmatched += sum(1 for k in np.flatnonzero(clear) if int(k) not in used)
    return Agreement(
        pictures=len(reference),
        boxes=sum(len(one) for one in reference),
        matched=len(box_px),
        unmatched=unmatched,
        max_box_px=round(max(box_px, default=0.0), 4),
        mean_box_px=round(float(np.mean(box_px)) if box_px else 0.0, 4),
        max_score=round(max(score, default=0.0), 5),
        mean_score=round(float(np.mean(score)) if score else 0.0, 5),
    )


def _pairs(one: Detections, two: Detections) -> list[tuple[int, int]]:
    """Pair boxes of one class, those with the highest IoU first, each used once."""
    if not len(one) or not len(two):
        return []
    low = np.maximum(one.xyxy[:, None, :2], two.xyxy[None, :, :2])
    high = np.minimum(one.xyxy[:, None, 2:], two.xyxy[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(d.xyxy[:, 2:] - d.xyxy[:, :2], 0, None).prod(axis=1) for d in (one, two)]
    union = areas[0][:, None] + areas[1][None, :] - inter
    iou = np.where(one.class_id[:, None] == two.class_id[None, :], inter / (union + 1e-9), 0)
    pairs: list[tuple[int, int]] = []
    while iou.max() >= 0.5:
        i, j = np.unravel_index(int(iou.argmax()), iou.shape)
        pairs.append((int(i), int(j)))
        iou[i, :] = 0
        iou[:, j] = 0
    return pairs


def _detect(entry: ModelEntry, runtime: str, images: Sequence[Image]) -> list[Detections]:
    detector = load_detector(entry, runtime=runtime, device="cpu")
    try:
        return detector.detect(images)
    finally:
        detector.close()


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
    from ultralytics.nn.tasks import DetectionModel, load_checkpoint

    try:
        network, _ = load_checkpoint(weights)
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{weights}: PyTorch cannot load it: {error}") from error
    if not isinstance(network, DetectionModel) or network.task != "detect":
        raise ModelError(f"{weights}: no ultralytics detector")
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
    slim: _Slim, folder: Path, wanted: set[str], pictures: Sequence[Path]
) -> dict[str, list[Path]]:
    source = next(_ultralytics_export(slim, "openvino").glob("*.xml"))
    core = ov.Core()
    made: dict[str, list[Path]] = {}
    for runtime in sorted(wanted - {"onnx"}):
        network = core.read_model(source)
        if runtime == "openvino-int8":
            network = _quantise(network, slim, pictures)
        target = folder / f"{slim.path.stem}.{runtime.removeprefix('openvino-')}.xml"
        ov.save_model(network, target, compress_to_fp16=runtime == "openvino-fp16")
        made[runtime] = [target, target.with_suffix(".bin")]
    return made


def _quantise(network: Any, slim: _Slim, pictures: Sequence[Path]) -> Any:
    import nncf

    nncf.set_log_level(logging.WARNING)
    # The same scope as in ultralytics/utils/export/openvino.py: one INT8 scale over box pixels and
    # class scores would round the scores to nothing.
    operations = network.get_ordered_ops()
    sigmoids = [op.get_friendly_name() for op in operations if op.get_type_name() == "Sigmoid"]
    head = sigmoids[-1].split("/", 1)[0]
    ignored = [
        op.get_friendly_name()
        for op in operations
        if op.get_type_name() == "Sigmoid"
        or op.get_friendly_name().startswith((f"{head}/", f"{head}.dfl"))
    ]

    def tensors() -> Iterator[Any]:
        for path in pictures:
            yield to_tensor(letterbox(_read(path), slim.input_size, slim.stride)[0])

    return nncf.quantize(
        network,
        nncf.Dataset(_Restartable(tensors)),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        ignored_scope=nncf.IgnoredScope(names=ignored),
    )


class _Restartable:
    """Runs a generator function afresh at every pass, so that not all tensors stay in memory."""

    def __init__(self, start: Any) -> None:
        self._start = start

    def __iter__(self) -> Iterator[Any]:
        return cast("Iterator[Any]", self._start())


def _registered(path: Path, registry_dir: Path) -> ModelFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ModelFile(path=path.relative_to(registry_dir).as_posix(), sha256=digest)


def _read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{path}: cannot be read as a picture")
    return cast("Image", image)
