"""Learn from what people decided: a short fine-tune on a city's own pictures.

Pictures come from run folders with reviewers' decisions and from labelled folders. What people did
not label in them is labelled by the model itself, so that it forgets nothing that it knew; pictures
of an earlier data set may be rehearsed beside them. The model is measured on held-out pictures
before and after.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from vision.decisions import DECISIONS_FILE
from vision.detect.registry import ModelEntry
from vision.errors import ConfigError, InputError
from vision.files import write_atomically
from vision.learn.data.dataset import build_dataset
from vision.learn.data.folders import LabelledFolder, read_folder
from vision.learn.data.labels import label_text, sound_box
from vision.learn.data.pictures import PICTURES_FILE
from vision.learn.data.recipe import ByTeacher, Recipe, Source, TeacherRule
from vision.learn.data.teacher import registered_weights
from vision.learn.feedback.decided import DECIDED_FILE
from vision.learn.feedback.reviewed_pictures import Looked, ReviewedPictures, write_reviewed
from vision.learn.measure.evaluate import evaluate
from vision.learn.measure.opening import find_model
from vision.learn.measure.record import Evaluation
from vision.learn.train.training import TrainingRecipe, train

DATA = "reviewed"
"""Name of the built data set."""

GATHERED = "gathered"
"""Folder of the pictures before the build; made anew at every run."""

VAL_SHARE = 0.2
SEED = 20

FLOOR = 0.1
"""Below this confidence of the model a class that nobody labelled counts as absent."""

CAMERA_AND_DAY = r"^(.*?(?:19|20)\d\d-?[01]\d-?[0-3]\d)|^(.+?)[._]rf[._]"
"""Group of a labelled picture: its name up to the date, or up to what an export added to copies."""

REVIEWED_GROUP = r"^(g\d{4})_"

LEFT_OUT = "-"
"""Name to which a class of a labelled folder is renamed whose boxes are of no interest."""

RESAMPLES = 200
"""Draws of the bootstrap: enough for intervals of a few held-out pictures."""

Progress = Callable[[str, int, int], None]
"""Told a step's name, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Feedback:
    """What was learnt.

    Attributes:
        weights: The new weights.
        data_dir: The built data set.
        reviewed: What became of reviewers' decisions.
        counts: Pictures and boxes a class on each side, as
            :func:`~vision.learn.data.dataset.build_dataset` gives them.
        before: The model on the held-out pictures; ``None`` where nothing could be held out,
            because all pictures belong to one group.
        after: The new weights on them.
    """

    weights: Path
    data_dir: Path
    reviewed: ReviewedPictures
    counts: Mapping[str, Mapping[str, int]]
    before: Evaluation | None
    after: Evaluation | None


def train_from_reviewed(
    entry: ModelEntry,
    material: Sequence[Path],
    out_dir: Path,
    recipe: TrainingRecipe,
    *,
    rehearse: Sequence[Path] = (),
    rename: Mapping[str, str] | None = None,
    resume: bool = False,
    device: str = "cpu",
    threads: int | None = None,
    progress: Progress = lambda step, done, of: None,  # noqa: ARG005
) -> Feedback:
    """Improve a model with a city's own pictures.

    Args:
        entry: The model; it needs its ``.pt``.
        material: Run folders with ``reviewed.jsonl``, exports of decided cases, and labelled
            folders in any layout of :mod:`vision.learn.data.folders`.
        out_dir: Receives the pictures (``gathered/``), the built data set (``data/``), the training
            run (``training/``) and ``feedback.json``.
        recipe: How to train; its stages learn from a data set called ``reviewed``, its start is
            replaced by the model's weights.
        rehearse: Labelled or built folders of which as many pictures as are new are shown again.
        rename: Class of a labelled folder to class of the model, where the names differ.
        resume: Go on with a training run that was stopped.
        device: Torch device, as ultralytics names it.
        threads: CPU threads.
        progress: Told how far it is.

    Raises:
        ConfigError: The recipe or a class of a folder cannot be used.
        InputError: A folder cannot be read, or nothing is left to learn from.
        ModelError: The model has no weights that can be trained.
    """
    weights = registered_weights(entry)
    reviewed, data_recipe = gather(
        entry, material, out_dir, rehearse=rehearse, rename=rename or {}, progress=progress
    )
    data_dir = out_dir / "data" / DATA
    counts = build_dataset(
        data_recipe,
        [out_dir / GATHERED],
        data_dir,
        teachers=dict.fromkeys(data_recipe.teachers, weights),
        progress=progress,
    )
    if not counts["val"].get("pictures"):
        # Ultralytics opens a validation side whatever is measured on it.
        shutil.copyfile(data_dir / "train.txt", data_dir / "val.txt")
    tuned = recipe.model_copy(update={"start": weights.name, "name": f"{entry.name}-reviewed"})
    new = train(
        tuned,
        out_dir / "data",
        out_dir / "training",
        start=weights.parent,
        resume=resume,
        device=device,
        threads=threads,
        progress=lambda stage, done, of: progress(f"training: {stage}", done, of),
    )
    before = after = None
    if counts["val"].get("pictures"):
        before = measure(entry, data_dir, device, progress)
        found = find_model(str(new), input_size=entry.input_size)
        after = measure(
            found.model_copy(update={"name": tuned.name, "thresholds": entry.thresholds}),
            data_dir,
            device,
            progress,
        )
    feedback = Feedback(new, data_dir, reviewed, counts, before, after)
    write_atomically(out_dir / "feedback.json", json.dumps(_summary(feedback), indent=1) + "\n")
    return feedback


def gather(
    entry: ModelEntry,
    material: Sequence[Path],
    out_dir: Path,
    *,
    rehearse: Sequence[Path] = (),
    rename: Mapping[str, str],
    progress: Progress,
) -> tuple[ReviewedPictures, Recipe]:
    """Bring all pictures together and write the data set recipe for them.

    Pictures with decisions and those to rehearse are written below ``out_dir/gathered``; labelled
    folders are linked there.

    Raises:
        ConfigError: A class of a labelled folder is none of the model's.
        InputError: A folder cannot be read, or there is nothing to learn from.
    """
    runs = [path for path in material if (path / DECISIONS_FILE).is_file()]
    exports = [path for path in material if (path / DECIDED_FILE).is_file()]
    if out_dir.resolve() in {path.resolve() for path in (*material, *rehearse)}:
        raise InputError(f"{out_dir}: is a folder to learn from; choose another for the results")
    pictures = out_dir / GATHERED
    shutil.rmtree(pictures, ignore_errors=True)
    reviewed = write_reviewed(
        runs, entry.classes, pictures / "reviewed", exports=exports, progress=progress
    )
    labelled = [path for path in material if path not in (*runs, *exports)]
    folders = [read_folder(path.resolve()) for path in labelled]
    sources = [
        *(_reviewed_source(name, looked) for name, looked in sorted(reviewed.folders.items())),
        *(
            _labelled_source(entry, folder, rename, pictures, f"labelled/{n}-{folder.path.name}")
            for n, folder in enumerate(folders)
        ),
    ]
    if not sources:
        why = "; ".join(f"{reason} ({n})" for reason, n in reviewed.passed_over.items())
        raise InputError(f"nothing to learn from{': ' + why if why else ''}")
    new = sum(reviewed.origins.values()) + sum(len(folder.pictures) for folder in folders)
    share = -(-new // max(len(rehearse), 1))
    for number, path in enumerate(rehearse):
        name = f"rehearsed/{number}-{path.resolve().name}"
        sources.append(_rehearsed_source(entry, read_folder(path), pictures / name, share, name))
    recipe = Recipe(
        name=DATA,
        seed=SEED,
        val_share=VAL_SHARE,
        longest_side=max(640, entry.input_size),
        classes=entry.classes,
        teachers={_teacher(c): _rule(entry, c) for c in entry.classes},
        sources=tuple(sources),
    )
    return reviewed, recipe


def measure(entry: ModelEntry, data_dir: Path, device: str, progress: Progress) -> Evaluation:
    """Measure a model's ``.pt`` on the held-out pictures."""
    return evaluate(
        entry,
        data_dir,
        runtime="pytorch",
        device=device,
        teacher_classes=(),
        resamples=RESAMPLES,
        speed_pictures=0,
        progress=lambda done, of: progress(f"measuring {entry.name}", done, of),
    ).record


def _teacher(class_name: str) -> str:
    """The model as a teacher of one class, at that class's threshold."""
    return f"self-{class_name}"


def _rule(entry: ModelEntry, class_name: str) -> TeacherRule:
    return TeacherRule(
        confidence=max(entry.thresholds[class_name], FLOOR),
        floor=FLOOR,
        classes=(class_name,),
        image_size=entry.input_size,
    )


def _reviewed_source(name: str, looked: Looked) -> Source:
    """Source of pictures with decisions.

    Where a class was confirmed, further things of it may be there: the model adds those of which it
    is sure. Where it was rejected nothing of it is there, whatever the model says.
    """
    labels: dict[str, str | ByTeacher] = {
        c: c if c in looked.absent else ByTeacher(teacher=_teacher(c), default=c)
        for c in looked.present
    }
    return Source(
        path=f"reviewed/{name}",
        labels=labels,
        absent=tuple(c for c in looked.absent if c not in looked.present),
        unknown=looked.open,
        group=REVIEWED_GROUP,
        origin="decisions of reviewers",
    )


def _labelled_source(
    entry: ModelEntry, folder: LabelledFolder, rename: Mapping[str, str], pictures: Path, name: str
) -> Source:
    """Link a labelled folder to the others; the model labels the classes that it does not have."""
    ours = {theirs: rename.get(theirs, theirs) for theirs in folder.names}
    strange = sorted(theirs for theirs, to in ours.items() if to not in (*entry.classes, LEFT_OUT))
    if strange:
        raise ConfigError(
            f"{folder.path}: {entry.name} has no class {', '.join(strange)}; rename it to one of "
            f"{', '.join(entry.classes)}, or to {LEFT_OUT} to leave its boxes out"
        )
    (pictures / name).parent.mkdir(parents=True, exist_ok=True)
    (pictures / name).symlink_to(folder.path, target_is_directory=True)
    return Source(
        path=name,
        labels={theirs: to for theirs, to in ours.items() if to != LEFT_OUT},
        drop=tuple(theirs for theirs, to in ours.items() if to == LEFT_OUT),
        group=CAMERA_AND_DAY,
        origin="labelled by the city",
    )


def _rehearsed_source(
    entry: ModelEntry, folder: LabelledFolder, out_dir: Path, count: int, name: str
) -> Source:
    """Copy evenly spread pictures of a folder, in the layout of a built data set."""
    every = max(1, len(folder.pictures) // max(count, 1))
    chosen = folder.pictures[::every][:count]
    rows = []
    for number, picture in enumerate(chosen):
        stem = f"{number:05d}_{picture.file.stem}"
        file = out_dir / "images" / f"{stem}{picture.file.suffix}"
        label_file = out_dir / "labels" / f"{stem}.txt"
        for path in (file, label_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture.file, file)
        boxes = [sound_box(picture.label_file, label) for label in picture.labels]
        label_file.write_text(label_text(boxes, folder.names), encoding="utf-8")
        rows.append(
            {
                "file": f"images/{file.name}",
                "source": picture.source,
                "split": picture.split or "train",
                "group": stem,
                "unknown": list(picture.unknown),
            }
        )
    data = {"names": dict(enumerate(folder.names))}
    (out_dir / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    write_atomically(out_dir / PICTURES_FILE, json.dumps(rows, indent=1))
    return Source(
        path=name,
        labels={c: c for c in folder.names if c in entry.classes},
        drop=tuple(c for c in folder.names if c not in entry.classes),
        split="folder",
        origin=f"rehearsed from {folder.path.name}",
    )


def _summary(feedback: Feedback) -> dict[str, object]:
    def told(record: Evaluation | None) -> dict[str, object] | None:
        if record is None:
            return None
        return {
            "pictures": record.pictures,
            "groups": record.groups,
            "map50": record.map50,
            "false_boxes": record.false_boxes.model_dump(),
            "classes": {
                name: {
                    "boxes": row.boxes,
                    "ap50": row.ap50,
                    "ap50_interval": row.ap50_interval,
                    "precision": row.precision,
                    "recall": row.recall,
                    "false_boxes": row.false_boxes.model_dump(),
                }
                for name, row in record.classes.items()
                if row.boxes or row.false_boxes.pictures
            },
        }

    return {
        "weights": str(feedback.weights),
        "decisions": {name: dict(n) for name, n in feedback.reviewed.counts.items()},
        "frames_from": dict(feedback.reviewed.origins),
        "passed_over": dict(feedback.reviewed.passed_over),
        "counts": {side: dict(n) for side, n in feedback.counts.items()},
        "before": told(feedback.before),
        "after": told(feedback.after),
    }
