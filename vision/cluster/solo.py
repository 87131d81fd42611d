"""A recording scanned whole by one worker, on whatever machine that is."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from vision.cluster.listening import Listener
from vision.cluster.parcels import Task
from vision.detect.classifier import load_classifier
from vision.detect.detector import Detector
from vision.run_folder import RESULT, RunFolder
from vision.scan_input import Job, Reading, scan_input
from vision.store import drop_copy, local_copy, scratch_folder


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


def play(
    task: Task, detector: Detector, listener: Listener, *, at_home: bool, kept: bytes
) -> Played:
    """Scan a recording from where an earlier run left it.

    Args:
        task: The recording.
        detector: The model, loaded.
        listener: Hears how it goes on, and may stop it.
        at_home: Whether the run folder lies on this machine.
        kept: What an earlier run left of it there, see :func:`packed`.

    Raises:
        InputError: The recording cannot be read.
        ModelError: A model fails.
    """
    if at_home:
        return Played(_scanned(task, detector, listener, RunFolder(task.root)), None)
    with tempfile.TemporaryDirectory(prefix="solo-", dir=scratch_folder()) as name:
        folder = RunFolder(Path(name))
        unpack(kept, folder)
        result = _scanned(task, detector, listener, folder)
        return Played(result, packed(folder, task.key, evidence=True))


def brought_home(played: Played, folder: RunFolder, key: str) -> dict[str, Any] | None:
    """Put what a worker brings into the run folder; the result last, which says that all is there.

    Args:
        played: What it brings.
        folder: The run folder.
        key: The input's.

    Returns:
        The result; ``None`` if the scan was stopped.
    """
    if played.files is not None:
        earlier = set(folder.input(key).glob("*"))
        new = unpack(played.files, folder)
        if played.result is not None:
            folder.write_result(key, played.result)
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
    task: Task, detector: Detector, listener: Listener, folder: RunFolder
) -> dict[str, Any] | None:
    job, copy = task.job, None
    if job.input.url:
        copy = local_copy(job.input.url)
        job = replace(job, input=replace(job.input, paths=(copy,)))
    try:
        result = scan_input(
            job,
            task.key,
            detector,
            folder,
            listener,
            classifier=load_classifier(task.classifier) if task.classifier else None,
            # No more threads than the worker has.
            reading=Reading(open=partial(Job.open, decode_threads=task.model.threads)),
        )
    except KeyboardInterrupt:
        return None
    finally:
        if copy is not None:
            drop_copy(copy)
    result["input"]["path"] = str(task.job.input.path)
    return result
