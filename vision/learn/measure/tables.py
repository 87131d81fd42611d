"""Tables of measurements for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from vision.learn.measure.coco_metrics import SIZES
from vision.learn.measure.record import FEW_BOXES, Evaluation


def evaluation_tables(record: Evaluation) -> Iterator[Table]:
    """Scores by class, splits, and speed of one evaluation."""
    classes = _table(
        "class", "boxes", "AP50", "95 %", "50-95", "at", "prec.", "recall", "f/100",
        title=f"{record.model} ({record.runtime}) on {record.data}: {record.pictures} pictures "
        f"of {record.groups} groups",
        caption="at: default threshold, of precision and recall too; f/100: boxes per 100 pictures "
        f"known to be without the class; t: labels of a teacher; dim: under {FEW_BOXES} boxes",
    )  # fmt: skip
    for name, row in record.classes.items():
        classes.add_row(
            name + (" t" if row.labels == "teacher" else ""),
            str(row.boxes),
            figure(row.ap50),
            interval(row.ap50_interval),
            figure(row.ap50_95),
            figure(row.threshold, digits=2),
            figure(row.precision, digits=2),
            figure(row.recall, digits=2),
            figure(row.false_boxes.per_100, digits=1),
            style="dim" if row.boxes < FEW_BOXES else None,
        )
    classes.add_section()
    classes.add_row(
        "mean",
        "",
        figure(record.map50),
        interval(record.map50_interval),
        figure(record.map50_95),
        *[""] * 3,
        figure(record.false_boxes.per_100, digits=1),
        style="bold",
    )
    classes.add_row("of people's labels", "", figure(record.map50_people))
    classes.add_row("of teachers' labels", "", figure(record.map50_teacher))
    yield classes

    sizes = _table("AP50 by size (boxes)", *SIZES)
    for name, row in record.classes.items():
        if row.sizes:
            cells = (row.sizes.get(size) for size in SIZES)
            sizes.add_row(name, *(f"{c.ap50:.2f} ({c.boxes})" if c else "–" for c in cells))
    yield sizes

    parts = _table("split", "part", "pictures", "boxes", "mAP50")
    for part in record.parts:
        boxes = sum(row.boxes for row in part.classes.values())
        parts.add_row(part.kind, part.name, str(part.pictures), str(boxes), figure(part.map50))
    yield parts

    if record.speed:
        speed = _table("speed", "min", "median", "max", caption=record.speed.machine)
        for name, spread in (
            ("ms a picture, one at a time", record.speed.ms_a_picture),
            ("pictures/s, all at once", record.speed.pictures_per_s),
        ):
            speed.add_row(name, f"{spread.min:.1f}", f"{spread.median:.1f}", f"{spread.max:.1f}")
        yield speed


def figure(value: float | None, *, digits: int = 3) -> str:
    """A number, or a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(pair: tuple[float, float] | None) -> str:
    """Lower and upper end."""
    return "–" if pair is None else f"{pair[0]:.2f}–{pair[1]:.2f}"


def _table(*columns: str, title: str | None = None, caption: str | None = None) -> Table:
    """A table narrow enough for 80 characters: words to the left, figures to the right."""
    table = Table(title=title, caption=caption, box=None, pad_edge=False)
    words = {"class", "split", "part", "speed", "AP50 by size (boxes)"}
    for column in columns:
        table.add_column(column, justify="left" if column in words else "right", no_wrap=True)
    return table
