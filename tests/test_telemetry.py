"""What libraries do beside their work, seen by Python's audit hooks in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vision.telemetry import SWITCHES

WATCH = """
import os, sys
NEWS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "os.fork")
def heard(event, arguments):
    if event in NEWS:
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{arguments}}\\n")
sys.addaudithook(heard)
"""

USE = """
import time
import numpy as np
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
detector = load_detector(load_registry().model())
detector.detect([np.zeros((90, 160, 3), np.uint8)])
time.sleep(1)
"""


def calls_of(code: str, folder: Path) -> list[str]:
    """Look-ups of names, connections and forks of a process, its children's included."""
    log = folder / "calls"
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    subprocess.run(
        [sys.executable, "-c", WATCH.format(log=str(log)) + code],
        check=True,
        env=environment | {"HOME": str(folder)},
        capture_output=True,
        timeout=120,
    )
    return log.read_text().splitlines() if log.exists() else []


def test_openvino_left_to_itself_reports_each_import(tmp_path: Path) -> None:
    calls = calls_of("import openvino, time; time.sleep(2)", tmp_path)
    assert any(call.startswith(("socket.", "os.fork")) for call in calls)


def test_a_detector_at_work_connects_to_nothing(tmp_path: Path) -> None:
    assert calls_of(USE, tmp_path) == []
    assert not (tmp_path / "intel").exists()


@pytest.mark.parametrize(("name", "off"), SWITCHES.items())
def test_reporting_is_off_unless_an_operator_wants_it(name: str, off: str) -> None:
    code = f"import os, vision; print(os.environ[{name!r}])"
    for given, expected in (({}, off), ({name: "as set"}, "as set")):
        clean = {k: v for k, v in os.environ.items() if k != name}
        told = subprocess.run(
            [sys.executable, "-c", code], check=True, env=clean | given, capture_output=True
        )
        assert told.stdout.decode().strip() == expected
