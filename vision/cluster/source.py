"""A recording whose looks are decoded by the workers of a cluster."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial

from vision.closing import Closing
from vision.cluster.parcels import AstrayError, Clip, Seen, Wanted
from vision.cluster.picture import FarPicture, far_frame
from vision.cluster.pool import READING, Reply, WorkerPool
from vision.frames.frame import Frame, Rung
from vision.frames.recording import Recording
from vision.frames.source import SourceInfo

LOOKS_A_SEGMENT = 4
"""Looks of a segment, more where it cannot be cut yet: segments are cut at keyframes."""

MOST_LOOKS = 32
"""A segment without a keyframe to cut at is cut after so many looks."""

LINGER_S = 0.01
"""A segment that is not full is sent off once nothing is under way and no look came for so long."""

SEGMENTS_A_WORKER = 2
"""Segments under way to each worker: one at work, one waiting."""


@dataclass(frozen=True)
class _Look:
    """A look that is wanted, and who waits for it."""

    wanted: Wanted
    future: Future[Frame | None]


class ClusterRecording(Closing):
    """A :class:`~vision.frames.source.RecordingSource` of which workers decode the looks.

    Which looks fall onto which keyframes is known here from the packets; the file is read, hardly
    anything of it decoded. What a worker found by the file's index is checked against the packets,
    and where that does not agree, or timestamps had to be repaired, workers read from the front as
    a local scan does.

    Args:
        recording: The recording, open; closed with this.
        clip: The same for the workers.
        pool: The workers.
        camera_id: Camera that recorded it.
        workers: How many workers this recording keeps busy.
    """

    def __init__(
        self,
        recording: Recording,
        clip: Clip,
        pool: WorkerPool,
        *,
        camera_id: str,
        workers: int,
    ) -> None:
        self._recording = recording
        self._clip = clip
        self._pool = pool
        self._camera_id = camera_id
        self._asked: queue.SimpleQueue[_Look | None] = queue.SimpleQueue()
        self._slots = threading.Semaphore(SEGMENTS_A_WORKER * workers)
        self._under_way = 0
        self._counting = threading.Lock()
        self._decoded = dict.fromkeys(Rung, 0)
        self._closed = False
        self._group_s = -1.0
        self._group_worker: int | None = None
        self._sender = threading.Thread(target=self._send_segments, daemon=True)
        self._sender.start()

    @property
    def info(self) -> SourceInfo:
        """See :class:`~vision.frames.source.FrameSource`."""
        return self._recording.info

    @property
    def notes(self) -> list[str]:
        """See :class:`~vision.frames.source.FrameSource`."""
        return self._recording.notes

    def submit(self, time_s: float, tolerance_s: float) -> Future[Frame | None]:
        """See :meth:`vision.frames.source.FrameSource.submit`."""
        future: Future[Frame | None] = Future()
        start_s = self._recording.starts_at_s(time_s, tolerance_s)
        self._asked.put(_Look(Wanted(time_s, tolerance_s, start_s), future))
        return future

    def anchor_s(self, time_s: float, tolerance_s: float) -> float:
        """See :meth:`vision.frames.source.FrameSource.anchor_s`."""
        return self._recording.anchor_s(time_s, tolerance_s)

    def release(self, before_s: float) -> None:
        """See :meth:`vision.frames.source.FrameSource.release`."""
        self._recording.release(before_s)

    def counts(self) -> dict[str, int]:
        """Looks by the rung that served them; what the workers decoded on the way is not known."""
        counts = self._recording.counts()
        for rung in (Rung.KEYFRAME, Rung.NON_REFERENCE_SKIPPED, Rung.FULL):
            counts[f"decoded_{rung}"] += self._decoded[rung]
        return counts

    def stretch(self, start_s: float, end_s: float) -> Iterator[Frame]:
        """See :meth:`vision.frames.source.RecordingSource.stretch`; decoded here."""
        return self._recording.stretch(start_s, end_s)

    def close(self) -> None:
        """See :meth:`vision.frames.source.FrameSource.close`."""
        self._closed = True
        self._asked.put(None)
        self._slots.release()
        self._sender.join()
        self._recording.close()

    def _send_segments(self) -> None:
        """Cut what is asked for into segments, and wait while enough of them are under way."""
        segment: list[_Look] = []
        while not self._closed:
            try:
                look = self._asked.get(timeout=LINGER_S if segment else None)
            except queue.Empty:
                if not self._under_way:
                    self._send(segment)
                    segment = []
                continue
            if look is None:
                return
            if segment and _cut_between(segment, look):
                self._send(segment)
                segment = []
            segment.append(look)

    def _send(self, segment: list[_Look]) -> None:
        self._slots.acquire()
        looks = [look for look in segment if look.future.set_running_or_notify_cancel()]
        if not looks or self._closed:
            self._slots.release()
            return
        # One group of pictures is best decoded by one worker, which goes on where it is.
        first_s, last_s = looks[0].wanted.start_s, looks[-1].wanted.start_s
        wish = self._group_worker if first_s == self._group_s else None
        self._group_s = last_s
        with self._counting:
            self._under_way += 1
        self._ask(looks, wish)

    def _ask(self, looks: list[_Look], worker: int | None) -> None:
        clip = self._clip
        if not self._recording.is_as_stored:
            clip = self._clip = replace(clip, seek=False)
        wanted = [look.wanted for look in looks]
        call = self._pool.call("looks", clip, wanted, group=READING, worker=worker)
        call.add_done_callback(partial(self._arrived, looks, clip))

    def _arrived(self, looks: list[_Look], clip: Clip, call: Future[Reply]) -> None:
        error = call.exception()
        if isinstance(error, AstrayError) and clip.seek:
            self._clip = replace(clip, seek=False)
            self._ask(looks, None)
            return
        self._slots.release()
        with self._counting:
            self._under_way -= 1
        if error is not None:
            for look in looks:
                look.future.set_exception(error)
            return
        reply = call.result()
        self._group_worker = reply.worker
        for look, parcel in zip(looks, reply.value, strict=True):
            look.future.set_result(self._frame(look, parcel, clip, reply.worker))

    def _frame(self, look: _Look, parcel: Seen | None, clip: Clip, worker: int) -> Frame | None:
        if parcel is None:
            return None
        self._decoded[parcel.rung] += 1
        picture = FarPicture(self._pool, clip, look.wanted, worker)
        return far_frame(parcel, picture, self._camera_id, self.info.start)


def _cut_between(segment: list[_Look], look: _Look) -> bool:
    at_keyframe = look.wanted.start_s != segment[-1].wanted.start_s
    backwards = look.wanted.time_s < segment[-1].wanted.time_s
    return backwards or len(segment) >= (LOOKS_A_SEGMENT if at_keyframe else MOST_LOOKS)
