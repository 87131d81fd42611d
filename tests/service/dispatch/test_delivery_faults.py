"""The fault run in short: real processes, a platform that fails, a service that is killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[3] / "benchmarks" / "delivery_faults.py"


@pytest.mark.slow
def test_killed_again_and_again_every_case_arrives_once_and_both_sides_agree(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, str(RUN), "--cases", "150", "--kills", "2", "--kill-after", "6"),
            *("--step", "0.3", "--down-every", "15", "--down-for", "3"),
            *("--time-scale", "0.0001", "--limit", "420", "--json", str(tmp_path / "result.json")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert ended.returncode == 0, ended.stdout[-4000:] + ended.stderr[-4000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["cases"], result["kills"], result["faults"]) == (150, 2, [])
    assert result["attempts"] > 150, "the platform did fail"
