"""What a camera has to remember, as bytes: the judgement, and what the sink was not told yet.

How a view looks (its reference, its standing picture) weighs a thousand times more and changes
slowly. It is kept apart, saved less often, and is learnt anew where it is missing.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vision.array_state import State
from vision.errors import InputError
from vision.files import write_atomically
from vision.record import ViolationRecord

VERSION = 1


@dataclass(frozen=True)
class Memory:
    """What one camera remembers.

    Attributes:
        began_at: Aware time from which its stream time is counted.
        last_s: Stream time of its last look.
        last_at: Aware time of the same.
        frame_size: ``(width, height)`` in pixels of the same.
        pose: Pose of the view in it.
        judge: From :meth:`vision.rules.judge.Judge.state`.
        told: Records of the violations that are open, as they were told last, by id.
        pending: Records that the sink has to be told still, in order.
    """

    began_at: datetime
    last_s: float
    last_at: datetime
    frame_size: tuple[int, int]
    pose: int
    judge: dict[str, Any]
    told: dict[str, ViolationRecord]
    pending: tuple[ViolationRecord, ...]


def packed(memory: Memory) -> bytes:
    """A memory as bytes."""
    plain = {
        "version": VERSION,
        "began_at": memory.began_at.isoformat(),
        "last_s": memory.last_s,
        "last_at": memory.last_at.isoformat(),
        "frame_size": memory.frame_size,
        "pose": memory.pose,
        "judge": memory.judge,
        "told": [record.model_dump(mode="json") for record in memory.told.values()],
        "pending": [record.model_dump(mode="json") for record in memory.pending],
    }
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), 1)


def unpacked(data: bytes) -> Memory:
    """The memory that was packed.

    Raises:
        InputError: It is of another version or damaged.
    """
    try:
        plain = json.loads(zlib.decompress(data))
        if plain["version"] != VERSION:
            raise InputError(f"state of a camera: version {plain['version']}, not {VERSION}")
        width, height = plain["frame_size"]
        told = [ViolationRecord.model_validate(one) for one in plain["told"]]
        return Memory(
            began_at=datetime.fromisoformat(plain["began_at"]),
            last_s=float(plain["last_s"]),
            last_at=datetime.fromisoformat(plain["last_at"]),
            frame_size=(int(width), int(height)),
            pose=int(plain["pose"]),
            judge=plain["judge"],
            told={record.id: record for record in told},
            pending=tuple(ViolationRecord.model_validate(one) for one in plain["pending"]),
        )
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise InputError(f"state of a camera cannot be read: {error!r}") from error


class ViewStore(Protocol):
    """Keeps how views look, by camera."""

    def save(self, camera_id: str, view: bytes) -> None:
        """Keep how a view looks, in place of what was kept before."""
        ...

    def load(self, camera_id: str) -> bytes | None:
        """How a view looked, ``None`` where that is not known."""
        ...


@dataclass(frozen=True)
class FolderView:
    """Keeps the view of one camera in its folder.

    Attributes:
        folder: The camera's folder.
    """

    folder: Path

    def save(self, camera_id: str, view: bytes) -> None:
        """See :meth:`ViewStore.save`."""
        del camera_id
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, view)

    def load(self, camera_id: str) -> bytes | None:
        """See :meth:`ViewStore.load`."""
        del camera_id
        try:
            return self._path.read_bytes()
        except OSError:
            return None

    @property
    def _path(self) -> Path:
        return self.folder / "view.npz"


def packed_view(state: State) -> bytes:
    """How a view looks, as bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, **state)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpacked_view(data: bytes) -> State | None:
    """The view that was packed, ``None`` where it is damaged."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
