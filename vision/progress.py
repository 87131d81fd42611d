"""Progress of a scan on a terminal: bar, speed as a multiple of real time, time left."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from vision.observe.look import NUDGED

QUIET_LINE_EVERY_S = 30.0


class _TimesReal(ProgressColumn):
    """Stream seconds per second of work."""

    def render(self, task: Task) -> Text:
        if not task.elapsed or not task.completed:
            return Text("")
        return Text(f"{task.completed / task.elapsed:.0f}× real time", style="cyan")


class ConsoleProgress:
    """Shows a scan on a console; one line an input where the console is no terminal.

    Use as a context manager.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            _TimesReal(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[found]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, found="", visible=False)
        self._spoke = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def input_started(self, name: str, number: int, of: int) -> None:
        """Show a new bar for an input."""
        self._show(f"[{number}/{of}] {name}")

    def opened(self, duration_s: float | None) -> None:
        """Give the bar its length."""
        self._bar.update(self._task, total=duration_s)

    def looked(self, time_s: float, violations: int) -> None:
        """Move the bar to a stream time."""
        found = f"{violations} found" if violations else ""
        self._bar.update(self._task, completed=time_s, found=found)
        if self._bar.disable and time.monotonic() - self._spoke > QUIET_LINE_EVERY_S:
            self._spoke = time.monotonic()
            self._console.print(f"  at {time_s:.0f} s {found}")

    def drawing(self, name: str, duration_s: float) -> None:
        """Show a bar for a clip that is being drawn."""
        self._show(f"drawing {name}")
        self._bar.update(self._task, total=duration_s)

    def input_ended(self, report: dict[str, Any]) -> None:
        """Say in one line how an input ended."""
        self._bar.update(self._task, visible=False)
        name = escape(report["name"])
        if report["status"] == "failed":
            line = f"[red]failed[/red]  {escape(report['error'])}"
        elif report["status"] == "repeated":
            line = f"repeat  {name}"
        elif report.get("reused"):
            line = f"kept    {name}: {report['violations']} violations, finished before"
        else:
            start = report["start"]
            line = (
                f"scanned {name}: {report['violations']} violations, "
                f"{report['duration_s']:.0f} s at {report['times_real']:.0f}× real time, "
                f"starts {start['value']} (from {start['origin']})"
            )
        self._console.print(line, highlight=False, soft_wrap=True)
        for note in report.get("notes", []):
            self._console.print(f"        {escape(note)}", style="yellow", highlight=False)
        for event in report.get("health_events", []):
            line = escape(_of_view(event))
            self._console.print(f"        {line}", style="yellow", highlight=False)

    def _show(self, text: str) -> None:
        self._bar.reset(self._task, description=escape(text), total=None, found="", visible=True)
        self._spoke = time.monotonic()


def _of_view(event: Mapping[str, Any]) -> str:
    """What happened to a view, in one line."""
    until = "to the end" if event["end_s"] is None else f"to {event['end_s']:.0f} s"
    outcome = "registered and judged on" if event["kind"] == NUDGED else "not judged"
    detail = f" ({event['detail']})" if event["detail"] else ""
    return f"view {event['kind']} from {event['start_s']:.0f} s {until}{detail}: {outcome}"
