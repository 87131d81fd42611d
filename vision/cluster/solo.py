"""A recording scanned whole by one worker, on whatever machine that is."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from vision.cluster.listening import Listener
from vision.cluster.parcels import Model
from vision.detect.classifier import load_classifier
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry
from vision.frames.recording import open_recording
from vision.frames.source import FrameSource
from vision.run_folder import RESULT, RunFolder
from vision.scan_input import Job, Reading, scan_input
from vision.store import drop_copy, local_copy, scratch_folder


@dataclass(frozen=True)
class Solo:
    """A recording to be scanned whole.

    Attributes:
        job: The input and its settings.
        key: Its key.
        root: The run folder.
        home: Id of the node on whose machine that lies.
        model: What to detect with.
        classifier: Scores the crops of vehicles that stand; nothing is scored without it.
        kept: What an earlier run left of it, see :func:`packed`.
    """

    job: Job
    key: str
    root: Path
    home: str
    model: Model
    classifier: ModelEntry | None
    kept: bytes = b""


@dataclass(frozen=True)
class Played:
    """What a worker brings home.

    Attributes:
        result: What :func:`~vision.scan_input.scan_input` returns; ``None`` if it was stopped.
        files: What it left in a run folder of its own, see :func:`packed`; ``None`` where it
            wrote into that of the run.
    """

    result: dict[str, Any] | None
    files: bytes | None


def play(solo: Solo, detector: Detector, listener: Listener, *, node: str) -> Played:
    """Scan a recording from where an earlier run left it.

    Args:
        solo: The recording.
        detector: The model, loaded.
        listener: Hears how it goes on, and may stop it.
        node: Id of this node.

    Raises:
        InputError: The recording cannot be read.
        ModelError: A model fails.
    """
    if node == solo.home:
        return Played(_scanned(solo, detector, listener, RunFolder(solo.root)), None)
    with tempfile.TemporaryDirectory(prefix="solo-", dir=scratch_folder()) as name:
        folder = RunFolder(Path(name))
        unpack(solo.kept, folder)
        result = _scanned(solo, detector, listener, folder)
        return Played(result, packed(folder, solo.key, evidence=True))


def brought_home(solo: Solo, played: Played) -> dict[str, Any] | None:
    """Put what a worker brings into the run folder; the result last, which says that all is there.

    Returns:
        The result; ``None`` if the scan was stopped.
    """
    if played.files is not None:
        folder = RunFolder(solo.root)
        earlier = set(folder.input(solo.key).glob("*"))
        new = unpack(played.files, folder)
        if played.result is not None:
            folder.write_result(solo.key, played.result)
            # What an earlier run had left was part of the way here.
            for path in earlier - new:
                path.unlink()
    return played.result


def packed(folder: RunFolder, key: str, *, evidence: bool) -> bytes:
    """A zip file of what a run folder holds of an input, but for the result.

    Args:
        folder: The run folder.
        key: The input's.
        evidence: Whether all evidence goes with it.

    Returns:
        The file; nothing where there is nothing.
    """
    parts = [folder.input(key), *([folder.evidence] if evidence else [])]
    files = [path for part in parts for path in sorted(part.rglob("*")) if path.is_file()]
    if not files:
        return b""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in files:
            if path.name != RESULT:
                archive.write(path, path.relative_to(folder.root))
    return buffer.getvalue()


def unpack(files: bytes, folder: RunFolder) -> set[Path]:
    """Write what :func:`packed` made into a run folder.

    Returns:
        The files written.
    """
    if not files:
        return set()
    with zipfile.ZipFile(io.BytesIO(files)) as archive:
        archive.extractall(folder.root)
        return {folder.root / name for name in archive.namelist()}


def _scanned(
    solo: Solo, detector: Detector, listener: Listener, folder: RunFolder
) -> dict[str, Any] | None:
    job, copy = solo.job, None
    if job.input.url:
        copy = local_copy(job.input.url)
        job = replace(job, input=replace(job.input, paths=(copy,)))
    try:
        result = scan_input(
            job,
            solo.key,
            detector,
            folder,
            listener,
            classifier=load_classifier(solo.classifier) if solo.classifier else None,
            reading=Reading(open=partial(_opened, threads=solo.model.threads)),
        )
    except KeyboardInterrupt:
        return None
    finally:
        if copy is not None:
            drop_copy(copy)
    result["input"]["path"] = str(solo.job.input.path)
    return result


def _opened(job: Job, *, threads: int) -> FrameSource:
    """The input, decoded by no more threads than the worker has."""
    if job.input.kind != "video":
        return job.open()
    return open_recording(
        job.input.path,
        camera_id=job.camera.id,
        timezone=ZoneInfo(job.timezone),
        start=job.start,
        decode_threads=threads,
    )
