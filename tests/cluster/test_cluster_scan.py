"""Scans on a real cluster of processes end as a scan in one process does, whatever is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import fsspec
import psutil
import pytest
from quiet import SECONDS, Quiet

from vision.archive import read_looks
from vision.cluster.options import ClusterOptions
from vision.cluster.start import cluster_engine
from vision.detect.registry import load_registry
from vision.scan import ScanOptions, ScanResult, run_scan
from vision.site import load_site
from vision.store import run_folder_of

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

SLOW_S = 0.5
"""Looks so close that a scan of half a minute lasts long enough to be stopped on the way."""


class Meddler(Quiet):
    """Does something once the scan has come so far."""

    def __init__(self, at_s: float, deed: Callable[[], None]) -> None:
        self.times: list[float] = []
        self._at_s = at_s
        self._deed: Callable[[], None] | None = deed

    def looked(self, time_s: float, violations: int) -> None:
        self.times.append(time_s)
        if time_s >= self._at_s and self._deed is not None:
            deed, self._deed = self._deed, None
            deed()


def options(street: Path, every_s: float | None) -> ScanOptions:
    site = load_site(street / "site.yaml")
    return ScanOptions(site=site, timezone=site.timezone, every_s=every_s)


def on_cluster(
    cluster: Any,
    street: Path,
    out: Path,
    *,
    every_s: float | None = None,
    progress: Quiet | None = None,
    inputs: str | None = None,
) -> ScanResult:
    return run_scan(
        [inputs or str(street / "clips")],
        out,
        options(street, every_s),
        load_registry(),
        progress or Quiet(),
        engine=cluster_engine(ClusterOptions(address=cluster.address, workers=2)),
    )


@pytest.fixture(scope="module")
def several(street: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of the camera: the clip, and two of its beginning."""
    folder = tmp_path_factory.mktemp("several")
    (clip,) = (street / "clips").glob("*.mp4")
    for name, until_s in (("first", SECONDS), ("second", 26.0), ("third", 22.0)):
        (folder / name).mkdir()
        with av.open(str(clip)) as source, av.open(str(folder / name / clip.name), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None and packet.pts * packet.time_base < until_s:
                    packet.stream = stream
                    target.mux(packet)
    return folder


@pytest.fixture(scope="module")
def local(street: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[float | None, Path]:
    """Runs of one process: at 2 s between looks, at 0.5 s, and adaptive."""
    runs: dict[float | None, Path] = {}
    for every_s in (2.0, SLOW_S, None):
        runs[every_s] = tmp_path_factory.mktemp("local") / "run"
        run_scan(
            [str(street / "clips")],
            runs[every_s],
            options(street, every_s),
            load_registry(),
            Quiet(),
        )
    return runs


def assert_same(run: Path, expected: Path) -> None:
    """The same violations, looks and pictures, byte for byte."""
    violations = (expected / "violations.jsonl").read_bytes()
    assert violations.count(b"\n") >= 1
    assert (run / "violations.jsonl").read_bytes() == violations
    assert looks_of(run) == looks_of(expected)
    files = sorted(path.relative_to(expected) for path in (expected / "evidence").rglob("*.*"))
    assert files == sorted(path.relative_to(run) for path in (run / "evidence").rglob("*.*"))
    for file in files:
        assert (run / file).read_bytes() == (expected / file).read_bytes(), file


def looks_of(run: Path) -> list[str]:
    return [repr(look) for look in read_looks(run / "detections.parquet")]


def actors(name: str) -> list[psutil.Process]:
    """Processes of the cluster that run an actor of this class."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [""])[0].startswith(f"ray::{name}")
    ]


def test_killed_processes_and_a_lost_node_change_nothing(
    cluster: Any, street: Path, tmp_path: Path, local: dict[float | None, Path]
) -> None:
    killed: list[str] = []

    def kill(name: str) -> None:
        for process in actors(name)[:1]:
            os.kill(process.pid, signal.SIGKILL)
            killed.append(name)

    def lose_a_node() -> None:
        cluster.remove_node(sorted(cluster.worker_nodes, key=id)[0], allow_graceful=False)
        killed.append("node")

    class Disaster(Meddler):
        def __init__(self) -> None:
            super().__init__(4.0, lambda: kill("Worker"))
            self._more = [(12.0, lose_a_node), (20.0, lambda: kill("Conductor"))]

        def looked(self, time_s: float, violations: int) -> None:
            super().looked(time_s, violations)
            while self._more and time_s >= self._more[0][0]:
                self._more.pop(0)[1]()

    result = on_cluster(cluster, street, tmp_path / "run", every_s=2.0, progress=Disaster())
    assert not result.failed
    assert killed[:2] == ["Worker", "node"]
    assert_same(tmp_path / "run", local[2.0])


def test_a_scan_that_was_stopped_goes_on(
    cluster: Any, street: Path, tmp_path: Path, local: dict[float | None, Path]
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    first = Meddler(4.0, stop)
    assert on_cluster(cluster, street, tmp_path / "run", every_s=SLOW_S, progress=first).interrupted
    _, alive = psutil.wait_procs(actors("Conductor"), timeout=20)
    assert not alive
    second = Meddler(SECONDS + 1, stop)
    assert not on_cluster(
        cluster, street, tmp_path / "run", every_s=SLOW_S, progress=second
    ).interrupted
    assert second.times[0] >= first.times[-1]
    assert_same(tmp_path / "run", local[SLOW_S])


def test_as_many_recordings_as_workers_are_scanned_whole_and_the_rest_in_segments(
    cluster: Any, street: Path, several: Path, tmp_path: Path
) -> None:
    """One is lost on the way, and the run is stopped and goes on: what comes of it is the same."""
    inputs = str(several)
    expected = tmp_path / "local"
    run_scan([inputs], expected, options(street, SLOW_S), load_registry(), Quiet())

    def stop() -> None:
        raise KeyboardInterrupt

    first = Meddler(4.0, stop)
    run = tmp_path / "run"
    assert on_cluster(
        cluster, street, run, every_s=SLOW_S, progress=first, inputs=inputs
    ).interrupted
    assert list((run / "inputs").rglob("position.npz")), "what was seen came home"

    second = Meddler(first.times[-1], lambda: os.kill(actors("Worker")[0].pid, signal.SIGKILL))
    result = on_cluster(cluster, street, run, every_s=SLOW_S, progress=second, inputs=inputs)
    assert not result.failed
    assert second.times[0] >= first.times[-1], "it went on where it was"
    assert json.loads((run / "run.json").read_text())["engine"]["calls_repeated"] >= 1
    assert not list((run / "inputs").rglob("position.npz"))
    assert_same(run, expected)


def test_a_cluster_finds_what_one_process_finds_also_from_a_store_and_into_it(
    cluster: Any, bucket: str, street: Path, tmp_path: Path, local: dict[float | None, Path]
) -> None:
    (clip,) = (street / "clips").glob("*.mp4")
    system = fsspec.filesystem("s3")
    system.put_file(str(clip), f"recordings/in/{clip.name}")
    with run_folder_of(f"{bucket}/out") as folder:
        result = on_cluster(cluster, street, folder, inputs=f"{bucket}/in")
    assert not result.failed
    assert not actors("Worker"), "a cluster that was joined is left as it was found"
    scratch = Path(os.environ["JIEXU_SCRATCH"])
    assert not list(scratch.rglob(clip.name)), "copies go when they have been scanned"

    system.get("recordings/out", str(tmp_path / "run"), recursive=True)
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (run["engine"]["name"], run["engine"]["workers"]) == ("ray", 2)
    assert (tmp_path / "run" / "report.html").exists()
    violations = tmp_path / "run" / "violations.jsonl"
    stored = violations.read_bytes()
    violations.write_bytes(stored.replace(f"{bucket}/in/{clip.name}".encode(), str(clip).encode()))
    assert_same(tmp_path / "run", local[None])

    with run_folder_of(f"{bucket}/out") as folder:
        run_scan([f"{bucket}/in"], folder, options(street, None), load_registry(), Quiet())
    assert json.loads(system.cat_file("recordings/out/run.json"))["totals"]["reused"] == 1
