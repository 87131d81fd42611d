"""Turn what reviewers decided into labelled folders to learn from.

Decisions lie beside the violations of a scan, or come with the pictures of cases that the service
exported (:mod:`vision.learn.feedback.decided`).

A confirmed violation is a picture with a box of its class; a rejected one a picture without that
class, which is what the model most needs to see. Everything else in these pictures is left to a
teacher. Pictures with the same classes looked for share a folder, so that each folder is a source
of :mod:`vision.learn.data.recipe`; the start of a file's name says which pictures belong together.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2

from vision.decisions import DECISIONS_FILE, Decision, read_decisions
from vision.errors import InputError
from vision.learn.data.labels import Box, checked_label, label_text, sound_box
from vision.learn.feedback.clean_frames import CleanFrame, clean_frame, footage
from vision.learn.feedback.decided import DecidedPicture, read_decided
from vision.learn.feedback.looks import class_of, taught_by
from vision.observe.boxes import iou
from vision.record import ViolationRecord
from vision.report.summary import InputEntry, RunSummary, summary_from

SAME_PLACE_IOU = 0.3
"""Boxes of one camera and zone that overlap so much show one place."""

JPEG_QUALITY = 95

Progress = Callable[[str, int, int], None]
"""Told a step's name, how many pictures of it are done, and of how many."""


@dataclass(frozen=True, order=True)
class Looked:
    """Which classes were looked for in a picture.

    Attributes:
        present: Classes with boxes that people confirmed.
        absent: Classes that people rejected.
        open: Classes of violations that nobody has decided.
    """

    present: tuple[str, ...]
    absent: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Name of the folder of such pictures."""
        absent = (f"no-{name}" for name in self.absent)
        return "+".join([*self.present, *absent, *(f"open-{name}" for name in self.open)])


@dataclass(frozen=True)
class ReviewedPictures:
    """What became of the decisions.

    Attributes:
        folders: Folders that were written, relative to the one asked for, with what was looked for.
        counts: Pictures by class: ``{"street_stall": {"confirmed": 40, "rejected": 25}}``.
        origins: Pictures by where their frame came from: ``recording``, ``clip``, or ``masked`` and
            ``sealed`` pictures of cases.
        passed_over: Decisions from which nothing can be learnt, by reason.
    """

    folders: Mapping[str, Looked]
    counts: Mapping[str, Mapping[str, int]]
    origins: Mapping[str, int]
    passed_over: Mapping[str, int]


@dataclass(frozen=True)
class _Taught:
    """A violation with its decision in the words of the model."""

    record: ViolationRecord
    present: str | None
    absent: str | None
    box: tuple[float, float, float, float]


@dataclass
class _Tally:
    folders: dict[str, Looked] = field(default_factory=dict)
    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    origins: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)


def write_reviewed(
    run_dirs: Sequence[Path],
    classes: Sequence[str],
    out_dir: Path,
    *,
    exports: Sequence[Path] = (),
    progress: Progress = lambda step, done, of: None,  # noqa: ARG005
) -> ReviewedPictures:
    """Write decisions as labelled folders.

    Args:
        run_dirs: Run folders of ``jiexu scan`` with ``reviewed.jsonl``.
        classes: Classes of the model that is to learn.
        out_dir: Receives the folders, each with ``images/``, ``labels/`` and ``classes.txt``. A
            picture's name begins with ``g`` and the number of its group: pictures of one camera and
            day, and of one place whatever the day; of a camera that is exported, all pictures.
        exports: Folders of decided cases; of a case that is in several, the last counts.
        progress: Told how many decisions are done.

    Raises:
        InputError: A folder or its decisions cannot be read, a decision is about a violation that
            the run does not have, or a corrected box lies outside its picture.
    """
    runs = [(run, read_decisions(run / DECISIONS_FILE), summary_from(run)) for run in run_dirs]
    for run, decisions, summary in runs:
        strange = decisions.keys() - {v.id for v in summary.violations}
        if strange:
            raise InputError(f"{run / DECISIONS_FILE}: no violation {min(strange)} in this run")
    cases = {one.case_id: (folder, one) for folder in exports for one in read_decided(folder)}
    groups = _groups(
        [v for _, d, summary in runs for v in summary.violations if v.id in d],
        [one for _, one in cases.values()],
    )
    total = len(groups)
    writer = _Writer(out_dir, tuple(classes), groups)
    tally = writer.tally
    done = 0
    for run, decisions, summary in runs:
        for sha256, violations in _by_source(summary).items():
            decided = [v for v in violations if v.id in decisions]
            if not decided:
                continue
            entry = _entry(summary, sha256)
            taught = [t for v in decided if (t := _taught(v, decisions[v.id], classes, tally))]
            undecided = [v for v in violations if v.id not in decisions]
            with footage(entry, run) as opened:
                for one in taught:
                    progress("reading frames", done, total)
                    done += 1
                    try:
                        clean = clean_frame(one.record, opened, run)
                    except InputError as error:
                        tally.passed_over[str(error)] += 1
                        continue
                    assert entry is not None
                    same_time = [t for t in taught if t is one or _covers(t.record, clean.time_s)]
                    open_ = [v for v in undecided if _covers(v, clean.time_s)]
                    writer.write_violation(one, clean, entry, same_time, open_)
    for folder, picture in cases.values():
        progress("copying pictures of cases", done, total)
        done += 1
        writer.write_case(picture, folder)
    return ReviewedPictures(tally.folders, tally.counts, tally.origins, tally.passed_over)


def _covers(record: ViolationRecord, time_s: float) -> bool:
    return record.start_s <= time_s <= record.last_seen_s


def _by_source(summary: RunSummary) -> dict[str, list[ViolationRecord]]:
    by_source: dict[str, list[ViolationRecord]] = defaultdict(list)
    for violation in summary.violations:
        by_source[violation.source.sha256].append(violation)
    return by_source


def _entry(summary: RunSummary, sha256: str) -> InputEntry | None:
    return next((e for e in summary.run.inputs if e.sha256 == sha256 and e.width), None)


def _taught(
    record: ViolationRecord, decision: Decision, classes: Sequence[str], tally: _Tally
) -> _Taught | None:
    """What a decision teaches; nothing where it is not about looks."""
    kind = None if decision.decision == "rejected" else decision.kind or record.kind
    present, absent = taught_by(record, kind, classes)
    if present is None and absent is None:
        tally.passed_over[f"{record.kind}: not about the looks of a class of this model"] += 1
        return None
    return _Taught(record, present, absent, decision.box or record.box)


@dataclass(frozen=True)
class _Writer:
    """Writes pictures with their labels and keeps count."""

    out_dir: Path
    classes: tuple[str, ...]
    groups: Mapping[str, str]
    tally: _Tally = field(default_factory=_Tally)

    def write_violation(
        self,
        one: _Taught,
        clean: CleanFrame,
        entry: InputEntry,
        same_time: Sequence[_Taught],
        undecided: Sequence[ViolationRecord],
    ) -> None:
        """Write the picture of one decision with all that was decided of the same moment."""
        looked = Looked(
            present=_sorted(t.present for t in same_time),
            absent=_sorted(t.absent for t in same_time),
            open=_sorted(class_of(v.kind, v, self.classes) for v in undecided),
        )
        boxes = [_label(t, entry) for t in same_time if t.present is not None]
        file = self._place(one.record.id, looked, boxes)
        if not cv2.imwrite(str(file), clean.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise InputError(f"{file}: cannot be written")
        self._count(looked, clean.origin, filter(None, [one.present]), filter(None, [one.absent]))

    def write_case(self, picture: DecidedPicture, folder: Path) -> None:
        """Copy the picture of a decided case."""
        boxes = [box for box in picture.labels() if box.name in self.classes]
        looked = Looked(
            present=_sorted(box.name for box in boxes),
            absent=_sorted(name for name in picture.absent if name in self.classes),
            open=_sorted(name for name in picture.open if name in self.classes),
        )
        if not (looked.present or looked.absent):
            self.tally.passed_over["cases of classes that this model does not have"] += 1
            return
        file = self._place(picture.case_id, looked, boxes)
        try:
            shutil.copyfile(folder / picture.file, file)
        except OSError as error:
            raise InputError(f"{folder / picture.file}: cannot be read: {error}") from error
        self._count(looked, picture.variant, looked.present, looked.absent)

    def _place(self, identifier: str, looked: Looked, boxes: Sequence[Box]) -> Path:
        """Write the labels of a picture; where the picture goes."""
        folder = self.out_dir / looked.folder
        stem = f"{self.groups[identifier]}_{identifier}"
        for part in ("images", "labels"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "classes.txt").write_text("\n".join(self.classes) + "\n", encoding="utf-8")
        text = label_text(boxes, self.classes)
        (folder / "labels" / f"{stem}.txt").write_text(text, encoding="utf-8")
        return folder / "images" / f"{stem}.jpg"

    def _count(
        self, looked: Looked, origin: str, confirmed: Iterable[str], rejected: Iterable[str]
    ) -> None:
        self.tally.folders[looked.folder] = looked
        self.tally.origins[origin] += 1
        for name in confirmed:
            self.tally.counts[name]["confirmed"] += 1
        for name in rejected:
            self.tally.counts[name]["rejected"] += 1


def _sorted(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name is not None}))


def _label(taught: _Taught, entry: InputEntry) -> Box:
    """The box in fractions of the frame, cut at its edges."""
    x1, y1, x2, y2 = taught.box
    w, h = entry.width, entry.height
    inside = (max(x1, 0) / w, max(y1, 0) / h, min(x2, w) / w, min(y2, h) / h)
    assert taught.present is not None
    label = checked_label(1, taught.present, inside, f"violation {taught.record.id} {taught.box}")
    return sound_box(Path(DECISIONS_FILE), label)


def _groups(records: Iterable[ViolationRecord], cases: Sequence[DecidedPicture]) -> dict[str, str]:
    """Group of each violation: one camera and day, joined where a place is seen on several days.

    Pictures of cases keep the groups that they were exported with, and draw all of their cameras
    into them.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            name = parent[name]
        return name

    names = {one.case_id: f"{one.group} cases" for one in cases}
    exported = {one.camera_id: f"{one.group} cases" for one in cases}
    for one in cases:
        # A camera that two exports count to different groups joins them.
        parent[root(names[one.case_id])] = root(exported[one.camera_id])
    places: dict[tuple[str, str], list[ViolationRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda r: (r.camera_id, r.started_at, r.id)):
        day = f"{record.camera_id} {record.started_at:%Y-%m-%d}"
        names[record.id] = day
        if record.camera_id in exported:
            parent[root(day)] = root(exported[record.camera_id])
        root(day)
        known = places[record.camera_id, record.zone_id]
        for other in known:
            if iou(other.box, record.box) >= SAME_PLACE_IOU:
                parent[root(day)] = root(names[other.id])
                break
        known.append(record)
    numbers = {name: f"g{n:04d}" for n, name in enumerate(sorted({root(d) for d in parent}))}
    return {identifier: numbers[root(name)] for identifier, name in names.items()}
