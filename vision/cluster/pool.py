"""The workers of a cluster, and calls to them that outlive the loss of any."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from ray.exceptions import ObjectLostError, RayActorError, RayTaskError, WorkerCrashedError

from vision.cluster.listening import LISTENING
from vision.errors import JiexuError

T = TypeVar("T")

log = logging.getLogger(__name__)

READING, INSPECTING, SCANNING = "reading", "inspecting", "scanning"
"""Threads of a worker: what inspects never waits for what reads, nor for a whole recording."""

GROUPS = {READING: 1, INSPECTING: 1, SCANNING: 1, LISTENING: 1}

LOSSES = 8
"""A call whose worker was lost so many times is given up: it may be what kills them."""

RETURN_S = 300.0
"""So long the scan waits for a worker while there is none."""

ASK_EVERY_S = 2.0
"""Between questions whether a worker is up."""

SILENT_S = 20.0
"""A worker that does not answer that for so long is taken for lost: Ray keeps calls to one that it
cannot place again for ever."""

LOST = (RayActorError, WorkerCrashedError, ObjectLostError)


class ClusterError(JiexuError):
    """The cluster cannot be used, or has too few workers left."""


@dataclass(frozen=True)
class Reply:
    """What a worker answered.

    Attributes:
        value: The answer.
        worker: Index of the worker that gave it.
    """

    value: Any
    worker: int


def answered(call: Future[Reply], take: Callable[[Any], T]) -> Future[T]:
    """What is taken from the answer of a call, once it is there; its failure is passed on."""
    answer: Future[T] = Future()

    def arrived(reply: Future[Reply]) -> None:
        error = reply.exception()
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(take(reply.result().value))

    call.add_done_callback(arrived)
    return answer


@dataclass(eq=False)
class _Call:
    """A call under way; the first answer counts."""

    method: str
    arguments: tuple[Any, ...]
    group: str
    future: Future[Reply] = field(default_factory=Future)
    losses: int = 0


class WorkerPool:
    """Calls to workers, spread over those that live.

    Several pools, in several processes, may share the same workers.

    Args:
        handles: Ray's handles of the workers.

    Attributes:
        lost: Calls that had to be made again because their worker was lost.
    """

    def __init__(self, handles: Sequence[Any]) -> None:
        self.lost = 0
        self._handles = list(handles)
        self._under_way: list[set[_Call]] = [set() for _ in handles]
        self._up = [True for _ in handles]
        self._stranded: list[_Call] = []
        self._last_up_s = time.monotonic()
        self._lock = threading.RLock()
        self._closed = threading.Event()
        # Replies are handled outside of Ray's own threads, from which nothing may be called.
        self._replies = ThreadPoolExecutor(1, thread_name_prefix="replies")
        for worker in range(len(handles)):
            threading.Thread(target=self._watch, args=(worker,), daemon=True).start()

    def __len__(self) -> int:
        return len(self._handles)

    def call(
        self,
        method: str,
        *arguments: Any,
        group: str,
        worker: int | None = None,
    ) -> Future[Reply]:
        """Call a method of :class:`~vision.cluster.worker.Worker`.

        Args:
            method: Its name.
            arguments: Its arguments.
            group: :data:`READING` or :data:`INSPECTING`.
            worker: Which worker is best asked; the least busy one without it.

        Returns:
            Future of the reply. It raises what the method raised, or :class:`ClusterError` where
            the call lost :data:`LOSSES` workers or none came back.
        """
        call = _Call(method, arguments, group)
        self._send(call, worker)
        return call.future

    def tell_all(self, method: str, *arguments: Any) -> None:
        """Call a method of every worker, without waiting for any answer."""
        for handle in self._handles:
            getattr(handle, method).options(concurrency_group=READING).remote(*arguments)

    def close(self) -> None:
        """Wait for no reply any more; the workers themselves live on."""
        self._closed.set()
        self._replies.shutdown(wait=False, cancel_futures=True)

    def _send(self, call: _Call, wish: int | None) -> None:
        with self._lock:
            worker = self._chosen(call.group, wish)
            if worker is None:
                self._stranded.append(call)
                return
            self._under_way[worker].add(call)
        method = getattr(self._handles[worker], call.method)
        reference = method.options(concurrency_group=call.group).remote(*call.arguments)
        reference.future().add_done_callback(partial(self._hand_over, call, worker))

    def _hand_over(self, call: _Call, worker: int, reply: Future[Any]) -> None:
        if not self._closed.is_set():
            self._replies.submit(self._ended, call, worker, reply)

    def _chosen(self, group: str, wish: int | None) -> int | None:
        """The worker wished for if it lives, else the least busy one."""
        if wish is not None and self._up[wish]:
            return wish
        living = [index for index, up in enumerate(self._up) if up]
        return min(living, key=lambda index: self._busy(index, group), default=None)

    def _busy(self, worker: int, group: str) -> int:
        return sum(call.group == group for call in self._under_way[worker])

    def _ended(self, call: _Call, worker: int, reply: Future[Any]) -> None:
        with self._lock:
            mine = call in self._under_way[worker]
            self._under_way[worker].discard(call)
            error = reply.exception()
            lost = isinstance(error, LOST)
            if call.future.done() or (lost and not mine):
                return
            if not lost:
                self._answer(call, worker, reply)
                return
            call.losses += 1
        log.warning("worker %d lost during %s: %s", worker, call.method, error)
        if call.losses >= LOSSES:
            call.future.set_exception(
                ClusterError(f"{call.losses} workers were lost over one {call.method}: {error}")
            )
            self._lose(worker)
        else:
            self._lose(worker, call)

    def _answer(self, call: _Call, worker: int, reply: Future[Any]) -> None:
        error = reply.exception()
        if error is None:
            call.future.set_result(Reply(reply.result(), worker))
        else:
            call.future.set_exception(error.cause if isinstance(error, RayTaskError) else error)

    def _watch(self, worker: int) -> None:
        """Ask a worker again and again whether it is up."""
        while not self._closed.wait(ASK_EVERY_S):
            try:
                self._handles[worker].is_up.remote().future().result(timeout=SILENT_S)
            except (*LOST, TimeoutError):
                self._lose(worker)
                self._give_up()
            else:
                self._take_back(worker)

    def _lose(self, worker: int, *failed: _Call) -> None:
        """Do without a worker for now; others do what it was asked to."""
        with self._lock:
            self._up[worker] = False
            calls = [*failed, *self._under_way[worker]]
            self._under_way[worker].clear()
            self.lost += len(calls)
        for call in calls:
            self._send(call, None)

    def _take_back(self, worker: int) -> None:
        with self._lock:
            self._up[worker] = True
            self._last_up_s = time.monotonic()
            stranded, self._stranded = self._stranded, []
        for call in stranded:
            self._send(call, None)

    def _give_up(self) -> None:
        """Fail what waits for a worker if there has been none for too long."""
        with self._lock:
            if any(self._up) or time.monotonic() - self._last_up_s < RETURN_S:
                return
            stranded, self._stranded = self._stranded, []
        for call in stranded:
            call.future.set_exception(
                ClusterError(f"no worker of the cluster came back within {RETURN_S:.0f} s")
            )
