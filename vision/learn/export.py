"""Bring trained weights into the model registry: convert, quantise, compare, hash, register."""

from __future__ import annotations

import hashlib
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
        slim = Path(scratch) / f"{name}.pt"
        facts = _slim(weights, slim)
        names = tuple((classes or {}).get(old, old) for old in facts.classes)
        made: dict[str, list[Path]] = {}
        if "onnx" in wanted:
            made["onnx"] = [_to_onnx(slim, input_size, names, folder / f"{name}.onnx")]
        if any(runtime.startswith("openvino") for runtime in wanted):
            made.update(
                _to_openvino(
                    slim,
                    folder,
                    wanted=wanted,
                    pictures=pictures,
                    input_size=input_size,
                    stride=facts.stride,
                )
            )
        shutil.copyfile(slim, folder / f"{name}.pt")
        made["pytorch"] = [folder / f"{name}.pt"]

    limits = thresholds if isinstance(thresholds, Mapping) else dict.fromkeys(names, thresholds)
    entry = ModelEntry(
        name=name,
        folder=registry_dir,
        classes=names,
        input_size=input_size,
        stride=facts.stride,
        output=facts.output,
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
class _Facts:
    classes: tuple[str, ...]
    stride: int
    output: OutputForm


def _slim(weights: Path, target: Path) -> _Facts:
    """Write the weights without optimiser, training arguments and paths; tell what they are."""
    import torch
    import ultralytics
    from ultralytics.nn.tasks import DetectionModel, load_checkpoint

    try:
        network, checkpoint = load_checkpoint(weights)
    except Exception as error:  # unpickling may raise anything
        raise ModelError(f"{weights}: PyTorch cannot load it: {error}") from error
    if not isinstance(network, DetectionModel) or network.task != "detect":
        raise ModelError(f"{weights}: no ultralytics detector")
    arguments = {"task": "detect", "imgsz": checkpoint.get("train_args", {}).get("imgsz", 640)}
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
    head = network.model[-1]
    return _Facts(
        classes=tuple(network.names[i] for i in range(len(network.names))),
        stride=int(network.stride.max()),
        output="end2end" if getattr(head, "end2end", False) else "raw",
    )


def _ultralytics_export(weights: Path, form: Literal["onnx", "openvino"], input_size: int) -> Path:
    from ultralytics import YOLO

    options: dict[str, Any] = {"simplify": False} if form == "onnx" else {}
    made = YOLO(weights, task="detect").export(
        format=form, imgsz=input_size, dynamic=True, device="cpu", verbose=False, **options
    )
    return Path(cast("str", made))


def _to_onnx(weights: Path, input_size: int, names: tuple[str, ...], target: Path) -> Path:
    import onnx

    network = onnx.load(_ultralytics_export(weights, "onnx", input_size))
    # ultralytics writes dates and paths of this machine here.
    del network.metadata_props[:]
    onnx.helper.set_model_props(network, {"task": "detect", "names": ",".join(names)})
    onnx.save(network, target)
    return target


def _to_openvino(
    weights: Path,
    folder: Path,
    *,
    wanted: set[str],
    pictures: Sequence[Path],
    input_size: int,
    stride: int,
) -> dict[str, list[Path]]:
    source = next(_ultralytics_export(weights, "openvino", input_size).glob("*.xml"))
    core = ov.Core()
    made: dict[str, list[Path]] = {}
    for runtime, half in (("openvino-fp32", False), ("openvino-fp16", True)):
        if runtime in wanted:
            network = core.read_model(source)
            made[runtime] = _save_ir(network, folder, weights.stem, runtime, half=half)
    if "openvino-int8" in wanted:
        network = _quantise(core.read_model(source), pictures, input_size, stride)
        made["openvino-int8"] = _save_ir(network, folder, weights.stem, "openvino-int8", half=False)
    return made


def _save_ir(network: Any, folder: Path, name: str, runtime: str, *, half: bool) -> list[Path]:
    target = folder / f"{name}.{runtime.removeprefix('openvino-')}.xml"
    ov.save_model(network, target, compress_to_fp16=half)
    return [target, target.with_suffix(".bin")]


def _quantise(network: Any, pictures: Sequence[Path], input_size: int, stride: int) -> Any:
    import nncf

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
            yield to_tensor(letterbox(_read(path), input_size, stride)[0])

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
