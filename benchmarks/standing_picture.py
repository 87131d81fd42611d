"""What the standing picture brings on crowded streets, and what it costs.

    python -m benchmarks.standing_picture --out DIR [--seeds 6] [--seconds 180]

Draws crowded footways with a heap among the people (``CROWD``) and scans each at several paces,
with and without the standing picture. For each pace: how many of the heaps became violations, in
which share of the looks the heap was detected once it had lain for ``SETTLED_S``, and how often the
detector ran. Then the cost of a look at 1080p on one core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import UTC
from pathlib import Path
from statistics import mean, median
from typing import Any

import cv2
import yaml

from vision.archive import read_looks
from vision.detect.detections import Detections
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
from vision.frames.recording import open_recording
from vision.learn.scenes import load_preset, render_clip
from vision.looking.standing_watch import StandingWatch
from vision.observe.boxes import iou
from vision.observe.families import family_of
from vision.record import read_violations

CROWD = Path(__file__).parent / "crowd-scene.yaml"
PACES_S = (2.0, 6.0)
LOOK_S = 2.0
DWELL_S = 40.0
SETTLED_S = 30.0
SAME_IOU = 0.4
FAMILY = {"debris_pile": "waste"}


def main() -> None:
    """Draw, scan, compare, print; the figures go to ``DIR/standing.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=180.0)
    options = parser.parse_args()

    clips = options.out / "clips"
    truths = {}
    for seed in range(options.seeds):
        clip = clips / f"crowd-{seed}-{options.seconds:.0f}s.mp4"
        if not clip.exists():
            render_clip(load_preset(CROWD), seed, clip, duration_s=options.seconds, fps=1 / LOOK_S)
        truths[clip.stem] = json.loads(clip.with_name(clip.name + ".truth.json").read_text())
    rows = [
        scan(options.out, clips, truths, every_s=every_s, standing=standing)
        for every_s in PACES_S
        for standing in (False, True)
    ]
    cost = cost_of_a_look(options.out / "cost.mp4")
    result = {"scans": rows, "ms_a_look": cost}
    (options.out / "standing.json").write_text(json.dumps(result, indent=2))
    for row in rows:
        how = "with" if row["standing"] else "without"
        print(
            f"every {row['every_s']:g} s, {how:7} the standing picture: "
            f"{row['found']} of {row['events']} events, {row['wrong']} wrong violations, "
            f"seen in {row['seen']:.0%} of looks, {row['inferences']} inferences"
        )
    print("ms a look at 1080p, one core:", cost)


def scan(
    out: Path, clips: Path, truths: dict[str, Any], *, every_s: float, standing: bool
) -> dict[str, Any]:
    """Scan all clips at one pace and compare with the truth."""
    cameras = [
        {"id": name, "standing_picture": standing, "zones": truth["zones"]}
        for name, truth in truths.items()
    ]
    rules = {
        "standing_object": {"enabled": False},
        "debris_pile": {"dwell_s": DWELL_S},
    }
    run = out / f"every-{every_s:g}-{'with' if standing else 'without'}"
    site = out / f"{run.name}.yaml"
    site.write_text(yaml.safe_dump({"timezone": "UTC", "cameras": cameras, "rules": rules}))
    command = [sys.executable, "-m", "service", "scan", str(clips), "--site", str(site)]
    command += ["--out", str(run), "--every", f"{every_s:g}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    summary = json.loads((run / "run.json").read_text())
    violations = read_violations(run / "violations.jsonl")
    looks = list(read_looks(run / "detections.parquet"))
    events, found, seen, matched = 0, 0, [], set()
    for name, truth in truths.items():
        for event in truth["events"]:
            if event["type"] not in FAMILY:
                continue
            events += 1
            box = tuple(event["box_xyxy"])
            told = [
                v.id
                for v in violations
                if v.camera_id == name and v.kind == event["type"] and iou(v.box, box) >= SAME_IOU
            ]
            found += bool(told)
            matched.update(told)
            seen += [
                is_seen(look.detections, box, FAMILY[event["type"]])
                for look in looks
                if look.camera_id == name and look.time_s >= event["start_s"] + SETTLED_S
            ]
    return {
        "every_s": every_s,
        "standing": standing,
        "events": events,
        "found": found,
        "wrong": sum(v.id not in matched and v.kind in FAMILY for v in violations),
        "seen": round(mean(seen), 3),
        "inferences": sum(
            report["inspected"] + report["standing_picture_shown"] for report in summary["inputs"]
        ),
    }


def is_seen(detections: Detections, box: tuple[float, ...], family: str) -> bool:
    """Whether a thing of a family is detected at a place."""
    x1, y1, x2, y2 = box
    return any(
        family_of(name) == family and iou((x1, y1, x2, y2), tuple(place.tolist())) >= SAME_IOU
        for place, _, name in detections.rows()
    )


def cost_of_a_look(clip: Path, looks: int = 30) -> dict[str, float]:
    """Milliseconds of one core that a look at 1080p costs beyond decoding, and an inference."""
    if not clip.exists():
        render_clip(
            load_preset(CROWD), 0, clip, duration_s=looks * LOOK_S, fps=0.5, size=(1920, 1080)
        )
    cv2.setNumThreads(1)
    registry = load_registry()
    detector = load_detector(registry.model(registry.default))
    watch = StandingWatch()
    picture, rest, inference = [], [], []
    with open_recording(clip, camera_id="c", timezone=UTC) as source:
        for number in range(looks):
            frame = source.submit(number * LOOK_S, 0.1).result()
            if frame is None:
                break
            began = time.process_time()
            found = detector.detect([frame.image])[0]
            inference.append(1000 * (time.process_time() - began))
            began = time.thread_time()
            frame.small  # noqa: B018
            made = time.thread_time()
            watch.take_in(frame, 0, found, (), inspected=True)
            watch.evidence(frame, found)
            picture.append(1000 * (made - began))
            rest.append(1000 * (time.thread_time() - made))
    return {
        "small picture": round(median(picture), 1),
        "standing picture and things": round(median(rest), 1),
        "inference": round(median(inference), 1),
    }


if __name__ == "__main__":
    main()
