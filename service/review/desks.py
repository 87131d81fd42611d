"""Which desks a reviewer has open: two tabs of one user share no case either.

Claims are a user's, so that a page that is loaded again finds its case. Which of the user's tabs
has a case is known here, in the process that serves them; a reviewer whose tabs are served by
several hosts is told of a case that is decided already, as two reviewers are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)
class Seat:
    """One open desk of a reviewer.

    Attributes:
        is_there: Whether a browser has it open now; one that is loading its page anew has not.
        held: Ids of the cases on it.
    """

    is_there: Callable[[], bool]
    held: list[str] = field(default_factory=list)


class Desks:
    """The open desks of all reviewers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self._seats: dict[str, list[Seat]] = {}

    def sit(self, actor: str, is_there: Callable[[], bool]) -> Seat:
        """Open one more desk of a reviewer."""
        seat = Seat(is_there)
        with self._lock:
            self._seats.setdefault(actor, []).append(seat)
        return seat

    def leave(self, actor: str, seat: Seat) -> None:
        """Close a desk; nothing happens if it is closed already."""
        with self._lock:
            seats = self._seats.get(actor, [])
            if seat in seats:
                seats.remove(seat)

    @contextmanager
    def turn(self, actor: str) -> Iterator[None]:
        """What a reviewer's desks do with claims, one after the other."""
        with self._lock:
            turn = self._turns.setdefault(actor, threading.Lock())
        with turn:
            yield

    def elsewhere(self, actor: str, seat: Seat) -> frozenset[str]:
        """Cases on the reviewer's other desks that a browser has open."""
        with self._lock:
            others = [one for one in self._seats.get(actor, ()) if one is not seat]
        return frozenset(id_ for one in others if one.is_there() for id_ in one.held)

    def still_held(self, actor: str, seat: Seat) -> frozenset[str]:
        """Cases on any other desk of the reviewer: they stay claimed when this one closes."""
        with self._lock:
            others = [one for one in self._seats.get(actor, ()) if one is not seat]
        return frozenset(id_ for one in others for id_ in one.held)
