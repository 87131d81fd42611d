"""Everything together, from a real RTSP server to the sink."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import pytest
from blobs import BlobDetector
from live_street import KeepingSink, picture, settings
from rtsp_clips import RATE, RtspServer, encode_units
from watched import LOOPBACK, QUICK

from service.cameras.address import CameraSource, parse_address
from service.cameras.live import LiveCamera, LiveCameras
from service.cameras.states import FailureKind, SourceState
from vision.frames.looks import LookPolicy
from vision.observe.look import Health

pytestmark = [pytest.mark.rtsp, pytest.mark.slow]
DWELL_S = 5.0


def until(holds: Callable[[], bool], timeout_s: float = 90.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end_s, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A heap on the sub-stream and, four times as large, on the main stream."""
    folder = tmp_path_factory.mktemp("clips")
    return (
        encode_units(folder / "sub.au", lambda n: picture(n, heap=True), 4 * RATE, size=(320, 180)),
        encode_units(
            folder / "main.au",
            lambda n: picture(n, heap=True, size=(1280, 720)),
            2 * RATE,
            size=(1280, 720),
        ),
    )


def camera(folder: Path, source: CameraSource, name: str = "square") -> LiveCamera:
    base = settings(folder / name)
    return LiveCamera(
        watch=replace(
            base,
            camera=base.camera.model_copy(update={"id": name}),
            rules={**base.rules, "debris_pile": {"dwell_s": DWELL_S}},
        ),
        source=source,
        policy=LookPolicy(rest_s=2.0, active_s=1.0),
        detector=BlobDetector(),
    )


def test_from_the_stream_to_the_sink_with_evidence_from_the_main_stream(
    serve: Callable[..., RtspServer], clips: tuple[Path, Path], tmp_path: Path
) -> None:
    server = serve(*clips)
    sink = KeepingSink()
    live = LiveCameras(sink, LOOPBACK, workers=1, readers=QUICK)
    live.start()
    try:
        live.add(
            camera(
                tmp_path,
                CameraSource(parse_address(server.url("sub")), parse_address(server.url("main"))),
            )
        )
        until(lambda: len(sink.records) >= 2)
        first, refreshed = sink.records[0], sink.records[1]
        assert first.id == refreshed.id
        assert first.kind == "debris_pile"
        assert first.evidence.scene is not None
        assert refreshed.evidence.scene is not None
        assert (first.evidence.scene.width, refreshed.evidence.scene.width) == (320, 1280)
        until(lambda: sink.records[-1].evidence.clip is not None)
        clip = sink.records[-1].evidence.clip
        assert clip is not None
        assert (clip.width, clip.height, clip.media_type) == (1280, 720, "video/mp4")
        with av.open(str(tmp_path / "square" / clip.path)) as film:
            pictures = [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]
        assert 60 <= len(pictures) <= 85, "eight seconds of ten pictures"
        assert pictures[-1][480, 800, 2] > 150, "the heap"
        assert live.health("square").state is SourceState.LIVE
        assert live.health("square").view is Health.OK

        server.kill()
        until(lambda: sink.looks[-1].health is Health.GAP)
        until(lambda: live.health("square").state is SourceState.WAITING)
        looks = len(sink.looks)
        until(lambda: live.health("square").failure is FailureKind.REFUSED)
        assert len(sink.looks) == looks, "no look without a picture"
        server.start()
        until(lambda: sink.looks[-1].health is Health.OK)
        assert sink.ids == {first.id}
        states = [health.state for health in sink.healths]
        assert SourceState.LIVE in states
        assert SourceState.WAITING in states
        assert states[-1] is SourceState.LIVE
    finally:
        live.stop()
    assert live.processes() == []
    assert sink.healths[-1].state is SourceState.STOPPED
    assert live.counts().failed == 0


def test_one_dead_camera_among_many_keeps_none_from_its_looks(
    serve: Callable[..., RtspServer], clips: tuple[Path, Path], tmp_path: Path
) -> None:
    server = serve(*clips)
    sink = KeepingSink()
    live = LiveCameras(sink, LOOPBACK, workers=1, readers=QUICK)
    live.start()
    try:
        dead = CameraSource(parse_address("rtsp://127.0.0.1:9/none"))
        live.add(camera(tmp_path, dead, "dead"))
        for name in ("a", "b", "c"):
            live.add(camera(tmp_path, CameraSource(parse_address(server.url("sub"))), name))
        until(lambda: all(live.counts().looks[name] >= 6 for name in "abc"))
        looks = live.counts().looks
        assert looks["dead"] == 0
        assert max(looks[name] for name in "abc") - min(looks[name] for name in "abc") <= 3
    finally:
        began_s = time.monotonic()
        live.stop()
    assert time.monotonic() - began_s < 10.0
