"""Earlier pictures of a view, for the evidence of what it was like before.

Kept so that the picture before any moment is at most about twice as long ago as the moment itself:
few of long ago, many of just now. Of a month that is some forty pictures. Young ones are held in
memory, for most of them are dropped soon; the old ones lie in a folder and outlive a restart.
Privacy zones are masked before a picture is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from service.cameras.source import decoded_still
from vision.evidence.privacy import mask_privacy
from vision.files import write_atomically
from vision.frames.frame import Frame, Image, Luma, Rung
from vision.zones import Zone

OLD_S = 600.0
"""A picture that has been kept for so long goes to disk."""

KEEP_S = 45 * 86400.0
"""None is kept for longer: a vehicle is abandoned after a month."""

APART_S = 5.0
"""Looks that are closer together show the same."""

QUALITY = 85
_NAME = re.compile(r"(\d+)-(\d+)\.jpg")


@dataclass
class _Kept:
    time_s: float
    at: datetime
    jpeg: bytes | None


@dataclass(frozen=True)
class KeptPicture:
    """A picture that was kept, not decoded yet.

    Attributes:
        camera_id: Camera that took it.
        time_s: Stream time.
        at: Aware time of the same.
        jpeg: The picture, privacy zones masked.
    """

    camera_id: str
    time_s: float
    at: datetime
    jpeg: bytes

    def frame(self) -> Frame:
        """The picture, decoded.

        Raises:
            CameraError: It is damaged.
        """
        return frame_of(self.camera_id, decoded_still(self.jpeg), self.time_s, self.at)


class PictureHistory:
    """Earlier pictures of one view.

    Args:
        folder: Where old ones lie; made if missing.
        camera_id: Camera that took them.
    """

    def __init__(self, folder: Path, camera_id: str) -> None:
        self._folder = folder
        self._camera_id = camera_id
        folder.mkdir(parents=True, exist_ok=True)
        self._kept = sorted(
            (
                _Kept(
                    int(found[1]) / 1000,
                    datetime.fromtimestamp(int(found[2]) / 1000, UTC),
                    None,
                )
                for path in folder.iterdir()
                if (found := _NAME.fullmatch(path.name))
            ),
            key=lambda one: one.time_s,
        )

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def times_s(self) -> list[float]:
        """Stream times of the pictures kept, rising."""
        return [one.time_s for one in self._kept]

    def add(self, time_s: float, at: datetime, jpeg: bytes) -> None:
        """Keep a picture of :func:`masked_jpeg`, and drop those that are not needed any more."""
        if self._kept and 0 <= time_s - self._kept[-1].time_s < APART_S:
            return
        now_s = time_s
        self._kept.append(_Kept(now_s, at, jpeg))
        for one in _spare(self._kept, now_s):
            self._kept.remove(one)
            self._path(one).unlink(missing_ok=True)
        for one in self._kept:
            if one.jpeg is not None and now_s - one.time_s >= OLD_S:
                write_atomically(self._path(one), one.jpeg)
                one.jpeg = None

    def around(self, time_s: float, *, earlier: int, most: int) -> list[KeptPicture]:
        """Pictures from shortly before a stream time until now, in order.

        Args:
            time_s: The stream time.
            earlier: So many of those before it, the latest ones.
            most: So many in all; those after it are thinned evenly, the newest stays.
        """
        before = [one for one in self._kept if one.time_s < time_s][-earlier:]
        since = [one for one in self._kept if one.time_s >= time_s]
        room = most - len(before)
        if len(since) > room:
            steps = np.linspace(0, len(since) - 1, room).round().astype(int)
            since = [since[step] for step in steps]
        pictures = []
        for one in (*before, *since):
            with suppress(OSError):
                jpeg = one.jpeg or self._path(one).read_bytes()
                pictures.append(KeptPicture(self._camera_id, one.time_s, one.at, jpeg))
        return pictures

    def before(self, time_s: float) -> Frame | None:
        """The last picture before a stream time; ``None`` where there is none."""
        earlier = [one for one in self._kept if one.time_s < time_s]
        if not earlier:
            return None
        one = earlier[-1]
        try:
            image = decoded_still(one.jpeg or self._path(one).read_bytes())
        except (OSError, ValueError):
            return None
        return frame_of(self._camera_id, image, one.time_s, one.at)

    def _path(self, one: _Kept) -> Path:
        stamp = round(one.at.timestamp() * 1000)
        return self._folder / f"{round(one.time_s * 1000)}-{stamp}.jpg"


def masked_jpeg(image: Image, zones: Sequence[Zone]) -> bytes:
    """A picture as it is kept: a JPEG with the privacy zones of the view masked."""
    masked = mask_privacy(image, zones)
    ok, data = cv2.imencode(".jpg", masked, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert ok
    return data.tobytes()


def frame_of(camera_id: str, image: Image, time_s: float, at: datetime) -> Frame:
    """A frame of a picture that is there already."""
    return Frame(
        camera_id=camera_id,
        time_s=time_s,
        timestamp=at,
        pts=None,
        luma=_luma(image),
        width=image.shape[1],
        height=image.shape[0],
        rung=Rung.STILL,
        render=lambda: image,
    )


def _luma(image: Image) -> Luma:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _spare(kept: Sequence[_Kept], now_s: float) -> list[_Kept]:
    """Pictures whose neighbours do for them: the older one is not twice as old as the younger."""
    spare: list[_Kept] = []
    older: _Kept | None = None
    for one, younger in pairwise(kept):
        if now_s - one.time_s > KEEP_S or (
            older is not None and now_s - older.time_s <= 2 * (now_s - younger.time_s)
        ):
            spare.append(one)
        else:
            older = one
    return spare
