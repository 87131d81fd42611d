"""What to scan: arguments of a command turned into recordings, sequences of stills and streams."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vision.errors import InputError
from vision.frames.capture import is_url, redact
from vision.store import is_store_url, stored_files

Kind = Literal["video", "stills", "picture", "stream"]

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".ts", ".mts", ".m2ts", ".m2t"),
        *(".mpg", ".mpeg", ".vob", ".wmv", ".asf", ".3gp", ".3g2", ".ogv", ".dav", ".mjpeg"),
        *(".mjpg", ".h264", ".264", ".h265", ".265", ".hevc", ".ps", ".rm", ".rmvb", ".f4v"),
    }
)
"""Suffixes that make a file in a folder an input; a file named explicitly needs none."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ScanInput:
    """One thing to scan.

    Attributes:
        kind: ``video``, ``stills`` (a folder of pictures), ``picture`` or ``stream``.
        paths: The files, in order; empty for a stream, and for a recording in a store before it is
            copied to this machine.
        name: What the user calls it: the path as it was reached, or the URL without credentials.
        camera_id: Camera it comes from if nothing else says so: stem of the file, name of the
            folder or host of the stream, with only letters, digits, ``.``, ``_`` and ``-``.
        url: Where the stream is, credentials included, or the recording in its store; empty for
            files. Never write it anywhere.
    """

    kind: Kind
    paths: tuple[Path, ...]
    name: str
    camera_id: str
    url: str = field(default="", repr=False)

    @property
    def path(self) -> Path:
        """The file; the folder of ``stills``; a stream's URL without credentials."""
        if not self.paths:
            return Path(redact(self.url))
        return self.paths[0].parent if self.kind == "stills" else self.paths[0]


def discover(arguments: Sequence[str]) -> list[ScanInput]:
    """Find what there is to scan.

    A file is an input whatever its name. A folder is searched through: files with the suffix of a
    video are inputs; two or more pictures that have a folder to themselves are one sequence; other
    pictures are single ones. Hidden files, files of other kinds and the output folders of earlier
    scans are left out. Names are in natural order (``cam2`` before ``cam10``); what is reached
    twice counts once.

    Args:
        arguments: Files, folders and URLs.

    Raises:
        InputError: If an argument does not exist.
    """
    found: list[ScanInput] = []
    seen: set[tuple[str, ...]] = set()
    for argument in arguments:
        for item in _expand(argument):
            key = (item.url, *(os.path.realpath(path) for path in item.paths))
            if key not in seen:
                seen.add(key)
                found.append(item)
    return found


def content_sha256(paths: Path | Sequence[Path]) -> str:
    """Hash the content of a file, or of several files in order.

    For several, the hash covers the names too, because they tell order and time.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: If a file cannot be read.
    """
    if isinstance(paths, Path):
        return _file_sha256(paths)
    if len(paths) == 1:
        return _file_sha256(paths[0])
    whole = hashlib.sha256()
    for path in paths:
        try:
            content = _file_sha256(path)
        except InputError:
            content = "unreadable"
        whole.update(f"{path.name}\0{content}\n".encode())
    return whole.hexdigest()


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which numbers in names count as numbers."""
    parts = re.split(r"(\d+)", path.name)
    key = [(0, int(part), part) if part.isdecimal() else (1, 0, part.lower()) for part in parts]
    return (*key, (2, 0, path.name))


def _expand(argument: str) -> Iterator[ScanInput]:
    if is_store_url(argument):
        yield from _stored(argument)
        return
    if is_url(argument):
        host = re.sub(r"^\w+:/+", "", redact(argument)).split("?")[0]
        yield ScanInput("stream", (), redact(argument), _identifier(host), argument)
        return
    path = Path(argument)
    if path.is_dir():
        if not os.access(path, os.R_OK | os.X_OK):
            raise InputError(f"{path}: folder may not be read (permission denied)")
        yield from _folder(path, set())
    elif path.exists() or path.is_symlink():
        yield _file(path)
    else:
        raise InputError(f"{path}: does not exist")


def _stored(url: str) -> Iterator[ScanInput]:
    """Recordings of a store; what is named explicitly needs no suffix of a video."""
    for file in sorted(stored_files(url), key=lambda file: natural_key(Path(file))):
        path = Path(file)
        if file == url or path.suffix.lower() in VIDEO_SUFFIXES:
            yield ScanInput("video", (), file, _identifier(path.stem), file)


def _folder(folder: Path, visited: set[str]) -> Iterator[ScanInput]:
    real = os.path.realpath(folder)
    if real in visited or _is_run(folder):
        return
    visited.add(real)
    try:
        entries = sorted(
            (entry for entry in folder.iterdir() if not entry.name.startswith(".")),
            key=natural_key,
        )
    except OSError:
        # As an input it is reported by name and reason when it is opened; the rest goes on.
        yield ScanInput("video", (folder,), str(folder), _identifier(folder.name))
        return
    files = [entry for entry in entries if not entry.is_dir()]
    videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    if len(pictures) >= 2 and not videos:
        name = _identifier(folder.resolve().name)
        yield ScanInput("stills", tuple(pictures), str(folder), name)
    else:
        yield from (_file(file) for file in files if file in {*videos, *pictures})
    for entry in entries:
        if entry.is_dir():
            yield from _folder(entry, visited)


def _file(path: Path) -> ScanInput:
    kind: Kind = "picture" if path.suffix.lower() in PICTURE_SUFFIXES else "video"
    return ScanInput(kind, (path,), str(path), _identifier(path.stem))


def _is_run(folder: Path) -> bool:
    """Whether a scan writes or wrote its results here."""
    if (folder / "run.json").is_file() and (folder / "detections.parquet").is_file():
        return True
    return (folder / ".lock").is_file() and (folder / "inputs").is_dir()


def _identifier(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_.") or "camera"


def _file_sha256(path: Path) -> str:
    whole = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                whole.update(chunk)
    except FileNotFoundError as error:
        what = "is a link to a file that does not exist" if path.is_symlink() else "does not exist"
        raise InputError(f"{path}: {what}") from error
    except PermissionError as error:
        raise InputError(f"{path}: may not be read (permission denied)") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    return whole.hexdigest()
