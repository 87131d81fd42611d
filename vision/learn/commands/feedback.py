"""``jiexu train --from-reviewed``: what it is asked, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.table import Table

from vision.configfile import load_config
from vision.detect.registry import find_registry, load_registry
from vision.errors import ConfigError
from vision.learn.commands.progress_bar import by_step
from vision.learn.feedback.fine_tuning import Feedback, train_from_reviewed
from vision.learn.measure.tables import figure, interval
from vision.learn.train.training import TrainingRecipe

RECIPE = Path("recipes/reviewed.yaml")
"""The recipe for this, beside the registry."""


def learn_from_reviewed(
    material: Sequence[Path],
    out: Path,
    *,
    model: str | None,
    models: Path | None,
    recipe: Path | None,
    rehearse: Sequence[Path],
    rename: Sequence[str],
    resume: bool,
    device: str,
    threads: int | None,
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> Feedback:
    """Run :func:`~vision.learn.feedback.fine_tuning.train_from_reviewed` with a command's options.

    Args:
        material: Reviewed runs and labelled folders.
        out: Folder for all that comes of it.
        model: Name in the registry; its default without it.
        models: Folder of the registry.
        recipe: Training recipe instead of the registry's ``recipes/reviewed.yaml``.
        rehearse: Folders of pictures to show again.
        rename: ``THEIRS=OURS`` for classes of labelled folders.
        resume: Go on with a run that was stopped.
        device: Torch device.
        threads: CPU threads.
        say: Told what is done.
        progress: Told how many pictures of how many are done.

    Raises:
        ConfigError: An option cannot be used; and as the function it runs.
    """
    registry = load_registry(models)
    file = recipe or find_registry(models).parent / RECIPE
    return train_from_reviewed(
        registry.model(model),
        material,
        out,
        load_config(file, TrainingRecipe),
        rehearse=rehearse,
        rename=_renamed(rename),
        resume=resume,
        device=device,
        threads=threads,
        progress=by_step(say, progress),
    )


def feedback_lines(feedback: Feedback) -> list[str]:
    """What was learnt from, and what was not, in words."""
    lines = [
        f"{name}: {', '.join(f'{n} {word}' for word, n in sorted(counts.items()))}"
        for name, counts in sorted(feedback.reviewed.counts.items())
    ]
    lines += [f"passed over ({n}): {why}" for why, n in feedback.reviewed.passed_over.items()]
    train, val = (feedback.counts[side].get("pictures", 0) for side in ("train", "val"))
    lines.append(f"{train} pictures to learn from, {val} held out")
    if feedback.before is None:
        lines.append(
            "Nothing could be held out: all pictures are of one camera and day, or look alike. "
            "Whether the new weights are better is not known."
        )
    return lines


def feedback_table(feedback: Feedback) -> Table | None:
    """Held-out pictures before and after, class by class; ``None`` where nothing was held out."""
    before, after = feedback.before, feedback.after
    if before is None or after is None:
        return None
    table = Table(
        title=f"{before.pictures} held-out pictures of {before.groups} groups, before → after",
        caption="recall and f/100 (false boxes per 100 pictures known to be without the class) at "
        "the default threshold; boxes that nobody labelled are the old model's own, so that "
        "figures of other classes tell what it kept, not how good it is",
    )
    table.add_column("class", no_wrap=True)
    for heading in ("boxes", "AP50", "95 % after", "recall", "f/100"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, new in after.classes.items():
        old = before.classes[name]
        if not new.boxes and not new.false_boxes.boxes and not old.false_boxes.boxes:
            continue
        table.add_row(
            name,
            str(new.boxes),
            f"{figure(old.ap50, digits=2)} → {figure(new.ap50, digits=2)}",
            interval(new.ap50_interval),
            f"{figure(old.recall, digits=2)} → {figure(new.recall, digits=2)}",
            f"{figure(old.false_boxes.per_100, digits=1)} → "
            f"{figure(new.false_boxes.per_100, digits=1)}",
            style="bold" if name in feedback.reviewed.counts else None,
        )
    return table


def _renamed(options: Sequence[str]) -> dict[str, str]:
    renamed = {}
    for option in options:
        theirs, equals, ours = option.partition("=")
        if not (theirs and equals and ours):
            raise ConfigError(f"--rename {option}: expected THEIRS=OURS")
        renamed[theirs] = ours
    return renamed
