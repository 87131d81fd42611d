from __future__ import annotations

import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from blobs import draw_blob_clip
from posting import FakeClock
from serving import Serving, camera, picture

from service.live import Pushed
from service.store.tables import Role, Scope

DETECT, FRAMES = "/api/v1/detect", "/api/v1/frames"


def send(serving: Serving, data: bytes, type_: str = "image/jpeg", **options: Any) -> Any:
    return serving.key(Scope.INGEST).post(DETECT, files={"file": ("a", data, type_)}, **options)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_picture_is_looked_at(serving: Serving, form: str) -> None:
    answer = send(serving, picture(64, 48, form))
    assert answer.status_code == 200, answer.text
    (look,) = answer.json()["looks"]
    assert (look["width"], look["height"]) == (64, 48)
    assert look["detections"] == [
        {"class_name": "debris_pile", "confidence": 0.5, "box": [0.0, 0.0, 32.0, 48.0]}
    ]


def test_a_clip_is_looked_at_in_some_pictures(serving: Serving, tmp_path: Path) -> None:
    clip = draw_blob_clip(tmp_path / "clip.mp4")
    answer = send(serving, clip.read_bytes(), "video/mp4")
    assert answer.status_code == 200, answer.text
    times = [look["time_s"] for look in answer.json()["looks"]]
    assert times == sorted(set(times))
    assert times[0] == 0
    assert 1 < len(times) <= serving.service.settings.limits.clip_looks


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (7000, 7000), (2**31 - 1, 2**31 - 1)])
def test_decompression_bombs_are_refused_before_they_go_off(
    serving: Serving, size: tuple[int, int]
) -> None:
    answer = send(serving, bomb(*size), "image/png")
    assert answer.status_code == 413, answer.text
    assert answer.json()["type"] == "urn:jiexu:problem:too_many_pixels"


@pytest.mark.parametrize(
    ("data", "type_", "status"),
    [
        (b"no picture", "image/jpeg", 415),
        (picture()[:300], "image/jpeg", 415),
        (b"GIF89a" + b"\0" * 100, "image/gif", 415),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", 415),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image/jpeg", 415),
        (b"", "image/jpeg", 422),
        (b"no clip", "video/mp4", 415),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "video/mp4", 415),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/x.ts\n#EXT-X-ENDLIST\n", "video/mp2t", 415),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "video/mp4", 415),
    ],
)
def test_what_is_no_picture_and_no_clip_is_refused(
    serving: Serving, data: bytes, type_: str, status: int
) -> None:
    answer = send(serving, data, type_)
    assert answer.status_code == status, answer.text


def test_uploads_have_a_size(serving: Serving) -> None:
    assert send(serving, b"\xff" * 17_000_000).status_code == 413
    huge = send(serving, b"\0" * 100_000_000, "video/mp4")
    assert huge.status_code == 413
    assert huge.headers["content-type"] == "application/problem+json"


def test_an_upload_that_lies_about_its_size_is_cut_off(serving: Serving) -> None:
    def endless() -> Any:
        for _ in range(200):
            yield b"\0" * 1_000_000

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = serving.key(Scope.INGEST).post(DETECT, content=endless(), headers=headers)
    assert answer.status_code == 413


@pytest.fixture
def pushed(serving: Serving) -> str:
    """A camera without a source."""
    settings = camera("pushed", source=None)
    assert serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=settings).is_success
    return "pushed"


def push(serving: Serving, camera_id: str, data: bytes = picture(), **fields: str) -> Any:
    return serving.key(Scope.INGEST).post(
        FRAMES,
        data={"camera_id": camera_id, **fields},
        files={"file": ("../../etc/passwd", data, "image/jpeg")},
    )


def test_a_pushed_picture_reaches_the_camera(
    serving: Serving, pushed: str, clock: FakeClock
) -> None:
    assert push(serving, pushed).json() == {"result": "taken"}
    earlier = clock.now() - timedelta(seconds=3)
    assert push(serving, pushed, taken_at=earlier.isoformat()).status_code == 202
    (id_, first), (_, second) = serving.live.pushed
    assert id_ == pushed
    assert first.image.shape == (48, 64, 3)
    assert (first.taken_at, second.taken_at) == (clock.now(), earlier)


def test_pictures_from_the_future_or_of_no_zone_are_refused(
    serving: Serving, pushed: str, clock: FakeClock
) -> None:
    late = (clock.now() + timedelta(minutes=1)).isoformat()
    for taken_at in (late, "2026-05-04T09:00:00", "yesterday"):
        answer = push(serving, pushed, taken_at=taken_at)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "body.taken_at"
    assert serving.live.pushed == []


def test_overload_and_wrong_cameras_are_told(serving: Serving, pushed: str) -> None:
    serving.live.answer = Pushed.BUSY
    busy = push(serving, pushed)
    assert (busy.status_code, busy.headers["retry-after"]) == (429, "5")
    assert push(serving, "elsewhere").status_code == 404
    serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=camera("read"))
    assert push(serving, "read").status_code == 409
    assert push(serving, pushed, b"no picture").status_code == 415
    assert push(serving, pushed, picture(9000, 40)).status_code == 422


def test_a_picture_sent_again_under_its_key_is_taken_once(serving: Serving, pushed: str) -> None:
    client = serving.key(Scope.INGEST)

    def again(data: bytes) -> Any:
        return client.post(
            FRAMES,
            data={"camera_id": pushed},
            files={"file": ("a.jpg", data, "image/jpeg")},
            headers={"idempotency-key": "frame-1"},
        )

    first, second = again(picture()), again(picture())
    assert first.status_code == second.status_code == 202
    assert second.headers["idempotent-replayed"] == "true"
    assert len(serving.live.pushed) == 1
    assert again(picture(32)).status_code == 422
