"""When a recording began: from an option, the container, the file name or the file's age."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal

Origin = Literal["option", "container", "file_name", "exif", "modified", "clock", "assumed"]

EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
"""Older times are counters that nobody set: epochs of 1904, 1970 and 1980."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StartTime:
    """Wall-clock time of a recording's first picture and where it was learnt.

    Attributes:
        value: Aware time.
        origin: ``option`` (given by the user), ``container`` (metadata of the file),
            ``file_name``, ``exif``, ``modified`` (file time less duration), ``clock`` (measured
            while capturing) or ``assumed``.
    """

    value: datetime
    origin: Origin


_DATE = (
    r"(?P<Y>(?:19|20)\d\d)(?P<d>[-_.年]?)(?P<m>0[1-9]|1[0-2])(?:(?P=d)|月)"
    r"(?P<D>0[1-9]|[12]\d|3[01])日?"
)
_TIME = r"(?P<H>[01]\d|2[0-3])(?P<t>[-_.:：时]?)(?P<M>[0-5]\d)(?:(?P=t)|分)(?P<S>[0-5]\d)"
_STAMP = re.compile(rf"(?<!\d){_DATE}[T_\-\s.@]{{0,3}}{_TIME}(?P<tail>\d*)(?P<zone>Z)?")


def time_in_name(name: str, timezone: tzinfo) -> datetime | None:
    """Find the first date and time in a file name.

    Understands ``20240501_083000``, ``20240501083000``, ``2024-05-01_08-30-00``,
    ``2024-05-01T083000`` and the like with other separators, also between other words as in
    ``ch01_20240501083000_20240501090000`` (the first of two stamps is the start). Up to six more
    digits are a fraction of the second. Longer runs of digits, IP addresses and picture sizes are
    no date.

    Args:
        name: File name without folder.
        timezone: Zone of a time that names none; a trailing ``Z`` means UTC.

    Returns:
        Aware time, or ``None``.
    """
    for found in _STAMP.finditer(name):
        tail = found["tail"]
        if len(tail) > 6:
            continue
        zone = UTC if found["zone"] else timezone
        numbers = (int(found[key]) for key in "YmDHMS")
        try:
            year, month, day, hour, minute, second = numbers
            fraction = int(tail.ljust(6, "0")) if tail else 0
            value = datetime(year, month, day, hour, minute, second, fraction, tzinfo=zone)
        except ValueError:
            continue
        if plausible(value):
            return value
    return None


def plausible(value: datetime) -> bool:
    """Whether a camera with a clock that was set can have meant this time."""
    return EARLIEST <= value < LATEST


def start_time(
    path: Path,
    option: datetime | None,
    container_metadata: Mapping[str, str],
    timezone: tzinfo,
    duration_s: float | None,
) -> StartTime:
    """Decide when a recording began.

    The order is: the option; the file name; the container's ``creation_time``; the file's
    modification time less the duration. The name comes before the container because of two faults
    of recorders: ``creation_time`` is UTC by definition but often holds local time, and often the
    moment the file was *closed*. Whoever put a time into a name meant the start.

    Args:
        path: The recording.
        option: Time given by the user; naive means in ``timezone``.
        container_metadata: Metadata of the container, keys as libav names them.
        timezone: Zone of times that name none.
        duration_s: Length of the recording, ``None`` if unknown.

    Returns:
        Aware start and where it comes from, in ``timezone``.
    """
    if option is not None:
        value = option if option.tzinfo is not None else option.replace(tzinfo=timezone)
        return StartTime(value, "option")
    named = time_in_name(path.name, timezone)
    if named is not None:
        return StartTime(named.astimezone(timezone), "file_name")
    stored = _container_time(container_metadata, timezone)
    if stored is not None:
        return StartTime(stored.astimezone(timezone), "container")
    try:
        modified = datetime.fromtimestamp(path.stat().st_mtime, timezone)
    except (OSError, OverflowError, ValueError):
        return StartTime(datetime(2000, 1, 1, tzinfo=timezone), "assumed")
    return StartTime(modified - timedelta(seconds=duration_s or 0.0), "modified")


def _container_time(metadata: Mapping[str, str], timezone: tzinfo) -> datetime | None:
    lowered = {key.lower(): value for key, value in metadata.items()}
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date_utc", "date"):
        text = lowered.get(key, "").strip()
        if len(text) < len("2024-05-01T08:30"):
            continue
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            continue
        if value.tzinfo is None:
            value = value.replace(tzinfo=timezone)
        if plausible(value):
            return value
    return None
