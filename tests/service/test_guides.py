"""Every command of the READMEs and the guides does what it says there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import fsspec
import pytest
from decided_store import CONFIRM, NOT_THERE, DecidedStore
from object_store import KEYS

from service.store.database import Database
from service.store.migrate import upgrade
from tests.frames.encoded_clips import encode
from tests.report.runs import entry, run_folder, violation

ROOT = Path(__file__).parents[2]
CHINESE = "README.zh-CN.md"
PAGES = (
    "README.md",
    CHINESE,
    *sorted(f"docs/guides/{path.name}" for path in (ROOT / "docs/guides").glob("*.md")),
)

NOT_RUN = {
    "python3 -m venv": "installs from the network; CI does it for the checkout",
    ".venv/bin/pip install": "installs from the network; tests/service/review tries the service",
    "pip install": "installs from the network; CI does it for the checkout",
    "jiexu demo": "takes minutes; its parts are tried by tests/learn/scenes and tests/test_scan.py",
    "jiexu scan rtsp:": "needs a camera; tests/service/cameras/test_rtsp.py reads from a server",
    "export JIEXU_POST_SECRET": "a secret of one's own; see tests/service/test_posting_example.py",
    "jiexu scan recordings/ --out run1 --post": "needs a receiver: test_posting_example.py",
    "jiexu post": "needs a receiver: test_posting_example.py",
    "jiexu dataset lint FOLDER": "needs pictures: tests/learn/commands",
    "jiexu train": "trains: tests/learn",
    "jiexu evaluate": "needs a data set: tests/learn",
    "jiexu compare": "needs a data set: tests/learn",
    "jiexu export": "needs trained weights: tests/learn",
    "jiexu calibrate-int8": "quantises for minutes: tests/learn",
}
"""Beginnings of commands that are not run here, and why."""

LONG_RUNNING = ("jiexu serve", "jiexu sandbox")
TYPED = "a password for trials\n"

SITE = """\
timezone: Asia/Shanghai
cameras:
  - id: gate
    zones:
      - {{id: footway, purpose: footway, points: [[0, 0], [1, 0], [1, {bottom}], [0, {bottom}]]}}
"""


TRUTH = [
    {
        "file": "gate.mp4",
        "duration_s": 10.0,
        "events": [
            {
                "type": "debris_pile",
                "box_xyxy": [1, 2, 30, 40],
                "start_s": 2.0,
                "end_s": None,
                "expected": "alert",
            }
        ],
    }
]


def commands(page: str) -> list[str]:
    """Commands of a page's ``sh`` blocks, continued lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := re.sub(r"\s+#\s.*", "", line).strip())]


def why_not_run(command: str) -> str | None:
    """Why a command is not run, ``None`` if it is."""
    found = [start for start in NOT_RUN if command.startswith(start)]
    return NOT_RUN[max(found, key=len)] if found else None


class Workplace:
    """A folder with what the commands need, in which each is run once."""

    def __init__(self, folder: Path, store: str) -> None:
        self._folder = folder
        self._store = store
        self._done: set[str] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._prepare()

    def run(self, command: str) -> None:
        if command in self._done:
            return
        self._done.add(command)
        if command.startswith(LONG_RUNNING):
            self._serve(command)
            return
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env=self._environment,
            input=TYPED,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def _serve(self, command: str) -> None:
        """Start what runs on, ask it, and end it."""
        given = f" --port {self._port}"
        log = self._folder / "serve.log"
        with log.open("w") as written:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}{given}"],
                cwd=self._folder,
                env=self._environment,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + 120
            while not self._answers():
                assert process.poll() is None, f"{command}\n{log.read_text()}"
                assert time.monotonic() < deadline, f"{command}: does not answer"
                time.sleep(0.2)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except HTTPError:
            return True  # the sandbox has no such page, and says so
        except URLError:
            return False

    def _prepare(self) -> None:
        bin_folder = self._folder / "bin"
        bin_folder.mkdir()
        shim = bin_folder / "jiexu"
        shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m service "$@"\n')
        shim.chmod(0o755)
        self._environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("JIEXU_")},
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            **KEYS,
            "AWS_ENDPOINT_URL_S3": self._store,
            "JIEXU_SCRATCH": str(self._folder / "scratch"),
        }
        clip = encode(self._folder / "gate.mp4")
        (self._folder / "recordings").mkdir()
        shutil.copy(clip, self._folder / "recordings/gate.mp4")
        shutil.copy(clip, self._folder / "clip.mp4")
        store = fsspec.filesystem(
            "s3",
            endpoint_url=self._store,
            key=KEYS["AWS_ACCESS_KEY_ID"],
            secret=KEYS["AWS_SECRET_ACCESS_KEY"],
            skip_instance_cache=True,
        )
        store.mkdir("archive")
        store.put_file(str(clip), "archive/may/gate.mp4")
        for name, bottom in (("site.yaml", 1), ("new.yaml", 0.5)):
            (self._folder / name).write_text(SITE.format(bottom=bottom))
        (self._folder / "truth.json").write_text(json.dumps(TRUTH))
        shipped = ROOT / "datasets/catalogues/yuncheng.yaml"
        (self._folder / "mycity.yaml").write_text(
            shipped.read_text("utf-8").replace("id: yuncheng", "id: mycity"), "utf-8"
        )
        self._prepare_run()
        self._prepare_store()

    def _prepare_run(self) -> None:
        """A run whose heaps were decided: wrong below a confidence of 0.6."""
        run = self._folder / "run-monday"
        run.mkdir()
        heaps = [violation(run, n, kind="debris_pile", confidence=0.5 + n / 200) for n in range(60)]
        run_folder(run, [entry()], heaps)
        decisions = [
            {
                "violation_id": heap.id,
                "decision": "rejected" if heap.confidence < 0.6 else "confirmed",
                "decided_at": "2026-05-04T09:12:31+08:00",
            }
            for heap in heaps
        ]
        text = "".join(json.dumps(one) + "\n" for one in decisions)
        (run / "reviewed.jsonl").write_text(text)

    def _prepare_store(self) -> None:
        """The service's data with two decided cases."""
        data = self._folder / "jiexu-data"
        data.mkdir()
        database = Database(f"sqlite:///{data / 'jiexu.db'}")
        upgrade(database)
        store = DecidedStore(database, data, kept="evidence")
        store.case(0, CONFIRM)
        store.case(1, NOT_THERE, camera_id="yard")
        database.close()


@pytest.fixture(scope="module")
def workplace(object_store: str, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    return Workplace(tmp_path_factory.mktemp("guides"), object_store)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_runs(page: str, workplace: Workplace) -> None:
    for command in commands(page):
        if why_not_run(command) is None:
            workplace.run(command)


def test_what_is_not_run_stands_on_a_page() -> None:
    everything = [command for page in PAGES for command in commands(page)]
    unused = [start for start in NOT_RUN if not any(c.startswith(start) for c in everything)]
    assert unused == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(#[\w-]+)?\)", text):
        path, anchor = target
        if "://" in path:
            continue
        file = (ROOT / page).parent / path
        assert file.exists(), path
        if anchor and file.suffix == ".md":
            heads = re.findall(r"^#+ (.*)", file.read_text("utf-8"), re.M)
            assert anchor[1:] in {slug(head) for head in heads}, f"{path}{anchor}"


def test_the_chinese_readme_has_no_command_of_its_own() -> None:
    english = {command for page in PAGES if page != CHINESE for command in commands(page)}
    assert [command for command in commands(CHINESE) if command not in english] == []


def slug(head: str) -> str:
    """Anchor that GitHub gives a heading."""
    plain = re.sub(r"[^\w\- ]", "", head.strip().lower())
    return plain.replace(" ", "-")
