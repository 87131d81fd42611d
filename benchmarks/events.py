"""Scan real clips with known events and say, clip by clip, what was found, missed and raised.

    python -m benchmarks.events CLIPS_FOLDER --out DIR [--site benchmarks/clips-site.yaml]

``CLIPS_FOLDER`` holds the clips and their ``GROUND_TRUTH.json``: a list of ``{file, events}``,
events with ``type``, ``box_xyxy`` in pixels, ``start_s``, ``end_s`` and ``expected``: ``alert``,
``alert_if_threshold<=Ns``, ``no_alert``, ``no_alert_unless_zone``, ``detect``, ``context`` or
``ignore``. A violation matches an event when their boxes share ``MATCH_IOU`` and their times touch.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from vision.observe.boxes import iou
from vision.record import ViolationRecord, read_violations

MATCH_IOU = 0.3
SITE = Path(__file__).parent / "clips-site.yaml"


def main() -> None:
    """Scan, compare, print; the comparison goes to ``DIR/events.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--site", type=Path, default=SITE)
    parser.add_argument("--every", type=float, help="look at a fixed pace")
    options = parser.parse_args()

    command = [sys.executable, "-m", "service.cli", "scan", str(options.clips)]
    command += ["--site", str(options.site), "--out", str(options.out)]
    if options.every:
        command += ["--every", str(options.every)]
    code = subprocess.run(command, check=False).returncode
    run = json.loads((options.out / "run.json").read_text())
    truth = {
        Path(clip["file"]).name: clip
        for clip in json.loads((options.clips / "GROUND_TRUTH.json").read_text())
    }
    violations = read_violations(options.out / "violations.jsonl")
    clips = {
        entry["name"]: compare(
            entry,
            truth[Path(entry["name"]).name],
            [v for v in violations if v.source.name == entry["name"]],
        )
        for entry in run["inputs"]
    }
    totals = Counter(row["outcome"] for clip in clips.values() for row in clip["events"])
    totals["raised without an event"] = sum(len(clip["raised"]) for clip in clips.values())
    result = {"exit_code": code, "totals": dict(totals), "clips": clips}
    (options.out / "events.json").write_text(json.dumps(result, indent=2, ensure_ascii=False))
    show(result)


def compare(
    entry: dict[str, Any], clip: dict[str, Any], violations: list[ViolationRecord]
) -> dict[str, Any]:
    """Match the violations of one clip with its events."""
    rows, used = [], set()
    for event in clip["events"]:
        box = event["box_xyxy"]
        matched = [v for v in violations if box and matches(v, event, tuple(box))]
        used.update(v.id for v in matched)
        rows.append(
            {
                "type": event["type"],
                "expected": event["expected"],
                "outcome": outcome(event["expected"], bool(matched)),
                "start_error_s": round(min(abs(v.start_s - event["start_s"]) for v in matched), 1)
                if matched
                else None,
                "kinds": sorted({v.kind for v in matched}),
            }
        )
    raised = [
        {"kind": v.kind, "box": v.box, "start_s": v.start_s, "signs": v.signs, "id": v.id}
        for v in violations
        if v.id not in used
    ]
    return {
        "looks": entry.get("looks"),
        "health": [
            f"{h['kind']} from {h['start_s']:.0f} s" for h in entry.get("health_events", [])
        ],
        "notes": entry.get("notes", []),
        "events": rows,
        "raised": raised,
    }


def matches(violation: ViolationRecord, event: dict[str, Any], box: tuple[float, ...]) -> bool:
    """Whether a violation tells of an event."""
    end_s = violation.last_seen_s if violation.end_s is None else violation.end_s
    touches = violation.start_s <= event["end_s"] and end_s >= event["start_s"]
    x1, y1, x2, y2 = box
    return touches and iou(violation.box, (x1, y1, x2, y2)) >= MATCH_IOU


def outcome(expected: str, found: bool) -> str:
    """What a match, or none, means for an event."""
    if expected == "alert" or re.match(r"alert_if_threshold<=", expected):
        return "found" if found else "missed"
    if expected.startswith("no_alert"):
        return "falsely raised" if found else "rightly quiet"
    return "not scored"


def show(result: dict[str, Any]) -> None:
    """Print the comparison."""
    for name, clip in result["clips"].items():
        print(f"{name}: {clip['looks']} looks", *clip["health"], sep="; ")
        for row in clip["events"]:
            kinds = f" as {', '.join(row['kinds'])}" if row["kinds"] else ""
            error = f", start off by {row['start_error_s']} s" if row["kinds"] else ""
            print(f"    {row['outcome']:15} {row['type']} ({row['expected']}){kinds}{error}")
        for row in clip["raised"]:
            print(f"    raised          {row['kind']} at {row['start_s']:.1f} s {row['box']}")
    print(result["totals"], "exit code", result["exit_code"])


if __name__ == "__main__":
    main()
