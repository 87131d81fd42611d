"""Run folders as a scan leaves them, made of flat pictures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from PIL import Image

from vision.record import ViolationRecord, write_violations
from vision.rules.kinds import KINDS

CHINA = timezone(timedelta(hours=8))
STARTED = datetime(2026, 11, 20, 22, 59, 30, tzinfo=CHINA)


def still(root: Path, path: str, colour: str = "#557799") -> dict[str, Any]:
    """Write a picture and describe it."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        Image.new("RGB", (64, 40), colour).save(file, "JPEG")
    data = file.read_bytes()
    return {
        "path": path,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "time_s": 1.0,
        "timestamp": STARTED.isoformat(),
        "width": 64,
        "height": 40,
        "media_type": "image/jpeg",
    }


def violation(
    root: Path,
    number: int,
    *,
    source: str = "gate.mp4",
    camera_id: str = "gate",
    kind: str | None = None,
    start_s: float = 10.0,
    last_seen_s: float = 50.0,
    end_s: float | None = None,
    started: datetime = STARTED,
    **changes: Any,
) -> ViolationRecord:
    def at(time_s: float) -> str:
        return (started + timedelta(seconds=time_s)).isoformat()

    return ViolationRecord.model_validate(
        {
            "id": f"id-{number}",
            "kind": kind or list(KINDS)[number % len(KINDS)],
            "camera_id": camera_id,
            "zone_id": "footway",
            "box": [1, 2, 3, 4],
            "confidence": 0.5 + number % 50 / 100,
            "started_at": at(start_s),
            "last_seen_at": at(last_seen_s),
            "ended_at": None if end_s is None else at(end_s),
            "start_s": start_s,
            "last_seen_s": last_seen_s,
            "end_s": end_s,
            "frames_seen": 7,
            "signs": ["dwell"],
            "evidence": {
                "scene": still(root, "evidence/scene.jpg"),
                "crop": still(root, "evidence/crop.jpg", "#997755"),
                "before": still(root, "evidence/before.jpg", "#779955"),
                "after": None if end_s is None else still(root, "evidence/after.jpg", "#222222"),
                "clip": None,
            },
            "model": {"name": "street", "sha256": "c" * 64},
            "rule": {"name": "dwell", "settings": {"dwell_s": 30.0}},
            "source": {"name": source, "sha256": "a" * 64},
            **changes,
        }
    )


def entry(
    name: str = "gate.mp4", camera_id: str = "gate", started: datetime | None = STARTED, **more: Any
) -> dict[str, Any]:
    return {
        "name": name,
        "camera_id": camera_id,
        "kind": "video",
        "path": name,
        "sha256": "a" * 64,
        "status": "done",
        "error": None,
        "duration_s": 100.0,
        "width": 1920,
        "height": 1080,
        "codec": "h264",
        "container": "mp4",
        "rotation": 0,
        "start": started and {"value": started.isoformat(), "origin": "file_name"},
        "looks": 20,
        "inspected": 8,
        "gated": 10,
        "unhealthy": 2,
        "decoded": {"keyframe": 20},
        "notes": [],
        "health_events": [],
        "violations": 1,
        "wall_s": 2.0,
        "times_real": 50.0,
        **more,
    }


def failed(name: str, reason: str) -> dict[str, Any]:
    return {"name": name, "camera_id": "x", "status": "failed", "error": f"{name}: {reason}"}


def run_folder(
    root: Path,
    inputs: Sequence[dict[str, Any]],
    violations: Sequence[ViolationRecord] = (),
    **more: Any,
) -> Path:
    """Write ``run.json`` and ``violations.jsonl``."""
    root.mkdir(parents=True, exist_ok=True)
    done = [item for item in inputs if item["status"] == "done"]
    run = {
        "schema_version": 1,
        "jiexu_version": "0.1.0",
        "started_at": "2026-11-23T08:15:00+00:00",
        "finished_at": "2026-11-23T08:15:09+00:00",
        "status": "complete",
        "settings": {"every_s": None, "rest_s": 10.0, "rules": {"debris_pile": {"dwell_s": 30.0}}},
        "models": [
            {
                "name": "street",
                "runtime": "openvino",
                "sha256": "c" * 64,
                "classes": ["car", "heap"],
                "thresholds": {"heap": 0.25},
            }
        ],
        "versions": {"python": "3.11.9"},
        "totals": {
            "inputs": len(inputs),
            "failed": len(inputs) - len(done),
            "violations": len(violations),
            **{
                key: sum(item[key] for item in done)
                for key in ("duration_s", "wall_s", "looks", "inspected", "gated", "unhealthy")
            },
            "times_real": 50.0,
        },
        "inputs": list(inputs),
        **more,
    }
    (root / "run.json").write_text(json.dumps(run, ensure_ascii=False), encoding="utf-8")
    write_violations(root / "violations.jsonl", violations)
    return root
