"""Workers that scan recordings whole, each one at a time."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import ray

from vision.cluster.at_work import AtWork, answer_of, this_node
from vision.cluster.listening import Heard
from vision.cluster.parcels import Task
from vision.cluster.pool import (
    ASK_EVERY_S,
    LOSSES,
    LOST,
    RETURN_S,
    SCANNING,
    SILENT_S,
    ClusterError,
)
from vision.cluster.solo import brought_home, packed
from vision.engine import Result
from vision.run_folder import RunFolder

log = logging.getLogger(__name__)


class Soloists:
    """Spreads recordings over workers.

    Args:
        workers: Ray's handles of the workers.

    Attributes:
        lost: Recordings that had to be begun again because their worker was lost.
    """

    def __init__(self, workers: Sequence[Any]) -> None:
        self.lost = 0
        self._home = this_node()
        self._idle = deque(workers)
        self._at_work = AtWork()
        self._threads = ThreadPoolExecutor(len(workers), thread_name_prefix="soloist")

    def scan(self, task: Task) -> Future[Result]:
        """Have a recording scanned by the next worker that is free."""
        return self._threads.submit(self._scan, task)

    def heard(self, key: str) -> Heard | None:
        """How far a recording has come; ``None`` if it is not under way or cannot be asked."""
        return self._at_work.heard(key)

    def close(self) -> None:
        """Stop what is under way; what was found until then is brought home."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._at_work.stop()

    def _scan(self, task: Task) -> Result:
        folder = RunFolder(task.root)
        for _ in range(LOSSES):
            worker = self._next()
            try:
                with self._at_work.on(task.key, worker):
                    kept = packed(folder, task.key, evidence=False)
                    scan = worker.scan.options(concurrency_group=SCANNING)
                    played = answer_of(scan.remote(task, self._home, kept))
                    result = brought_home(played, folder, task.key)
            except LOST as error:
                if self._at_work.closing:
                    raise KeyboardInterrupt from error
                log.warning("worker lost during %s: %s", task.job.input.name, error)
                self.lost += 1
                continue
            finally:
                self._idle.append(worker)
            if result is None:
                raise KeyboardInterrupt
            return result
        raise ClusterError(f"{task.job.input.name}: {LOSSES} workers were lost over it")

    def _next(self) -> Any:
        """A worker that is idle and answers.

        Raises:
            ClusterError: There was none for too long.
            KeyboardInterrupt: It is over.
        """
        until_s = time.monotonic() + RETURN_S
        while time.monotonic() < until_s:
            if self._at_work.closing:
                raise KeyboardInterrupt
            # There are as many threads as workers, so one is idle.
            worker = self._idle.popleft()
            try:
                ready, _ = ray.wait([worker.is_up.remote()], timeout=SILENT_S)
                if ready and ray.get(ready[0]):
                    return worker
            except LOST:
                time.sleep(ASK_EVERY_S)
            self._idle.append(worker)
        raise ClusterError(f"no worker of the cluster came back within {RETURN_S:.0f} s")
