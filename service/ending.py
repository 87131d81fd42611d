"""The end of the service: everything ends side by side, in a time, whatever hangs."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

WITHIN_S = 9.0
"""Whoever stops the service waits ten seconds, and a busy machine is late to hear of it and to let
go; what has not ended by then is left to itself."""

SPARE_S = 0.5
"""Of that, for what has to be done last."""

Step = Callable[[float], object]
"""Ends something; is told how many seconds there are for it."""


class Ending:
    """Ends what runs.

    Steps begin together, each in a thread of its own, so that a detector that hangs does not keep
    the memory of cameras from being saved.

    Args:
        steps: How to end each thing, by name.
        within_s: Seconds from the beginning of the end.
        exit_now: Ends the process at once.
    """

    def __init__(
        self,
        steps: Mapping[str, Step],
        within_s: float = WITHIN_S,
        exit_now: Callable[[int], object] = os._exit,
    ) -> None:
        self._steps = steps
        self._within_s = within_s
        self._exit_now = exit_now
        # A second signal may come while the first begins the end.
        self._lock = threading.RLock()
        self._until_s: float | None = None
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Begin to end; asked for again, it goes on as it is. Returns at once.

        From now on the process ends when the time is over, also where its interpreter would wait.
        """
        with self._lock:
            if self._until_s is not None:
                return
            self._until_s = time.monotonic() + self._within_s
        self._threads = [
            threading.Thread(target=self._end, args=step, name=f"end-{step[0]}", daemon=True)
            for step in self._steps.items()
        ]
        for thread in (*self._threads, threading.Thread(target=self._guard, daemon=True)):
            thread.start()

    def wait(self) -> list[str]:
        """Begin, if that was not done, and wait until all has ended or the time is nearly over.

        Returns:
            What has not ended.
        """
        self.begin()
        for thread in self._threads:
            thread.join(max(0.0, self.left_s - SPARE_S))
        late = [thread.name.removeprefix("end-") for thread in self._threads if thread.is_alive()]
        if late:
            log.warning("the service ends although these have not: %s", ", ".join(late))
        return late

    def leave(self, code: int) -> None:
        """End the process now that all has ended.

        An interpreter takes itself apart for seconds where the machine is busy, and cannot be
        stopped in that.
        """
        for child in multiprocessing.active_children():
            child.kill()
        for handler in logging.getLogger().handlers:
            handler.flush()
        self._exit_now(code)

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        if self._until_s is None:
            return self._within_s
        return max(0.0, self._until_s - time.monotonic())

    def _end(self, name: str, step: Step) -> None:
        began_s = time.monotonic()
        try:
            step(max(0.0, self.left_s - SPARE_S))
        except Exception:
            log.exception("%s did not end as it should", name)
        else:
            log.info("%s ended in %.1f s", name, time.monotonic() - began_s)

    def _guard(self) -> None:
        time.sleep(self.left_s)
        log.warning("the time to end is over")
        self._exit_now(0)
