"""From trained weights to a registered model: convert, compare, choose thresholds, measure, card.

Everything happens in a scratch folder first: a model that is in use is replaced when the new one is
complete.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from vision.detect.registry import ModelEntry, load_registry, write_entry
from vision.errors import InputError, ModelError
from vision.files import write_atomically
from vision.learn.data.pictures import read_pictures
from vision.learn.data.recipe import Recipe
from vision.learn.measure.evaluate import TEACHER_CLASSES, Progress, evaluate
from vision.learn.measure.record import EVALUATION_FILE, Evaluation
from vision.learn.measure.scoring import Examined, choose_threshold, score
from vision.learn.ship.export import export_model
from vision.learn.ship.model_card import CARD_FILE, NOTES_FILE, model_card, read_notes
from vision.learn.ship.quantise import DEFAULT_QUANTISATION, MOST_CALIBRATION, Quantisation

DRAWN = ("scenes*", "compos*", "*dust_synth*")
"""Patterns of sources whose pictures are drawn or composed."""

INT8_LOSS_ALLOWED = 1.0
"""Points of mAP50 that INT8 may lose against FP32."""

PARITY_PX = 1.0
"""Pixels by which a box may differ between PyTorch and a floating-point runtime."""

SAME_RUNTIMES = ("openvino-fp32", "onnx")
"""Runtimes that must find what PyTorch finds; FP16 rounds the weights."""

LEAVABLE = ("openvino-fp16", "onnx", "pytorch")
"""Runtimes that a registered model can do without; the default one, INT8, is always kept."""


@dataclass(frozen=True)
class ThresholdChoice:
    """How default thresholds are chosen on validation pictures.

    Attributes:
        precision: Wanted precision.
        false_per_100: Most boxes of a class per 100 pictures in which it is known to be absent, a
            single box always forgiven; asked of classes that people labelled.
        few: Threshold of classes with too few boxes to choose.
        experimental: Smallest threshold of experimental classes.
        lowest: No threshold is lower.
        highest: No threshold is higher.
        fixed: Thresholds chosen by hand.
    """

    precision: float = 0.75
    false_per_100: float = 1.0
    few: float = 0.4
    experimental: float = 0.5
    lowest: float = 0.25
    highest: float = 0.7
    fixed: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Published:
    """A registered model.

    Attributes:
        entry: As written into the registry.
        record: What was measured with its default runtime.
        faults: What is not as it should be, in sentences.
        advice: What is left to do by hand.
    """

    entry: ModelEntry
    record: Evaluation
    faults: tuple[str, ...]
    advice: tuple[str, ...]


def publish(
    weights: Path,
    *,
    name: str,
    data_dir: Path,
    registry_dir: Path,
    licence: str,
    recipe: Recipe | None = None,
    calibrate: int = MOST_CALIBRATION,
    drawn: Sequence[str] = DRAWN,
    input_size: int = 640,
    end2end: bool = False,
    quantisation: Quantisation = DEFAULT_QUANTISATION,
    choice: ThresholdChoice | None = None,
    experimental: Sequence[str] = (),
    teacher_classes: Collection[str] = TEACHER_CLASSES,
    leave_out: Collection[str] = (),
    default: bool = False,
    zones: Collection[str] = (),
    say: Callable[[str], None] = lambda *_: None,
    progress: Progress = lambda *_: None,
) -> Published:
    """Register trained weights with everything that belongs to them.

    Args:
        weights: Detector trained with ultralytics, ``.pt``.
        name: Name in the registry.
        data_dir: Built data set; INT8 is calibrated on real training pictures of it, and thresholds
            and figures come from its validation pictures.
        registry_dir: Folder of the registry.
        licence: SPDX expression of the weights.
        recipe: Recipe of the data set, for licences of its sources in the card.
        calibrate: Most calibration pictures.
        drawn: Patterns of sources that are no real pictures.
        input_size: Pixels of the longer side of the input.
        end2end: As for :func:`vision.learn.ship.export.export_model`.
        quantisation: How INT8 is made.
        choice: How thresholds are chosen.
        experimental: Classes for which there were no real pictures.
        teacher_classes: Classes whose labels come from a teacher.
        leave_out: Runtimes whose files are compared and measured but not kept, for a model that
            would be too large with all of them.
        default: Make it the registry's default model.
        zones: Make it the model for cameras that have zones of these purposes.
        say: Told what is being done.
        progress: Told how many pictures of how many are measured.

    Raises:
        InputError: The data set cannot be used.
        ModelError: The weights cannot be used, or a runtime to leave out is none of
            :data:`LEAVABLE`.
    """
    strange = sorted(set(leave_out) - set(LEAVABLE))
    if strange:
        raise ModelError(f"leave out: {strange[0]} is none of {', '.join(LEAVABLE)}")
    choice = choice or ThresholdChoice()
    pictures = training_pictures(data_dir, calibrate, drawn)
    folder = registry_dir / name
    notes = read_notes(folder)
    with tempfile.TemporaryDirectory(prefix="jiexu-publish-") as scratch:
        staged = Path(scratch)
        say(f"Converting and quantising with {len(pictures)} pictures")
        made = export_model(
            weights,
            name=name,
            registry_dir=staged,
            licence=licence,
            input_size=input_size,
            runtimes=("openvino-fp32", "openvino-fp16", "onnx"),
            int8_calibration=pictures,
            quantisation=quantisation,
            experimental=experimental,
            end2end=end2end,
        )

        def chosen(examined: Sequence[Examined]) -> dict[str, float]:
            return choose_thresholds(examined, made, choice, teacher_classes)

        say("Measuring INT8")
        result = evaluate(
            made,
            data_dir,
            runtime="openvino-int8",
            choose=chosen,
            teacher_classes=teacher_classes,
            recipe=recipe,
            progress=progress,
        )
        record = result.record
        say("Measuring FP32")
        whole = evaluate(
            made,
            data_dir,
            runtime="openvino-fp32",
            teacher_classes=teacher_classes,
            resamples=0,
            speed_pictures=0,
            progress=progress,
        ).record
        loss = int8_loss(record, whole)
        unkept = {SAME_RUNTIMES[0], *leave_out}
        kept = {runtime: files for runtime, files in made.files.items() if runtime not in unkept}
        entry = made.model_copy(
            update={
                "folder": registry_dir,
                "files": kept,
                "thresholds": {**chosen(result.examined)},
                "metrics": {
                    **registry_metrics(record),
                    "int8": {
                        "made_by": quantisation.name,
                        "calibration_pictures": len(pictures),
                        **loss,
                    },
                    "parity": made.metrics["parity"],
                },
                "card": f"{name}/{CARD_FILE}",
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        for files in kept.values():
            for file in files:
                shutil.copyfile(staged / file.path, registry_dir / file.path)
    write_atomically(folder / EVALUATION_FILE, record.model_dump_json(indent=1) + "\n")
    write_atomically(folder / CARD_FILE, model_card(entry, record, notes))
    write_entry(registry_dir, entry, default=default, zones=zones)
    registered = load_registry(registry_dir).model(name)
    advice = (
        ()
        if notes
        else (
            f"{name} has no notes: write intended use and limits into {folder / NOTES_FILE}, "
            f"then run: jiexu card {name} --models {registry_dir}",
        )
    )
    return Published(registered, record, tuple(shortcomings(registered)), advice)


def training_pictures(data_dir: Path, most: int, drawn: Sequence[str] = DRAWN) -> list[Path]:
    """Pick real training pictures of a built data set, the same at every call.

    Args:
        data_dir: The data set.
        most: Pictures at most.
        drawn: Patterns of sources to leave out.

    Raises:
        InputError: There are none.
    """
    real = [
        data_dir / p.file
        for p in read_pictures(data_dir)
        if p.split == "train" and not any(fnmatch(p.source, pattern) for pattern in drawn)
    ]
    if not real:
        raise InputError(f"{data_dir}: has no real training pictures to calibrate on")
    random.Random(0).shuffle(real)  # noqa: S311  not for secrets
    return sorted(real[:most])


def choose_thresholds(
    examined: Sequence[Examined],
    entry: ModelEntry,
    choice: ThresholdChoice,
    teacher_classes: Collection[str] = TEACHER_CLASSES,
) -> dict[str, float]:
    """Choose a default threshold for every class of a model.

    It is the lowest multiple of 0.05 at which the class is precise enough and, if people labelled
    it, seldom enough found where it is known to be absent.
    """
    thresholds: dict[str, float] = {}
    for name in entry.classes:
        measured = score(examined, name)
        limit = choose_threshold(
            measured,
            precision=choice.precision,
            default=choice.few,
            lowest=choice.lowest,
            highest=choice.highest,
        )
        if name not in teacher_classes:
            absent = [e for e in examined if e.knows(name) and name not in e.truth]
            # One odd picture among few must not drive the threshold up.
            allowed = max(1.0, choice.false_per_100 * len(absent) / 100)
            false = [c for e in absent for _, c, found in e.found.rows() if found == name]
            while limit < choice.highest and sum(c >= limit for c in false) > allowed:
                limit = round(limit + 0.05, 2)
        if name in entry.experimental:
            limit = max(limit, choice.experimental)
        thresholds[name] = limit
    return {**thresholds, **(choice.fixed or {})}


def int8_loss(int8: Evaluation, fp32: Evaluation) -> dict[str, Any]:
    """Compare mAP50 of INT8 and FP32, in points: all classes, and the one that loses most."""
    both = {
        name: 100 * ((fp32.classes[name].ap50 or 0.0) - (row.ap50 or 0.0))
        for name, row in int8.classes.items()
        if row.ap50 is not None
    }
    worst = max(both, key=lambda name: both[name], default=None)
    return {
        "map50": int8.map50,
        "map50_fp32": fp32.map50,
        "loss_points": round(float(np.mean(list(both.values()))), 2) if both else None,
        "worst_class": worst,
        "worst_loss_points": round(both[worst], 2) if worst else None,
    }


def registry_metrics(record: Evaluation) -> dict[str, Any]:
    """What the registry tells of an evaluation."""
    return {
        "measured": {
            "with": f"jiexu evaluate, {record.made_with}",
            "data": record.data,
            "runtime": record.runtime,
            "pictures": record.pictures,
            "map50": record.map50,
            "map50_interval": list(record.map50_interval) if record.map50_interval else None,
            "classes": {
                name: {
                    "boxes": row.boxes,
                    "labels": row.labels,
                    "ap50": row.ap50,
                    "ap50_interval": list(row.ap50_interval) if row.ap50_interval else None,
                    "precision": row.precision,
                    "recall": row.recall,
                    "false_per_100": row.false_boxes.per_100,
                }
                for name, row in record.classes.items()
            },
        },
        "speed": record.speed.model_dump() if record.speed else None,
    }


def shortcomings(entry: ModelEntry) -> list[str]:
    """Say in sentences where a published model is not as it should be."""
    faults = []
    for runtime in SAME_RUNTIMES:
        parity = entry.metrics["parity"].get(runtime)
        if parity and (parity["unmatched"] or parity["max_box_px"] > PARITY_PX):
            faults.append(
                f"{runtime} does not agree with PyTorch: {parity['unmatched']} boxes without a "
                f"partner, the others up to {parity['max_box_px']:.2f} px apart"
            )
    loss = entry.metrics["int8"]["loss_points"]
    if loss is not None and loss > INT8_LOSS_ALLOWED:
        faults.append(f"INT8 loses {loss:.2f} points of mAP50 against FP32")
    return faults
