"""Judging kept looks again, in a process of its own that can be killed."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from service.replays.archive import LookArchive
from vision.detect.registry import ModelEntry
from vision.judging import rules_for
from vision.record import ModelRecord
from vision.replay.difference import told_of
from vision.replay.judging import judgeable
from vision.replay.what_if import Terms, judge_twice
from vision.schedule import SiteClock
from vision.site import Camera

MOST_TOLD = 500
"""So many of what appeared, vanished or changed are told one by one; all are counted."""

_NICE = 10


@dataclass(frozen=True)
class CameraTask:
    """One camera to judge again.

    Attributes:
        now: Its settings, as JSON.
        then: Its settings as they might be, as JSON.
        model: Model that looked.
        thresholds: Confidence by class with which a detection may begin a sighting.
        classes: Classes that the model looks for.
        experimental: Classes of it that are experimental.
    """

    now: Mapping[str, Any]
    then: Mapping[str, Any]
    model: str
    thresholds: Mapping[str, float]
    classes: tuple[str, ...]
    experimental: frozenset[str]


@dataclass(frozen=True)
class ReplayTask:
    """What is to be judged again.

    Attributes:
        cameras: The cameras.
        begin: Aware time from which on.
        end: Aware time up to which.
        archive: Folder of the archive.
        timezone: Its time zone.
        clock: The site's clock.
    """

    cameras: tuple[CameraTask, ...]
    begin: datetime
    end: datetime
    archive: Path
    timezone: str
    clock: SiteClock


@dataclass(frozen=True)
class Progress:
    """How far it is, 0 to 1."""

    share: float


@dataclass(frozen=True)
class Finished:
    """What came of it, JSON-able."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """Why nothing came of it."""

    why: str


def camera_task(camera: Camera, changed: Camera, entry: ModelEntry) -> CameraTask:
    """A camera to judge again, with what its model looks for."""
    return CameraTask(
        now=camera.model_dump(mode="json", by_alias=True, exclude_unset=True),
        then=changed.model_dump(mode="json", by_alias=True, exclude_unset=True),
        model=entry.name,
        thresholds=dict(entry.thresholds),
        classes=tuple(entry.classes),
        experimental=frozenset(entry.experimental),
    )


def work(task: ReplayTask, pipe: Connection) -> None:
    """Run in a process of its own; tells progress and then the end through the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(_NICE)
    try:
        result = judge_all(task, lambda share: pipe.send(Progress(share)))
    except (BrokenPipeError, EOFError):
        return
    except Exception as error:
        pipe.send(Broken(f"{type(error).__name__}: {error}"))
        raise
    pipe.send(Finished(result))


def judge_all(task: ReplayTask, tell: Callable[[float], None]) -> dict[str, Any]:
    """Judge all cameras of a task.

    Args:
        task: What is to be judged.
        tell: Hears how far it is, 0 to 1.
    """
    archive = LookArchive(task.archive, task.timezone)
    span_s = (task.end - task.begin).total_seconds()
    counts: Counter[str] = Counter(unchanged=0, changed=0, appeared=0, vanished=0)
    told: dict[str, list[Any]] = {"appeared": [], "vanished": [], "changed": []}
    cameras, notes = [], []
    for number, one in enumerate(task.cameras):
        terms, lacking = _terms(one)
        camera_id = terms[0].camera.id
        notes += [f"{camera_id}: {note}" for note in lacking]

        def progress(at: datetime, done: int = number) -> None:
            share = (at - task.begin).total_seconds() / span_s
            tell((done + share) / len(task.cameras))

        found = judge_twice(
            archive.looks(camera_id, task.begin, task.end),
            *terms,
            thresholds=one.thresholds,
            model=ModelRecord(name=one.model, sha256="0" * 64),
            clock=task.clock,
            experimental=one.experimental,
            progress=progress,
        )
        if not found.looks:
            notes.append(f"{camera_id}: no looks are kept of this time")
        cameras.append(
            {
                "camera_id": camera_id,
                "looks": found.looks,
                "violations": len(found.violations),
            }
        )
        counts.update(
            unchanged=len(found.diff.unchanged),
            changed=len(found.diff.changed),
            appeared=len(found.diff.appeared),
            vanished=len(found.diff.vanished),
        )
        for name, items in told_of(found.diff).items():
            told[name] += items[: MOST_TOLD - len(told[name])]
        tell((number + 1) / len(task.cameras))
    return {"counts": dict(counts), "cameras": cameras, "notes": notes, **told}


def _terms(one: CameraTask) -> tuple[tuple[Terms, Terms], list[str]]:
    terms, notes = [], []
    for document in (one.now, one.then):
        camera, lacking = judgeable(Camera.model_validate(document), one.classes, one.model)
        terms.append(Terms(camera, rules_for(None, camera, {}, one.thresholds)))
        notes = lacking
    return (terms[0], terms[1]), notes
