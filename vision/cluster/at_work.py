"""Which actor works on which recording, and what those are asked from the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from vision.cluster.listening import LISTENING, Heard

STOP_S = 30.0
"""So long actors may take to leave their recordings."""

ASK_EVERY_S = 0.25


def this_node() -> str:
    """Id of the node that this process belongs to."""
    node: str = ray.get_runtime_context().get_node_id()
    return node


def answer_of(call: Any) -> Any:
    """What a call of an actor, or each of several, returned; what it raised is raised here."""
    try:
        return ray.get(call)
    except RayTaskError as error:
        raise error.cause from error


class AtWork:
    """Actors with ``heard`` and ``stop`` in a thread for :data:`LISTENING`, by their recordings."""

    def __init__(self) -> None:
        self.closing = False
        self._actors: dict[str, Any] = {}
        self._lock = threading.Lock()

    @contextmanager
    def on(self, key: str, actor: Any) -> Iterator[None]:
        """Note that an actor works on a recording."""
        with self._lock:
            self._actors[key] = actor
        try:
            yield
        finally:
            with self._lock:
                del self._actors[key]

    def heard(self, key: str) -> Heard | None:
        """How far a recording has come; ``None`` if it is not under way or cannot be asked."""
        with self._lock:
            actor = self._actors.get(key)
        if actor is None:
            return None
        call = actor.heard.options(concurrency_group=LISTENING).remote(key)
        ready, _ = ray.wait([call], timeout=ASK_EVERY_S)
        try:
            heard: Heard | None = ray.get(ready[0]) if ready else None
        except RayActorError:
            return None
        return heard

    def stop(self) -> list[Any]:
        """Have all recordings left, and wait for that.

        Returns:
            Actors that have not left theirs.
        """
        self.closing = True
        with self._lock:
            actors = list(self._actors.values())
        for actor in actors:
            actor.stop.options(concurrency_group=LISTENING).remote()
        waited_s = 0.0
        while self._actors and waited_s < STOP_S:
            time.sleep(ASK_EVERY_S)
            waited_s += ASK_EVERY_S
        with self._lock:
            return list(self._actors.values())
