"""The recipe file of a data set: which labelled folders go in, and what their labels mean."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vision.learn.data.pictures import Split

Fraction = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TeacherRule(_Strict):
    """How a teacher's boxes are used.

    Attributes:
        confidence: A box counts from this confidence.
        floor: If the best box of a class lies between ``floor`` and ``confidence``, the class is
            unknown in that picture; below ``floor`` it is absent.
        classes: Classes that the teacher may label, by the data set's names.
        image_size: Longest side at which the teacher sees the pictures, in pixels.
        bfloat16: Let the teacher compute in bfloat16.
    """

    confidence: Fraction
    floor: Fraction
    classes: tuple[str, ...]
    image_size: Annotated[int, Field(ge=32)] = 640
    bfloat16: bool = False


class ByTeacher(_Strict):
    """Take the class of a person's box from the teacher's box on the same thing.

    Attributes:
        teacher: Name of the teacher.
        default: Class where the teacher has no box there.
    """

    teacher: str
    default: str


class Source(_Strict):
    """One labelled folder, in a layout that :mod:`vision.learn.data.folders` knows.

    Attributes:
        path: Folder relative to a root.
        labels: Class of the source to class of the data set.
        ignore: Class of the source whose boxes are left out; the data set's class becomes unknown.
        drop: Classes of the source that the data set is not about.
        absent: Classes known to be absent although the source does not label them.
        unknown: Classes that may be visible without a label.
        unknown_if_unlabelled: Classes that are unknown in pictures without a box of them.
        teachers: Teachers that look at this source; all of them if not given.
        misleads: Regular expression on the file stem to classes that teachers see in something else
            there, or in nothing: their boxes are left out and the class is unknown.
        group: Regular expression on the file stem; pictures whose first matching group agrees stay
            on one side of the split. Without it every picture is its own group.
        stretched: The pictures lost their aspect; training copies get a likely one back.
        repeat: How often a training picture is shown in one epoch.
        split: Put the whole source on this side; ``folder`` keeps the sides on which a YOLO or COCO
            export has its pictures (its test pictures count as validation).
        trained_on: Regular expression on the file stem; pictures that the weights which training
            starts from have learnt stay on the training side, with their groups.
        optional: The folder may be missing.
        licence: Licence as the origin states it, for the card.
        origin: Where the pictures and labels come from, for the card.
        faults: What is known to be wrong with them, for the card.
    """

    path: str
    labels: dict[str, str | ByTeacher]
    ignore: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unknown_if_unlabelled: tuple[str, ...] = ()
    teachers: tuple[str, ...] | None = None
    misleads: dict[str, tuple[str, ...]] = {}
    group: str | None = None
    stretched: bool = False
    repeat: Annotated[int, Field(ge=1)] = 1
    split: Split | Literal["folder"] | None = None
    trained_on: str | None = None
    optional: bool = False
    licence: str | None = None
    origin: str | None = None
    faults: str | None = None


class Recipe(_Strict):
    """A data set recipe file.

    Attributes:
        name: Name of the data set.
        seed: Seed of the split and of the restored aspects.
        val_share: Share of every source's pictures that goes to validation.
        longest_side: Pictures are shrunk to this longest side, in pixels.
        classes: Class names in the order of their ids.
        around: Classes whose boxes lie around other things, such as dust or a hoarding: a teacher's
            box inside one of them shows something else.
        teachers: Teachers by name.
        sources: Labelled folders.
    """

    name: str
    seed: int
    val_share: Fraction
    longest_side: Annotated[int, Field(ge=32)]
    classes: tuple[str, ...]
    around: tuple[str, ...] = ()
    teachers: dict[str, TeacherRule] = {}
    sources: tuple[Source, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        used: list[tuple[str, str]] = [("around", c) for c in self.around]
        for name, rule in self.teachers.items():
            used += [(f"teachers.{name}", c) for c in rule.classes]
        for source in self.sources:
            targets = [t if isinstance(t, str) else t.default for t in source.labels.values()]
            for c in (
                *targets,
                *source.ignore.values(),
                *source.absent,
                *source.unknown,
                *source.unknown_if_unlabelled,
                *(c for classes in source.misleads.values() for c in classes),
            ):
                used.append((source.path, c))
            wanted = {t.teacher for t in source.labels.values() if isinstance(t, ByTeacher)}
            missing = (wanted | set(source.teachers or ())) - set(self.teachers)
            if missing:
                raise ValueError(f"{source.path}: no teacher named {', '.join(sorted(missing))}")
        for where, c in used:
            if c not in self.classes:
                raise ValueError(f"{where}: {c} is not in classes")
        return self
