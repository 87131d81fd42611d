"""Pictures of an evaluation: precision over recall, and the confusion matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vision.learn.measure.record import FEW_BOXES, Evaluation


def plot_curves(record: Evaluation, path: Path) -> None:
    """Draw precision over recall of every class that has boxes into a PNG.

    Dots mark the default thresholds; classes with few boxes are dashed.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.5), layout="constrained")
    axes = figure.add_subplot()
    for i, (name, row) in enumerate(record.classes.items()):
        colour = colormaps["tab20"](i % 20)
        if row.ap50 is None or not row.curve:
            continue
        recall, precision, _ = np.array(row.curve).T
        few = row.boxes < FEW_BOXES
        axes.plot(
            recall,
            precision,
            "--" if few else "-",
            color=colour,
            linewidth=1 if few else 2,
            label=f"{name} {row.ap50:.2f} ({row.boxes})",
        )
        if row.precision is not None and row.recall is not None:
            axes.plot(row.recall, row.precision, "o", color=colour)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="recall",
        ylabel="precision",
        title=f"{record.model} {record.runtime} on {record.data}",
    )
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", title="class, AP50 (boxes)", fontsize=9)
    figure.savefig(path, dpi=110)


def plot_confusion(record: Evaluation, path: Path) -> None:
    """Draw the confusion matrix into a PNG: numbers are boxes, colours shares of the row."""
    from matplotlib.figure import Figure

    counts = np.array(record.confusion.counts)
    names = record.confusion.names
    side = 2.5 + 0.55 * len(names)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[row, column] > 0.6 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(
        xlabel="found", ylabel="labelled", title=f"{record.model} {record.runtime} on {record.data}"
    )
    figure.savefig(path, dpi=110)
