"""What is read over HTTP and from files."""

from __future__ import annotations

import base64
import http.server
import io
import re
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import SIZE, wandering
from PIL import Image as Pillow

from service.cameras.address import SourceKind, parse_address
from service.cameras.failure import CameraError
from service.cameras.source import Deadlines, Picture, decoded_still, open_source
from service.cameras.states import FailureKind
from service.reach import AddressPolicy

POLICY = AddressPolicy(networks=(ip_network("127.0.0.0/8"),))
QUICK = Deadlines(open_s=2.0, read_s=1.0, keyframe_s=3.0)


def jpeg(number: int = 0, size: tuple[int, int] | None = None) -> bytes:
    buffer = io.BytesIO()
    picture = Pillow.fromarray(np.ascontiguousarray(wandering(number)[..., ::-1]))
    (picture.resize(size) if size else picture).save(buffer, "JPEG")
    return buffer.getvalue()


def encoded(path: Path, form: str, seconds: int = 4) -> Path:
    with av.open(str(path), "w", format=form) as out:
        stream = out.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height = SIZE
        for number in range(seconds * 10):
            frame = av.VideoFrame.from_ndarray(wandering(number), format="bgr24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


class Handler(http.server.BaseHTTPRequestHandler):
    folder: Path
    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append((self.path, self.headers.get("authorization", "")))
        if path == "/locked/snapshot" and not self._known():
            self.send_response(401)
            self.send_header("www-authenticate", 'Digest realm="cam", nonce="n1", qop="auth"')
            self.end_headers()
        elif path == "/basic/snapshot" and "Basic" not in self.headers.get("authorization", ""):
            self.send_response(401)
            self.send_header("www-authenticate", 'Basic realm="cam"')
            self.end_headers()
        elif path.endswith("/snapshot"):
            self._answer(jpeg())
        elif path == "/away":
            self.send_response(302)
            self.send_header("location", self.path.partition("to=")[2])
            self.end_headers()
        elif path == "/mjpeg":
            self.send_response(200)
            self.send_header("content-type", "multipart/x-mixed-replace; boundary=b")
            self.end_headers()
            for number in range(40):
                data = jpeg(number)
                head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(0.02)
        elif path == "/silence":
            self.send_response(200)
            self.end_headers()
            time.sleep(3)
        elif path == "/page":
            self._answer(b"<html>no picture here</html>" * 200)
        elif (self.folder / path[1:]).is_file():
            self._answer((self.folder / path[1:]).read_bytes())
        else:
            self.send_error(404)

    def _known(self) -> bool:
        return re.match(r'Digest username="jan"', self.headers.get("authorization", "")) is not None

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[tuple[str, type[Handler]]]:
    """A camera's web server: its URL and handler."""
    handler = type("Own", (Handler,), {"folder": tmp_path, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def first_picture(url: str, kind: SourceKind | None = None, packets: int = 60) -> Picture:
    source = open_source(parse_address(url, kind=kind), POLICY, QUICK)
    try:
        for _ in range(packets):
            source.advance(threading.Event())
            if source.newest_s() is not None:
                return source.picture()
    finally:
        source.close()
    raise AssertionError("no keyframe came")


def failing(url: str, kind: SourceKind | None = None) -> FailureKind:
    with pytest.raises(CameraError) as failure:
        first_picture(url, kind)
    return failure.value.kind


@pytest.mark.parametrize("path", ["/snapshot", "/locked/snapshot", "/basic/snapshot"])
def test_a_snapshot_is_had_with_the_password_that_the_camera_wants(
    camera: tuple[str, type[Handler]], path: str
) -> None:
    host, handler = camera
    picture = first_picture(f"http://jan:geheim99@{host}{path}")
    assert picture.image.shape == (SIZE[1], SIZE[0], 3)
    assert picture.image[70, 20].tolist() == pytest.approx([20, 20, 220], abs=30)
    assert handler.asked[0][1] == "", "nothing is sent before it is asked for"


def test_a_locked_snapshot_without_a_password_is_told_as_such(
    camera: tuple[str, type[Handler]],
) -> None:
    assert failing(f"http://{camera[0]}/locked/snapshot") is FailureKind.AUTH


@pytest.mark.parametrize(("form", "name"), [("flv", "live.flv"), ("mpegts", "live.ts")])
def test_streams_over_http(
    camera: tuple[str, type[Handler]], tmp_path: Path, form: str, name: str
) -> None:
    encoded(tmp_path / name, form)
    assert first_picture(f"http://{camera[0]}/{name}").image.shape == (SIZE[1], SIZE[0], 3)


def test_mjpeg(camera: tuple[str, type[Handler]]) -> None:
    picture = first_picture(f"http://{camera[0]}/mjpeg")
    assert picture.image.shape == (SIZE[1], SIZE[0], 3)
    assert picture.image[..., 2].max() > 180


def test_a_few_earlier_pictures_are_kept_evenly_spread_until_a_later_one_was_looked_at(
    camera: tuple[str, type[Handler]],
) -> None:
    source = open_source(parse_address(f"http://{camera[0]}/mjpeg"), POLICY, QUICK)
    began_s = time.monotonic()
    try:
        with pytest.raises(CameraError):
            while True:
                source.advance(threading.Event())
        newest_s = source.newest_s()
        assert newest_s is not None
        kept = list(source.earlier(began_s))
        times_s = [time_s for time_s, _ in kept]
        assert 5 <= len(kept) <= 8, "of forty"
        assert times_s == sorted(times_s, reverse=True)
        assert times_s[0] < newest_s
        assert np.diff([newest_s, *times_s]).min() > -0.5 * (newest_s - times_s[-1])
        middle_s, luma = kept[3]
        picture = source.picture(middle_s)
        assert picture.arrived_s == middle_s
        assert np.array_equal(picture.luma, luma)
        assert source.picture().arrived_s == newest_s
        source.forget(middle_s)
        assert [time_s for time_s, _ in source.earlier(began_s)] == times_s[:3]
        assert [time_s for time_s, _ in source.earlier(times_s[1])] == times_s[:1]
    finally:
        source.close()


def test_hls(camera: tuple[str, type[Handler]], tmp_path: Path) -> None:
    encoded(tmp_path / "one.ts", "mpegts")
    (tmp_path / "index.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\none.ts\n#EXT-X-ENDLIST\n"
    )
    assert first_picture(f"http://{camera[0]}/index.m3u8").image.shape == (SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "file:///etc/passwd"])
def test_no_redirect_and_no_playlist_leads_where_the_policy_forbids(
    camera: tuple[str, type[Handler]], tmp_path: Path, target: str
) -> None:
    host, _ = camera
    assert failing(f"http://{host}/away?to={target}") is FailureKind.FORBIDDEN_ADDRESS
    (tmp_path / "evil.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\n{target}\n#EXT-X-ENDLIST\n"
    )
    assert failing(f"http://{host}/evil.m3u8") in (
        FailureKind.FORBIDDEN_ADDRESS,
        FailureKind.GARBAGE,
        FailureKind.NO_VIDEO,
    )


def test_a_redirect_elsewhere_does_not_take_the_password_along(
    camera: tuple[str, type[Handler]],
) -> None:
    host, handler = camera
    other = host.replace("127.0.0.1", "127.0.0.2")
    url = f"http://jan:geheim99@{host}/away?to=http://{other}/basic/snapshot"
    assert failing(url, SourceKind.SNAPSHOT) in (FailureKind.AUTH, FailureKind.REFUSED)
    assert not any(base64.b64encode(b"jan:geheim99").decode() in sent for _, sent in handler.asked)


def test_a_redirect_on_the_same_host_is_followed(camera: tuple[str, type[Handler]]) -> None:
    host, _ = camera
    url = f"http://jan:geheim99@{host}/away?to=/basic/snapshot"
    assert first_picture(url, SourceKind.SNAPSHOT).image.shape == (SIZE[1], SIZE[0], 3)


def test_failures_over_http_are_told_apart(camera: tuple[str, type[Handler]]) -> None:
    host, _ = camera
    assert failing(f"http://{host}/none.flv") is FailureKind.NOT_FOUND
    assert failing(f"http://{host}/page") is FailureKind.GARBAGE
    assert failing(f"http://{host}/page", SourceKind.SNAPSHOT) is FailureKind.GARBAGE
    assert failing(f"http://{host}/silence") in (
        FailureKind.READ_TIMEOUT,
        FailureKind.OPEN_TIMEOUT,
    )


def test_a_stream_that_ends_has_ended(camera: tuple[str, type[Handler]], tmp_path: Path) -> None:
    encoded(tmp_path / "short.ts", "mpegts", seconds=1)
    source = open_source(parse_address(f"http://{camera[0]}/short.ts"), POLICY, QUICK)
    with pytest.raises(CameraError) as failure:
        for _ in range(100):
            source.advance(threading.Event())
    assert failure.value.kind is FailureKind.ENDED


def test_a_recording_is_played_at_its_pace_and_again_from_the_start(tmp_path: Path) -> None:
    path = encoded(tmp_path / "loop.mp4", "mp4", seconds=1)
    policy = AddressPolicy(folders=(tmp_path,))
    source = open_source(parse_address(f"file://{path}"), policy, QUICK)
    began_s, keyframes = time.monotonic(), set()
    while time.monotonic() - began_s < 2.5:
        source.advance(threading.Event())
        keyframes.add(source.newest_s())
    assert source.picture().image.shape == (SIZE[1], SIZE[0], 3)
    source.close()
    assert len(keyframes - {None}) == 3


def test_a_picture_is_measured_before_it_is_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
        )

    head = struct.pack("!IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))
    with pytest.raises(CameraError):
        decoded_still(bomb)
    with pytest.raises(CameraError):
        decoded_still(b"")
    with pytest.raises(CameraError):
        decoded_still(jpeg()[:300])
