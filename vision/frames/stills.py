"""Pictures in a sequence, looked at like a recording."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from vision.closing import Closing
from vision.errors import InputError
from vision.frames.frame import Frame, Image, Rung, luma_of
from vision.frames.source import SourceInfo
from vision.frames.wallclock import Origin, StartTime, plausible, start_time, time_in_name

MAX_PIXELS = 100_000_000
"""Largest picture that is decoded, in pixels."""

NOMINAL_SPACING_S = 10.0
"""Seconds assumed between pictures that tell no time."""

EXIF_BLOCK, EXIF_DATE, EXIF_ZONE, EXIF_FRACTION, EXIF_ORIENTATION = (
    0x8769,
    0x9003,
    0x9011,
    0x9291,
    0x0112,
)
"""EXIF tags: Exif IFD, DateTimeOriginal, OffsetTimeOriginal, SubSecTimeOriginal, Orientation."""

DEGREES = {3: 180, 6: 90, 8: 270}
"""Clockwise turn that each EXIF orientation asks for."""

_limit_lock = threading.Lock()


@dataclass(frozen=True)
class _Still:
    path: Path
    width: int
    height: int
    rotation: int
    format: str
    taken: datetime | None
    origin: Origin


def open_stills(
    paths: Sequence[Path],
    *,
    camera_id: str,
    timezone: tzinfo,
    spacing_s: float | None = None,
    start: StartTime | None = None,
) -> Stills:
    """Open pictures of one view as a sequence.

    Their times come from EXIF ``DateTimeOriginal``, else from the file names. Where a picture
    tells none, or ``spacing_s`` is given, all stand ``spacing_s`` apart in the order given, because
    the two clocks could not be compared. Pictures of one second are kept 1 ms apart.

    Args:
        paths: JPEG, PNG, WebP, BMP or TIFF files, in order.
        camera_id: Camera that took them.
        timezone: Zone of times that name none.
        spacing_s: Seconds between pictures, overrides stated times.
        start: Wall-clock time of the first picture, overrides what it tells itself.

    Returns:
        An open source; close it, or use it as a context manager.

    Raises:
        InputError: If no picture can be read; for a single one the text says why.
    """
    stills: list[_Still] = []
    faults: list[str] = []
    for path in paths:
        try:
            stills.append(_read_header(path, timezone))
        except InputError as error:
            faults.append(str(error))
    if not stills:
        if len(faults) == 1:
            raise InputError(faults[0])
        where = paths[0].parent if paths else "no picture given"
        raise InputError(
            f"{where}: none of {len(paths)} pictures can be read; {'; '.join(faults[:3])}"
        )
    notes = [f"skipped {fault}" for fault in faults]
    taken = [still.taken for still in stills if still.taken is not None]
    if spacing_s is None and len(taken) == len(stills):
        order = sorted(range(len(stills)), key=lambda place: (taken[place], place))
        stills = [stills[place] for place in order]
        times_s = _apart([(taken[place] - taken[order[0]]).total_seconds() for place in order])
    else:
        step_s = NOMINAL_SPACING_S if spacing_s is None else spacing_s
        times_s = [step_s * place for place in range(len(stills))]
        if spacing_s is None and len(stills) > 1:
            notes.append(f"pictures tell no time: taken as {step_s:g} s apart")
    first = stills[0]
    if start is None:
        if first.taken is not None:
            start = StartTime(first.taken, first.origin)
        else:
            start = start_time(first.path, None, {}, timezone, None)
    return Stills(stills, times_s, notes, camera_id=camera_id, start=start)


class Stills(Closing):
    """Pictures as a :class:`~vision.frames.source.FrameSource`."""

    def __init__(
        self,
        stills: Sequence[_Still],
        times_s: Sequence[float],
        notes: Sequence[str],
        *,
        camera_id: str,
        start: StartTime,
    ) -> None:
        first = stills[0]
        self._stills = stills
        self._times_s = times_s
        self._camera_id = camera_id
        self._lock = threading.Lock()
        self._notes = list(notes)
        self._broken: dict[int, str] = {}
        self._decoded = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stills")
        steps = np.diff(times_s)
        self.info = SourceInfo(
            width=first.width,
            height=first.height,
            rotation=first.rotation,
            duration_s=times_s[-1],
            codec=first.format,
            container="stills",
            keyframe_interval_s=float(np.median(steps)) if len(steps) else None,
            start=start,
        )

    @property
    def notes(self) -> list[str]:
        """What the user must be told about the pictures looked at so far."""
        with self._lock:
            return [*self._notes, *(self._broken[place] for place in sorted(self._broken))]

    def submit(self, time_s: float, tolerance_s: float) -> Future[Frame | None]:
        """See :meth:`vision.frames.source.FrameSource.submit`."""
        return self._pool.submit(self._look, time_s, tolerance_s)

    def anchor_s(self, time_s: float, tolerance_s: float) -> float:
        """See :meth:`vision.frames.source.FrameSource.anchor_s`."""
        near = self._near(time_s, tolerance_s)
        return self._times_s[near[0]] if near else time_s

    def release(self, before_s: float) -> None:
        """Nothing is kept."""

    def counts(self) -> dict[str, int]:
        """Pictures decoded."""
        return {f"decoded_{Rung.STILL}": self._decoded}

    def close(self) -> None:
        """Stop; requests still waiting are cancelled."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _near(self, time_s: float, tolerance_s: float) -> list[int]:
        first = bisect_left(self._times_s, time_s - tolerance_s)
        near = []
        for place in range(first, len(self._times_s)):
            if self._times_s[place] > time_s + tolerance_s:
                break
            near.append(place)
        return sorted(near, key=lambda place: (abs(self._times_s[place] - time_s), place))

    def _look(self, time_s: float, tolerance_s: float) -> Frame | None:
        near = self._near(time_s, tolerance_s)
        later = bisect_left(self._times_s, time_s - tolerance_s) + len(near)
        for place in (*near, *range(later, len(self._stills))):
            still = self._stills[place]
            try:
                image = _decode(still.path)
            except InputError as error:
                with self._lock:
                    self._broken[place] = f"skipped {error}"
                continue
            with self._lock:
                self._decoded += 1
            return self._frame(image, self._times_s[place])
        if len(self._broken) == len(self._stills):
            raise InputError("; ".join(note.removeprefix("skipped ") for note in self.notes[:3]))
        return None

    def _frame(self, image: Image, time_s: float) -> Frame:
        height, width = image.shape[:2]
        return Frame(
            camera_id=self._camera_id,
            time_s=time_s,
            timestamp=self.info.start.value + timedelta(seconds=time_s),
            pts=None,
            luma=luma_of(image),
            width=width,
            height=height,
            rung=Rung.STILL,
            render=lambda: image,
        )


@contextmanager
def _opened(path: Path) -> Iterator[Pillow.Image]:
    """Read the header of a picture; pixels are decoded later, if at all."""
    try:
        if not path.stat().st_size:
            raise InputError(f"{path}: is empty (0 bytes)")
        with _limit_lock:
            # Pillow's own limit would raise before the size is known; MAX_PIXELS replaces it.
            limit, Pillow.MAX_IMAGE_PIXELS = Pillow.MAX_IMAGE_PIXELS, None
            try:
                picture = Pillow.open(path)
            finally:
                Pillow.MAX_IMAGE_PIXELS = limit
        with picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(
                    f"{path}: {picture.width}x{picture.height} px is over the limit of "
                    f"{MAX_PIXELS // 1_000_000} megapixels"
                )
            yield picture
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: is not a picture that can be read") from error
    except FileNotFoundError as error:
        what = "is a link to a file that does not exist" if path.is_symlink() else "does not exist"
        raise InputError(f"{path}: {what}") from error
    except PermissionError as error:
        raise InputError(f"{path}: may not be read (permission denied)") from error
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise InputError(f"{path}: is damaged: {error}") from error


def _read_header(path: Path, timezone: tzinfo) -> _Still:
    with _opened(path) as picture:
        try:
            exif = picture.getexif()
            taken = _taken(exif.get_ifd(EXIF_BLOCK), timezone)
            orientation = exif.get(EXIF_ORIENTATION, 1)
        except (OSError, ValueError, SyntaxError, KeyError, TypeError):
            taken, orientation = None, 1
        width, height = picture.size
        kind = (picture.format or "picture").lower()
    origin: Origin = "exif"
    if taken is None:
        taken, origin = time_in_name(path.name, timezone), "file_name"
    # Pillow turns TIFF by itself and states the turned size.
    if orientation in {5, 6, 7, 8} and kind != "tiff":
        width, height = height, width
    return _Still(path, width, height, DEGREES.get(orientation, 0), kind, taken, origin)


def _taken(exif: dict[int, object], timezone: tzinfo) -> datetime | None:
    def text(tag: int) -> str:
        return str(exif.get(tag, "")).strip(" \0")

    try:
        value = datetime.strptime(text(EXIF_DATE), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - below
        if text(EXIF_ZONE):
            value = value.replace(tzinfo=datetime.strptime(text(EXIF_ZONE), "%z").tzinfo)
    except ValueError:
        return None
    if text(EXIF_FRACTION).isdecimal():
        value += timedelta(seconds=float(f"0.{text(EXIF_FRACTION)}"))
    if value.tzinfo is None:
        value = value.replace(tzinfo=timezone)
    return value if plausible(value) else None


def _decode(path: Path) -> Image:
    with _opened(path) as picture:
        upright = ImageOps.exif_transpose(picture)
        if upright.mode.startswith("I;16") or upright.mode == "I":
            deep = np.asarray(upright).astype(np.uint32)
            grey = np.minimum(deep >> 8, 255).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2)
        return np.ascontiguousarray(np.asarray(upright.convert("RGB"))[:, :, ::-1])


def _apart(times_s: Sequence[float]) -> list[float]:
    apart: list[float] = []
    for time_s in times_s:
        apart.append(time_s if not apart or time_s > apart[-1] else apart[-1] + 0.001)
    return apart
