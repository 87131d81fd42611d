"""Scan real clips with known events and say, clip by clip, what was found, missed and raised.

    python -m benchmarks.events CLIPS_FOLDER --out DIR [--site benchmarks/clips-site.yaml]

``CLIPS_FOLDER`` holds the clips and their ``GROUND_TRUTH.json`` (its form: docs/scoring.md). The
comparison is that of ``jiexu score``; it goes to ``DIR/events.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from vision.report.summary import read_run
from vision.score.commands import show
from vision.score.events import Outcome, Verdict
from vision.score.run import RunScore, score_run
from vision.score.truth import read_truth

SITE = Path(__file__).parent / "clips-site.yaml"


def main() -> None:
    """Scan, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--every", type=float, help="look at a fixed pace")
    options = parser.parse_args()

    command = [sys.executable, "-m", "service", "scan", str(options.clips)]
    command += ["--site", str(options.site), "--out", str(options.out)]
    if options.every:
        command += ["--every", str(options.every)]
    code = subprocess.run(command, check=False).returncode
    result = score_run(options.out, read_truth(options.clips / "GROUND_TRUTH.json"))
    text = json.dumps({"exit_code": code} | result.as_json(), indent=2, ensure_ascii=False)
    (options.out / "events.json").write_text(text)
    print_clips(result, options.out)
    show(result)
    print("exit code", code)


def print_clips(result: RunScore, run_dir: Path) -> None:
    """Print what became of each event of each clip."""
    for entry in read_run(run_dir).inputs:
        seen = [f"{one.kind} from {one.start_s:.0f} s" for one in entry.health_events]
        print(f"{entry.name}: {entry.looks} looks", *seen, sep="; ")
        for one in result.score.events:
            if one.event.clip != entry.name:
                continue
            told = f" as {one.raised.kind}" if one.raised else ""
            if one.outcome is Outcome.FOUND:
                told += f", start off by {one.onset_error_s:+.1f} s"
            expected = one.event.in_force.value.replace("_", " ")
            print(f"    {one.outcome.value:15} {one.event.type} ({expected}){told}")
        for violation in result.score.violations:
            raised = violation.raised
            if raised.clip == entry.name and violation.verdict is not Verdict.RIGHT:
                why = f" ({violation.reason})" if violation.reason else ""
                print(
                    f"    {violation.verdict.value:15} {raised.kind} at {raised.start_s:.1f} s "
                    f"{raised.box}{why}"
                )


if __name__ == "__main__":
    main()
