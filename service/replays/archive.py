"""What live cameras saw, kept to be judged again: Parquet files, a folder for each camera and day.

Looks are gathered for some minutes and written as a small file; when a day has many of those, they
are joined. Whatever a kill leaves behind (a file that was joined already), reading passes over what
is not later than what it gave before.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from shutil import rmtree

from vision.archive import join_archives, read_looks, write_looks
from vision.errors import InputError
from vision.observe.look import Look

log = logging.getLogger(__name__)

GATHER_S = 600.0
"""Looks of a camera are written when the oldest has waited for so long."""

GATHER_LOOKS = 512
"""Or when there are so many."""

MOST_LOOKS = 4096
"""More than this are not held: the oldest go when they cannot be written."""

JOIN_FILES = 12
"""So many files of a day are joined into one."""

_SUFFIX = ".parquet"


class LookArchive:
    """Looks of live cameras by camera and day (in UTC); to be used from any thread.

    Args:
        folder: Where they lie.
        timezone: IANA name in which times are given back.

    Attributes:
        folder: Where they lie.
        timezone: IANA name in which times are given back.
    """

    def __init__(self, folder: Path, timezone: str) -> None:
        self.folder = folder
        self.timezone = timezone
        self._lock = threading.Lock()
        self._files = threading.Lock()
        self._gathered: dict[str, list[Look]] = {}

    def add(self, look: Look) -> None:
        """Keep a look; it is written later."""
        with self._lock:
            looks = self._gathered.setdefault(look.camera_id, [])
            looks.append(look)
            if len(looks) > MOST_LOOKS:
                del looks[0]

    def flush(self, now: datetime | None = None, camera_id: str | None = None) -> None:
        """Write what has been gathered.

        Args:
            now: Aware time: what is young and little waits. Without it everything is written.
            camera_id: Of this camera only.
        """
        with self._lock:
            ready = {
                name: looks
                for name, looks in self._gathered.items()
                if camera_id in (None, name) and (now is None or _is_ripe(looks, now))
            }
            for name in ready:
                del self._gathered[name]
        for name, looks in ready.items():
            try:
                self._write(name, looks)
            except OSError as error:
                log.warning("looks of camera %s cannot be written: %s", name, error)
                with self._lock:
                    self._gathered[name] = [*looks, *self._gathered.get(name, ())][-MOST_LOOKS:]

    def looks(self, camera_id: str, begin: datetime, end: datetime) -> Iterator[Look]:
        """Looks of a camera from one aware time up to another, in order of time."""
        last = begin - timedelta(microseconds=1)
        for look in self._as_stored(camera_id, begin, end):
            if last < look.timestamp < end:
                last = look.timestamp
                yield look

    def days(self, camera_id: str) -> list[date]:
        """Days (in UTC) of which there are looks."""
        folder = self._camera_folder(camera_id)
        return sorted(filter(None, map(_day_of, folder.iterdir()))) if folder.is_dir() else []

    def forget(self, before: datetime) -> int:
        """Take away the days that lie wholly before an aware time; says how many."""
        count = 0
        limit = before.astimezone(UTC).date()
        if not self.folder.is_dir():
            return count
        for camera in self.folder.iterdir():
            for day in camera.iterdir() if camera.is_dir() else ():
                found = _day_of(day)
                if found is not None and found < limit:
                    with self._files:
                        rmtree(day)
                    count += 1
        return count

    def _write(self, camera_id: str, looks: Sequence[Look]) -> None:
        for part in _by_day(looks):
            moment = part[0].timestamp.astimezone(UTC)
            names = dict.fromkeys(name for look in part for name in look.detections.names)
            day = self._camera_folder(camera_id) / f"{moment:%Y-%m-%d}"
            day.mkdir(parents=True, exist_ok=True)
            with self._files:
                write_looks(
                    day / f"{moment:%H%M%S.%f}{_SUFFIX}",
                    part,
                    input_name=camera_id,
                    names=list(names),
                    timezone=self.timezone,
                )
                _join(day)

    def _as_stored(self, camera_id: str, begin: datetime, end: datetime) -> Iterator[Look]:
        """Looks of whole days; some come more than once."""
        first, last = begin.astimezone(UTC).date(), end.astimezone(UTC).date()
        for day in self.days(camera_id):
            if not first <= day <= last:
                continue
            paths = _files_of(self._camera_folder(camera_id) / day.isoformat())
            while paths:
                path = paths.pop(0)
                try:
                    yield from read_looks(path)
                except InputError as error:
                    if path.exists():
                        log.warning("%s", error)
                    else:
                        # It was joined meanwhile: the whole has the name of one read before.
                        paths = _files_of(path.parent)

    def _camera_folder(self, camera_id: str) -> Path:
        return self.folder / camera_id


def _is_ripe(looks: Sequence[Look], now: datetime) -> bool:
    age_s = (now - looks[0].timestamp).total_seconds()
    return len(looks) >= GATHER_LOOKS or age_s >= GATHER_S


def _by_day(looks: Sequence[Look]) -> Iterator[list[Look]]:
    for _, part in groupby(looks, lambda look: look.timestamp.astimezone(UTC).date()):
        yield list(part)


def _join(day: Path) -> None:
    """Join the files of a day when there are many: the whole takes the name of its first part."""
    files = _files_of(day)
    if len(files) < JOIN_FILES:
        return
    try:
        join_archives(files, files[0])
    except InputError as error:
        log.warning("%s", error)
        return
    for path in files[1:]:
        path.unlink()


def _files_of(day: Path) -> list[Path]:
    return sorted(path for path in day.iterdir() if path.suffix == _SUFFIX)


def _day_of(path: Path) -> date | None:
    try:
        return date.fromisoformat(path.name) if path.is_dir() else None
    except ValueError:
        return None
