"""Frames whose full picture lies with a worker."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from vision.cluster.parcels import Clip, Model, Seen, Wanted
from vision.cluster.pool import INSPECTING, WorkerPool, answered
from vision.detect.detections import Detections
from vision.frames.frame import Frame, Image, Luma
from vision.frames.wallclock import StartTime


class FarPicture:
    """The full picture of a frame, with the worker that decoded it.

    Args:
        pool: The workers.
        clip: The recording.
        wanted: The look.
        worker: Index of the worker that is best asked.
    """

    def __init__(self, pool: WorkerPool, clip: Clip, wanted: Wanted, worker: int) -> None:
        self._pool = pool
        self._clip = clip
        self._wanted = wanted
        self._worker = worker
        self._grey: Luma | None = None

    def detections(self, model: Model) -> Future[Detections]:
        """Have it inspected where it lies; its brightness comes along with what was found."""
        call = self._pool.call(
            "detect", model, self._clip, self._wanted, group=INSPECTING, worker=self._worker
        )
        return answered(call, self._take)

    def image(self) -> Image:
        """The full picture, fetched, ``(h, w, 3)`` uint8 BGR."""
        image: Image = self._fetch("image")
        return image

    def grey(self) -> Luma:
        """Its brightness, fetched if it has not come yet, ``(h, w)`` uint8."""
        if self._grey is None:
            self._grey = self._fetch("grey")
        return self._grey

    def _take(self, value: tuple[Detections, Luma]) -> Detections:
        found, self._grey = value
        return found

    def _fetch(self, method: str) -> Any:
        call = self._pool.call(
            method, self._clip, self._wanted, group=INSPECTING, worker=self._worker
        )
        return call.result().value


@dataclass(frozen=True, eq=False)
class FarFrame(Frame):
    """A frame with its full picture far away.

    Attributes:
        picture: The picture.
    """

    picture: FarPicture | None = None


def far_frame(parcel: Seen, picture: FarPicture, camera_id: str, start: StartTime) -> FarFrame:
    """The frame that a worker saw."""
    return FarFrame(
        camera_id=camera_id,
        time_s=parcel.time_s,
        timestamp=start.value + timedelta(seconds=parcel.time_s),
        pts=parcel.pts,
        luma=parcel.luma,
        width=parcel.width,
        height=parcel.height,
        rung=parcel.rung,
        render=picture.image,
        render_small=lambda: parcel.small,
        render_grey=picture.grey,
        picture=picture,
    )
