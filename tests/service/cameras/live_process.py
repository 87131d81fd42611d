"""A live service of one camera in a process that can be killed: ``live_process.py CLIP FOLDER``.

What the sink is told goes to ``FOLDER/told.jsonl``, one line each, on disk before it returns.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from blobs import BlobDetector
from live_street import settings

from service.cameras.address import CameraSource, parse_address
from service.cameras.live import LiveCamera, LiveCameras
from service.cameras.sink import CameraHealth, Role
from service.cameras.supervisor import ReaderSettings
from service.reach import AddressPolicy
from vision.files import write_atomically
from vision.frames.looks import LookPolicy
from vision.observe.look import Look
from vision.record import ViolationRecord


class FileSink:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = (folder / "told.jsonl").open("a")

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        assert all(path.is_file() for path in evidence.values())
        self._write({"record": record.model_dump(mode="json")})

    def looked(self, look: Look) -> None:
        self._write({"look": look.time_s, "health": look.health.value})

    def health_changed(self, health: CameraHealth) -> None:
        self._write({"state": health.state.value, "failure": health.failure})

    def save_state(self, camera_id: str, state: bytes) -> None:
        write_atomically(self._folder / f"{camera_id}.state", state)

    def load_state(self, camera_id: str) -> bytes | None:
        path = self._folder / f"{camera_id}.state"
        return path.read_bytes() if path.exists() else None

    def _write(self, line: Mapping[str, object]) -> None:
        self._told.write(json.dumps(line) + "\n")
        self._told.flush()
        os.fsync(self._told.fileno())


def main() -> None:
    clip, folder = Path(sys.argv[1]), Path(sys.argv[2])
    live = LiveCameras(
        FileSink(folder), AddressPolicy(folders=(clip.parent,)), readers=ReaderSettings(seats=2)
    )
    live.start()
    live.add(
        LiveCamera(
            watch=settings(folder / "square"),
            source=CameraSource(parse_address(f"file://{clip}")),
            policy=LookPolicy(rest_s=1.0, active_s=0.5),
            detector=BlobDetector(),
        )
    )
    while not live.processes():
        time.sleep(0.05)
    (folder / "readers").write_text(" ".join(map(str, live.processes())))
    time.sleep(3600)


if __name__ == "__main__":
    main()
