"""The engine that scans on a Ray cluster; import it only where Ray is wanted."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from vision.cluster.at_work import ASK_EVERY_S, AtWork, answer_of, this_node
from vision.cluster.conductor import Conductor
from vision.cluster.detector import ClusterDetector
from vision.cluster.listening import LISTENING, Heard
from vision.cluster.options import ClusterOptions
from vision.cluster.parcels import Loaded, Model, Task
from vision.cluster.pool import GROUPS, INSPECTING, ClusterError
from vision.cluster.soloists import Soloists
from vision.cluster.worker import Worker
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry
from vision.engine import Result, Work
from vision.errors import ModelError
from vision.run_folder import RunFolder
from vision.scan_input import Progress

log = logging.getLogger(__name__)

WORKERS_A_CONDUCTOR = 4
"""Looks are judged at about the pace at which so many workers see them."""

BEGUN_A_CONDUCTOR = 4
"""Inputs begun to each conductor, so that none waits behind a long recording."""

WAITING = 2
"""Inputs begun beyond those that workers scan whole."""

START_S = 300.0
"""So long the first worker may take to start."""

CONDUCTOR_LOSSES = 4


class ClusterEngine:
    """See :class:`vision.engine.Engine`.

    Args:
        options: How the cluster is used.

    Raises:
        ClusterError: The cluster cannot be reached, or has no room for a worker.
    """

    def __init__(self, options: ClusterOptions) -> None:
        self._options = options
        _join(options)
        try:
            self._workers = self._start_workers()
            count = len(self._workers)
            conductors = min(-(-count // WORKERS_A_CONDUCTOR), os.cpu_count() or 1)
            self._share = -(-count // conductors)
            self._conductors = _Conductors(self._workers, conductors)
            self._soloists = Soloists(self._workers)
        except BaseException:
            ray.shutdown()
            raise
        self.at_once = max(BEGUN_A_CONDUCTOR * conductors, count + WAITING)

    def detector(self, entry: ModelEntry, runtime: str | None) -> Detector:
        """See :meth:`vision.engine.Engine.detector`; all workers must load the same model.

        Raises:
            ModelError: A worker cannot load it, or workers chose different runtimes or files.
        """
        model = Model(
            entry,
            runtime,
            self._options.worker_cpus,
            "cuda" if self._options.worker_gpus else "auto",
        )
        loaded: list[Loaded] = answer_of([one.load.remote(model) for one in self._workers])
        for other in loaded[1:]:
            if (other.runtime, other.model_sha256) != (loaded[0].runtime, loaded[0].model_sha256):
                raise ModelError(
                    f"model {entry.name}: {loaded[0].host} runs it with {loaded[0].runtime}, "
                    f"{other.host} with {other.runtime} or other files: say --runtime, and install "
                    "the same on all machines"
                )
        return ClusterDetector(model, loaded[0])

    def warm(self, detector: Detector, size: tuple[int, int]) -> None:
        """See :meth:`vision.engine.Engine.warm`; every worker does so."""
        assert isinstance(detector, ClusterDetector)
        for worker in self._workers:
            worker.warm.options(concurrency_group=INSPECTING).remote(detector.model, size)

    def begin(self, work: Work, folder: RunFolder, progress: Progress) -> Callable[[], Result]:
        """See :meth:`vision.engine.Engine.begin`."""
        detector = work.detector
        assert isinstance(detector, ClusterDetector)
        task = Task(
            work.job, work.key, folder.root.absolute(), detector.model, work.classifier_entry
        )
        listen: Callable[[str], Heard | None]
        # Only recordings lie where every worker can read them.
        is_recording = work.job.input.kind == "video"
        if is_recording and is_scanned_whole(work.number, work.of, len(self._workers)):
            under_way, listen = self._soloists.scan(task), self._soloists.heard
        else:
            under_way = self._conductors.scan(task, detector.loaded, self._share)
            listen = self._conductors.heard

        def result() -> Result:
            progress.input_started(work.job.input.name, work.number, work.of)
            return _awaited(under_way, partial(listen, work.key), progress)

        return result

    def described(self) -> dict[str, Any]:
        """See :meth:`vision.engine.Engine.described`."""
        return {
            "name": "ray",
            "workers": len(self._workers),
            "worker_cpus": self._options.worker_cpus,
            "worker_gpus": self._options.worker_gpus,
            "conductors": len(self._conductors),
            "calls_repeated": self._conductors.lost + self._soloists.lost,
        }

    def close(self) -> None:
        """See :meth:`vision.engine.Engine.close`; the cluster itself lives on if it was joined."""
        closing = threading.Thread(target=self._soloists.close)
        closing.start()
        self._conductors.close()
        closing.join()
        for worker in self._workers:
            ray.kill(worker)
        ray.shutdown()

    def _start_workers(self) -> list[Any]:
        options = self._options
        free = ray.available_resources()
        room = int(free.get("CPU", 0.0) // options.worker_cpus)
        if options.worker_gpus:
            room = min(room, int(free.get("GPU", 0.0) / options.worker_gpus + 1e-9))
        count = options.workers or room
        if count < 1:
            raise ClusterError(
                f"the cluster has no room for a worker: {free.get('CPU', 0):g} CPUs and "
                f"{free.get('GPU', 0):g} GPUs are free"
            )
        made = ray.remote(
            num_cpus=options.worker_cpus,
            num_gpus=options.worker_gpus,
            max_restarts=-1,
            max_task_retries=0,
            concurrency_groups=GROUPS,
        )(Worker)
        workers = [made.options(scheduling_strategy="SPREAD").remote() for _ in range(count)]
        ready, late = ray.wait(
            [one.is_up.remote() for one in workers], num_returns=count, timeout=START_S
        )
        if late:
            raise ClusterError(
                f"only {len(ready)} of {count} workers started within {START_S:.0f} s: "
                "say fewer with --workers"
            )
        return workers


def is_scanned_whole(number: int, of: int, workers: int) -> bool:
    """Whether a recording is scanned whole by one worker, which costs less than cutting it up.

    As many are as give every worker the same number of them; the rest are cut into segments, which
    all workers share.

    Args:
        number: Its place among the inputs, from 1.
        of: Number of inputs.
        workers: Number of workers.
    """
    return number <= of - of % workers


def _awaited(
    under_way: Future[Result], listen: Callable[[], Heard | None], progress: Progress
) -> Result:
    """The result of a recording; meanwhile it is told how far that has come."""
    told = False
    while not wait([under_way], timeout=ASK_EVERY_S).done:
        heard = listen()
        if heard is not None and heard.duration_s is not None and not told:
            progress.opened(heard.duration_s)
            told = True
        if heard is not None and heard.time_s:
            progress.looked(heard.time_s, heard.violations)
    return under_way.result()


def _join(options: ClusterOptions) -> None:
    """Join the cluster, or start one on this machine.

    Raises:
        ClusterError: It cannot be reached.
    """
    try:
        if options.address is not None:
            ray.init(address=options.address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            ray.init(
                address="local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False,
                # Ray would give its processes less of the machine than all others have.
                _system_config={"worker_niceness": 0},
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"--address {options.address}: no Ray cluster can be joined: {error}"
        ) from error


class _Conductors:
    """Conductors on this machine, each with one recording at a time."""

    def __init__(self, workers: list[Any], count: int) -> None:
        self.lost = 0
        self._workers = workers
        self._count = count
        self._at_work = AtWork()
        self._idle = [self._start() for _ in range(count)]
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="conductor")

    def __len__(self) -> int:
        return self._count

    def scan(self, task: Task, loaded: Loaded, share: int) -> Future[Result]:
        """Have a recording scanned by the next conductor that is free, with so many workers."""
        return self._threads.submit(self._scan, task, loaded, share)

    def heard(self, key: str) -> Heard | None:
        """How far a recording has come; ``None`` if it is not under way or cannot be asked."""
        heard = self._at_work.heard(key)
        if heard is not None:
            self.lost = max(self.lost, heard.lost)
        return heard

    def close(self) -> None:
        """Stop what is under way, and end the conductors."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        left = self._at_work.stop()
        for conductor in [*self._idle, *left]:
            ray.kill(conductor)

    def _scan(self, task: Task, loaded: Loaded, share: int) -> Result:
        for _ in range(CONDUCTOR_LOSSES):
            conductor = self._idle.pop()
            try:
                with self._at_work.on(task.key, conductor):
                    result = answer_of(conductor.scan.remote(task, loaded, share))
            except RayActorError as error:
                if self._at_work.closing:
                    raise KeyboardInterrupt from error
                log.warning("conductor lost: %s", error)
                conductor = self._start()
            else:
                if result is None:
                    raise KeyboardInterrupt
                return dict(result)
            finally:
                self._idle.append(conductor)
        raise ClusterError(
            f"{task.job.input.name}: {CONDUCTOR_LOSSES} conductors were lost over it"
        )

    def _start(self) -> Any:
        here = NodeAffinitySchedulingStrategy(this_node(), soft=False)
        made = ray.remote(num_cpus=0, concurrency_groups={LISTENING: 1})(Conductor)
        return made.options(scheduling_strategy=here).remote(self._workers)
