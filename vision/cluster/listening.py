"""Recordings under way in an actor: heard and stopped from other threads than it works in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

LISTENING = "listening"
"""Thread of an actor that answers while it works."""


@dataclass(frozen=True)
class Heard:
    """How far a recording has come.

    Attributes:
        duration_s: Its length, ``None`` while that is not known.
        time_s: Stream time reached.
        violations: Found so far.
        lost: Calls made again because their worker was lost, of all recordings so far.
    """

    duration_s: float | None = None
    time_s: float = 0.0
    violations: int = 0
    lost: int = 0


class Listener:
    """A :class:`~vision.scan_input.Progress` that keeps what it heard and may stop the scan."""

    def __init__(self) -> None:
        self.heard = Heard()
        self.stopped = threading.Event()

    def input_started(self, name: str, number: int, of: int) -> None:
        """Told by the engine."""

    def opened(self, duration_s: float | None) -> None:
        """Keep the length."""
        self.heard = Heard(duration_s)

    def looked(self, time_s: float, violations: int) -> None:
        """Keep how far it is, or stop here."""
        self.heard = Heard(self.heard.duration_s, time_s, violations)
        if self.stopped.is_set():
            raise KeyboardInterrupt

    def input_ended(self, report: dict[str, Any]) -> None:
        """Told by the engine."""


class Listeners:
    """The listeners of the recordings under way, by their keys."""

    def __init__(self) -> None:
        self._listeners: dict[str, Listener] = {}

    @contextmanager
    def to(self, key: str) -> Iterator[Listener]:
        """Listen to a recording while it is scanned."""
        listener = self._listeners[key] = Listener()
        try:
            yield listener
        finally:
            del self._listeners[key]

    def heard(self, key: str) -> Heard | None:
        """How far a recording has come; ``None`` if it is not under way."""
        listener = self._listeners.get(key)
        return None if listener is None else listener.heard

    def stop(self) -> None:
        """Leave what is under way at its next look, so that a later run goes on there."""
        for listener in list(self._listeners.values()):
            listener.stopped.set()
