from __future__ import annotations

import functools
import http.server
import socket
import threading
import time
from datetime import UTC, datetime

import av
import pytest
from encoded_clips import decode_plainly, encode

from vision.errors import InputError
from vision.frames.capture import capture_stream, redact
from vision.frames.recording import open_recording

NOW = datetime(2024, 5, 1, 8, 30, tzinfo=UTC)


def clock() -> datetime:
    return NOW


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://admin:pa@ss@10.0.0.7:554/live", "rtsp://10.0.0.7:554/live"),
        ("rtsp:/admin:pass@10.0.0.7/live", "rtsp:/10.0.0.7/live"),
        ("http://host/a.ts?token=abc&n=1", "http://host/a.ts?token=***&n=1"),
        ("http://host/a?user=u&Password=p", "http://host/a?user=***&Password=***"),
        ("rtsp://h/user=admin_password=tl_channel=1_stream=0.sdp", "rtsp://h/user=***"),
        ("http://auth.host/api/frame?src=gate", "http://auth.host/api/frame?src=gate"),
        ("file:///data/a.mp4", "file:///data/a.mp4"),
        ("rtsp://10.0.0.7/live", "rtsp://10.0.0.7/live"),
        ("/data/me@home/a.mp4", "/data/me@home/a.mp4"),
    ],
)
def test_credentials_are_hidden(url, shown):
    assert redact(url) == shown


@pytest.fixture
def served(tmp_path):
    """A folder served over HTTP: its path and its URL."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("suffix", ["ts", "flv", "mkv"])
def test_a_stream_is_copied_for_its_duration(served, suffix):
    folder, url = served
    clip = encode(folder / f"live.{suffix}", seconds=12, gop=10)
    out = folder / "out.mkv"
    start = capture_stream(f"{url}/live.{suffix}", 6.0, out, clock=clock)
    assert (start.value, start.origin) == (NOW, "clock")
    with open_recording(out, camera_id="gate", timezone=UTC, start=start) as recording:
        frames = list(recording.stretch(0.0, 99.0))
        assert recording.notes == []
    assert frames[0].time_s == 0.0
    assert frames[-1].time_s == pytest.approx(6.0, abs=0.6)
    plain = list(decode_plainly(clip).values())
    assert all((f.image == p).all() for f, p in zip(frames[:20], plain, strict=False))
    with av.open(str(out)) as container:
        assert "matroska" in container.format.name
    assert sorted(p.name for p in folder.iterdir()) == [f"live.{suffix}", "out.mkv"]


def test_a_stream_that_ends_early_is_kept(served):
    folder, url = served
    encode(folder / "live.ts", seconds=4, gop=10)
    capture_stream(f"{url}/live.ts", 60.0, folder / "out.mkv", clock=clock)
    assert len(decode_plainly(folder / "out.mkv")) == 20


def test_what_cannot_be_opened_is_named_without_credentials(served):
    folder, url = served
    (folder / "text.ts").write_text("no video")
    for bad in ("missing.ts", "text.ts"):
        address = url.replace("//", "//admin:s3cret@") + f"/{bad}?token=t0ken"
        with pytest.raises(InputError, match=r"cannot be opened") as caught:
            capture_stream(address, 5.0, folder / "out.mkv", clock=clock)
        shown = str(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
        assert bad in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert "t0ken" not in str(caught.value)
        assert "s3cret" not in repr(caught.value.__cause__), shown
    assert not (folder / "out.mkv").exists()


def test_a_silent_server_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(InputError, match="cannot be opened"):
            capture_stream(
                f"http://127.0.0.1:{port}/live.ts",
                5.0,
                tmp_path / "never.mkv",
                clock=clock,
                open_timeout_s=0.5,
                read_timeout_s=0.5,
            )
        assert time.monotonic() - began < 5.0
