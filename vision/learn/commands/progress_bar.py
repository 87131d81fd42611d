"""One progress bar for the commands that make data sets and models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress_bar(
    title: str, console: Console
) -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
    """A progress bar: the first function names what is done, the second counts pictures.

    Where the console is no terminal the names are printed line by line.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task(title, total=None)

        def say(text: str) -> None:
            bar.reset(task, description=escape(text), total=None)
            if not console.is_terminal:
                console.print(text, highlight=False, soft_wrap=True, markup=False)

        def progress(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        yield say, progress


def by_step(
    say: Callable[[str], None], progress: Callable[[int, int], None]
) -> Callable[[str, int, int], None]:
    """Join the functions of a :func:`progress_bar` to one that is told the step with the count."""
    said = ""

    def told(step: str, done: int, of: int) -> None:
        nonlocal said
        if step != said:
            said = step
            say(step)
        progress(done, of)

    return told
