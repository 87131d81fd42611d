"""A service for tests of the API: cameras and detector are played, store and routes are real."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image as Pillow

from service.app import create_app
from service.auth.keys import add_key
from service.auth.users import add_user
from service.cameras.counts import LiveCounts
from service.cameras.schedule import Shed
from service.cameras.sink import CameraHealth, FailureKind, SourceState
from service.context import Service
from service.live import Pushed, Snapshot
from service.reach import AddressPolicy
from service.store.tables import Role, Scope
from vision.detect.detections import Detections
from vision.frames.frame import Image

PASSWORD = "a long way home"
URL = "https://jiexu.test"


@dataclass
class PlayedCameras:
    """Cameras of which nothing is watched but what a test sets."""

    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    failing: dict[str, FailureKind] = field(default_factory=dict)
    pushed: list[tuple[str, Snapshot]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    policies: list[AddressPolicy] = field(default_factory=list)
    answer: Pushed = Pushed.TAKEN

    def snapshot(self, camera_id: str) -> Snapshot | None:
        return self.snapshots.get(camera_id)

    def health(self, camera_id: str) -> CameraHealth | None:
        if camera_id in self.failing:
            return CameraHealth(
                camera_id,
                SourceState.WAITING,
                since=datetime(2026, 5, 4, tzinfo=UTC),
                failure=self.failing[camera_id],
            )
        if camera_id not in self.snapshots:
            return None
        return CameraHealth(
            camera_id,
            SourceState.LIVE,
            since=datetime(2026, 5, 4, tzinfo=UTC),
            last_frame_at=self.snapshots[camera_id].taken_at,
        )

    def push(self, camera_id: str, snapshot: Snapshot) -> Pushed:
        self.pushed.append((camera_id, snapshot))
        return self.answer

    def counts(self) -> LiveCounts:
        return LiveCounts(
            looks={"gate-3": 12},
            skipped={"gate-3": 5},
            decode_s={"gate-3": 0.25},
            failed=1,
            shed=Shed(rest=2, closer=3),
            restarts={"hung": 4},
        )

    def change_policy(self, policy: AddressPolicy) -> None:
        self.policies.append(policy)

    def settings_changed(self, camera_id: str) -> None:
        self.changed.append(camera_id)


@dataclass
class PlayedDetector:
    """Sees one debris pile in the left half of every picture."""

    seen: list[tuple[int, ...]] = field(default_factory=list)
    model_name: str = "played"
    names: tuple[str, ...] = ("person", "debris_pile")

    def inspect(self, images: Sequence[Image]) -> list[Detections]:
        self.seen += [image.shape for image in images]
        return [
            Detections(
                xyxy=np.array([[0, 0, image.shape[1] / 2, image.shape[0]]], np.float32),
                confidence=np.array([0.5], np.float32),
                class_id=np.array([1], np.int64),
                names=self.names,
            )
            for image in images
        ]

    def inspect_faintly(self, image: Image) -> Detections:
        """One person in the lower right quarter of every picture."""
        self.seen.append(image.shape)
        height, width = image.shape[:2]
        return Detections(
            xyxy=np.array([[width / 2, height / 2, width, height]], np.float32),
            confidence=np.array([0.1], np.float32),
            class_id=np.array([0], np.int64),
            names=self.names,
        )


class Serving:
    """The application with its played parts, and clients that are someone."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.app: FastAPI = create_app(service)
        self._clients: dict[str, TestClient] = {}

    @property
    def live(self) -> PlayedCameras:
        assert isinstance(self.service.live, PlayedCameras)
        return self.service.live

    def anyone(self) -> TestClient:
        """A client that is nobody."""
        return TestClient(self.app, base_url=URL, raise_server_exceptions=False)

    def user(self, role: Role) -> TestClient:
        """A user of a role, logged in, who sends the CSRF token."""
        if role not in self._clients:
            with self.service.database.write() as session:
                now = self.service.clock()
                add_user(session, f"a.{role}", role, now, password=PASSWORD)
            client = self.anyone()
            answer = client.post(
                "/api/v1/session", json={"name": f"a.{role}", "password": PASSWORD}
            )
            assert answer.status_code == 201, answer.text
            client.headers["x-csrf-token"] = answer.json()["csrf_token"]
            self._clients[role] = client
        return self._clients[role]

    def key(self, *scopes: Scope) -> TestClient:
        """A program with scopes."""
        name = "+".join(scopes)
        if name not in self._clients:
            with self.service.database.write() as session:
                key, _ = add_key(
                    session, name, scopes, self.service.clock(), created_by="user:test"
                )
            client = self.anyone()
            client.headers["authorization"] = f"Bearer {key}"
            self._clients[name] = client
        return self._clients[name]


def picture(width: int = 64, height: int = 48, form: str = "JPEG") -> bytes:
    """A picture as a file."""
    file = io.BytesIO()
    Pillow.new("RGB", (width, height), (200, 120, 40)).save(file, form)
    return file.getvalue()


def camera(id_: str = "gate-3", **changes: Any) -> dict[str, Any]:
    """Settings of a camera."""
    zone = {
        "id": "footway",
        "purpose": "footway",
        "points": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.9], [0.1, 0.9]],
    }
    return {
        "id": id_,
        "name": "North gate 北门",
        "source": "rtsp://boss:pa55word@10.1.2.3/stream2?token=t0k3n",
        "zones": [zone],
    } | changes
