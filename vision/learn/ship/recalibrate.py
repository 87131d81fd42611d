"""Quantise a registered model anew with the pictures of a city's own cameras."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import openvino as ov

from vision.detect.registry import ModelEntry, Runtime, write_entry
from vision.errors import InputError, ModelError
from vision.learn.data.pictures import read_image
from vision.learn.measure.opening import registered_file
from vision.learn.measure.scoring import examine, faint_detector, score
from vision.learn.ship.export import calibration_pictures
from vision.learn.ship.parity import Agreement, agreement, detect_with
from vision.learn.ship.quantise import Quantisation, quantise

TRIED = (Quantisation("accurate"), Quantisation("fast"))

REGISTERED = "registered before"

JUDGED_SHARE = 4
"""One picture in so many is kept from calibration and judges the results."""

MOST_JUDGED = 60

INT8: Runtime = "openvino-int8"

REFERENCES: tuple[Runtime, ...] = ("openvino-fp32", "openvino-fp16")
"""Floating-point files to quantise and to compare with, the better ones first."""


@dataclass(frozen=True)
class Trial:
    """One way of quantising and how it did.

    Attributes:
        name: The way, or :data:`REGISTERED` for the files that were there.
        agreement: With the floating-point files on pictures that calibration did not see.
        map50: On the validation pictures of a labelled data set, if there is one.
        loss_points: Points of mAP50 lost against the floating-point files.
    """

    name: str
    agreement: Agreement
    map50: float | None
    loss_points: float | None

    @property
    def cost(self) -> tuple[float, float, float]:
        """What to make small: loss if it is known, else boxes without partner, else scores."""
        return (
            0.0 if self.loss_points is None else self.loss_points,
            self.agreement.unmatched / max(self.agreement.boxes, 1),
            self.agreement.mean_score,
        )


@dataclass(frozen=True)
class Recalibrated:
    """Result of a new calibration.

    Attributes:
        entry: The model as it is registered now.
        kept: The trial whose files are registered now.
        trials: All trials.
    """

    entry: ModelEntry
    kept: Trial
    trials: tuple[Trial, ...]


def recalibrate(
    entry: ModelEntry,
    pictures: Path | Sequence[Path],
    *,
    data_dir: Path | None = None,
    tried: Sequence[Quantisation] = TRIED,
    say: Callable[[str], None] = lambda *_: None,
) -> Recalibrated:
    """Quantise a registered model with pictures, and keep the result if it is the best.

    The files that are registered take part: they stay if nothing does better.

    Args:
        entry: Model with OpenVINO files in floating point.
        pictures: Pictures like those the cameras see, at least a dozen, or a folder of them.
        data_dir: Built data set whose validation pictures judge by mAP50. Without it the agreement
            with the floating-point files judges.
        tried: Ways of quantising.
        say: Told what is being done.

    Raises:
        InputError: There are too few pictures or one cannot be read.
        ModelError: The model has no floating-point OpenVINO files, or its folder is read-only.
    """
    found = calibration_pictures(pictures)
    if len(found) < 12:
        raise InputError(f"{len(found)} pictures are too few to calibrate with; give 12 or more")
    judging = found[::JUDGED_SHARE]
    calibrating = [path for i, path in enumerate(found) if i % JUDGED_SHARE]
    images = [read_image(p) for p in judging[:: -(-len(judging) // MOST_JUDGED)]]
    reference = next((runtime for runtime in REFERENCES if runtime in entry.files), None)
    if reference is None:
        raise ModelError(f"model {entry.name}: export it with openvino-fp16 to calibrate it anew")
    expected = detect_with(entry, reference, images)
    limits = entry.decoding().thresholds
    whole = _map50(entry, reference, data_dir) if data_dir else None

    def judged(name: str, candidate: ModelEntry) -> Trial:
        say(f"Measuring: {name}")
        agrees = agreement(expected, detect_with(candidate, INT8, images), limits)
        map50 = _map50(candidate, INT8, data_dir) if data_dir else None
        loss = None if map50 is None or whole is None else round(100 * (whole - map50), 2)
        return Trial(name, agrees, map50, loss)

    with tempfile.TemporaryDirectory(prefix="jiexu-calibrate-") as scratch:
        trials: list[Trial] = []
        files: dict[str, Path] = {}
        if INT8 in entry.files:
            trials.append(judged(REGISTERED, entry))
        for number, options in enumerate(tried):
            say(f"Quantising: {options.name}")
            target = Path(scratch) / f"{number}.xml"
            network = ov.Core().read_model(entry.verified_files(reference)[0])
            made = quantise(network, calibrating, entry.input_size, entry.stride, options=options)
            ov.save_model(made, target, compress_to_fp16=False)
            trials.append(judged(options.name, _with_int8(entry, target, Path(scratch))))
            files[options.name] = target
        best = min(trials, key=lambda trial: trial.cost)
        if best.name == REGISTERED:
            return Recalibrated(entry, best, tuple(trials))
        target = entry.folder / entry.name / f"{entry.name}.int8.xml"
        try:
            target.parent.mkdir(exist_ok=True)
            for suffix in (".bin", ".xml"):
                content = files[best.name].with_suffix(suffix).read_bytes()
                target.with_suffix(suffix).write_bytes(content)
        except OSError as error:
            raise ModelError(f"{target}: cannot be written: {error}") from error
    note = {
        "pictures": len(calibrating),
        "made_by": best.name,
        "map50": best.map50,
        "loss_points": best.loss_points,
        "agreement": asdict(best.agreement),
    }
    changed = _with_int8(entry, target, entry.folder)
    changed = changed.model_copy(update={"metrics": {**entry.metrics, "recalibrated": note}})
    write_entry(entry.folder, changed)
    return Recalibrated(changed, best, tuple(trials))


def _with_int8(entry: ModelEntry, xml: Path, folder: Path) -> ModelEntry:
    """The model with only these INT8 files, or with them in place of those of its registry."""
    int8 = tuple(registered_file(path, folder) for path in (xml, xml.with_suffix(".bin")))
    files = {**entry.files, INT8: int8} if folder == entry.folder else {INT8: int8}
    return entry.model_copy(update={"folder": folder, "files": files})


def _map50(entry: ModelEntry, runtime: str, data_dir: Path) -> float:
    with faint_detector(entry, runtime) as detector:
        examined = examine(detector, data_dir)
    scores = [score(examined, name).ap50 for name in entry.classes]
    known = [value for value in scores if value is not None]
    if not known:
        raise InputError(f"{data_dir}: no validation picture shows a class of {entry.name}")
    return float(np.mean(known))
