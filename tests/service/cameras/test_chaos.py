"""A short form of the chaos trial: everything breaks once within half a minute."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.slow, pytest.mark.rtsp]


def test_every_scripted_violation_is_one_case_whatever_breaks(
    gstreamer: None, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.live_chaos", "--short", "--out", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    figures = json.loads((tmp_path / "live_chaos.json").read_text())
    assert len(figures["faults"]) == 7
    assert len(figures["faults_by_kind"]) == 7
    assert figures["found_as_one_case"] == figures["scripted_violations"] == 2, figures["scripted"]
    assert figures["unscripted"] == []
    assert figures["cases_without_evidence"] == []
    assert figures["crashes"] == []
    assert figures["not_stopped_in_time"] == []
    assert figures["processes_left"] == []
    assert figures["holds"]
