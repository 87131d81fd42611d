"""Scans as processes of their own, timed as a whole."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

PARTS = 8
SAMPLE_S = 0.5


def command(clip: Path, out: Path) -> list[str]:
    """The command line of a scan."""
    return [sys.executable, "-m", "service", "scan", str(clip), "--out", str(out)]


def scan(clip: Path, out: Path, arguments: list[str]) -> tuple[float, dict[str, Any]]:
    """Run ``jiexu scan`` into an empty folder; returns seconds and ``run.json``."""
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    subprocess.run([*command(clip, out), *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began, json.loads((out / "run.json").read_text("utf-8"))


def scan_and_watch(
    clip: Path, out: Path, seconds: float, arguments: list[str]
) -> dict[str, float | list[float]]:
    """Scan a clip and sample the memory of the scan.

    Args:
        clip: The clip.
        out: Run folder.
        seconds: Length of the clip.
        arguments: Further options of the scan.

    Returns:
        ``times_real``, ``seconds``, ``looks``, ``violations`` and, in MB, ``peak`` and
        ``medians``: of the resident memory in each eighth of the time.
    """
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    process = psutil.Popen([*command(clip, out), *arguments], stdout=subprocess.DEVNULL)
    seen: list[float] = []
    while process.poll() is None:
        try:
            seen.append(process.memory_info().rss / 1e6)
        except psutil.Error:
            break
        time.sleep(SAMPLE_S)
    if process.wait():
        raise SystemExit(f"the scan of {clip} failed")
    took_s = time.perf_counter() - began
    totals = json.loads((out / "run.json").read_text("utf-8"))["totals"]
    parts = [seen[len(seen) * i // PARTS : len(seen) * (i + 1) // PARTS] for i in range(PARTS)]
    return {
        "times_real": round(seconds / took_s, 1),
        "seconds": round(took_s, 1),
        "looks": totals["looks"],
        "violations": totals["violations"],
        "peak": round(max(seen), 1),
        "medians": [round(statistics.median(part), 1) for part in parts if part],
    }
