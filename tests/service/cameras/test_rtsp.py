"""Cameras read from a real RTSP server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import SIZE, wandering
from live_street import picture
from rtsp_clips import RATE, RtspServer, encode_units
from watched import QUICK, Watched

from service.cameras.address import Transport, parse_address
from service.cameras.onset import OnsetSettings
from service.cameras.states import FailureKind, SourceState

pytestmark = [pytest.mark.rtsp, pytest.mark.slow]
Serve = Callable[..., RtspServer]


@pytest.mark.parametrize("transport", Transport)
def test_gives_ever_newer_pictures_and_only_when_asked(
    serve: Serve, street_clip: Path, transport: Transport
) -> None:
    server = serve(street_clip)
    with Watched() as cameras:
        cameras.supervisor.add("gate", parse_address(server.url("street"), transport=transport))
        cameras.wait_for("gate", SourceState.LIVE)
        assert not cameras.supervisor.want("gate"), "the first one is still in use"
        taken = [cameras.pictures[0][1], *(cameras.next_picture("gate") for _ in range(3))]
        assert all(later.arrived_s > earlier.arrived_s for earlier, later in pairwise(taken))
        assert taken[0].image.shape == (SIZE[1], SIZE[0], 3)
        assert taken[0].image[..., 2].max() > 180, "the red square is there"
        assert len(cameras.pictures) == 4


def test_pictures_of_several_slices_are_whole(serve: Serve, tmp_path: Path) -> None:
    server = serve(encode_units(tmp_path / "sliced.au", wandering, 40, size=SIZE, slices=3))
    with Watched() as cameras:
        cameras.supervisor.add("gate", parse_address(server.url("sliced")))
        cameras.wait_for("gate", SourceState.LIVE)
        image = cameras.next_picture("gate").image
        beside_square = np.concatenate([image[:50], image[110:]]).astype(int)
        assert np.abs(beside_square - 90).max() < 20, "the first and the last slice are there"
        assert cameras.supervisor.health("gate").failures == 0


def test_a_wrong_password_calls_the_operator_and_is_shown_nowhere(
    serve: Serve, street_clip: Path
) -> None:
    server = serve(street_clip, user="jan:right-secret")
    with Watched() as cameras:
        cameras.supervisor.add("right", parse_address(server.url("street", "jan:right-secret")))
        cameras.supervisor.add("wrong", parse_address(server.url("street", "jan:wrong-secret")))
        cameras.supervisor.add("without", parse_address(server.url("street")))
        for name in ("wrong", "without"):
            health = cameras.wait_for(name, SourceState.NEEDS_OPERATOR)
            assert health.failure is FailureKind.AUTH
        cameras.wait_for("right", SourceState.LIVE)
        assert "secret" not in str(cameras.healths)


def test_what_is_wrong_is_told_apart(serve: Serve, street_clip: Path) -> None:
    server = serve(street_clip)
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        socket.socket() as unused,
        Watched() as cameras,
    ):
        unused.bind(("127.0.0.1", 0))
        expected = {
            "missing": (server.url("elsewhere"), FailureKind.NOT_FOUND),
            "closed": (f"rtsp://127.0.0.1:{unused.getsockname()[1]}/x", FailureKind.REFUSED),
            "silent": (f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x", FailureKind.OPEN_TIMEOUT),
            "forbidden": ("rtsp://169.254.169.254/x", FailureKind.FORBIDDEN_ADDRESS),
            "nameless": ("rtsp://no-such-camera.invalid/x", FailureKind.UNKNOWN_HOST),
        }
        for name, (url, _) in expected.items():
            cameras.supervisor.add(name, parse_address(url))
        for name, (_, kind) in expected.items():
            assert cameras.wait_for(name, kind).failure is kind
        assert not cameras.pictures


def test_comes_back_when_the_server_does(serve: Serve, street_clip: Path) -> None:
    server = serve(street_clip)
    with Watched() as cameras:
        cameras.supervisor.add("gate", parse_address(server.url("street")))
        cameras.wait_for("gate", SourceState.LIVE)
        server.kill()
        down = cameras.wait_for("gate", SourceState.WAITING)
        assert down.failure in (FailureKind.ENDED, FailureKind.READ_TIMEOUT)
        seen = len(cameras.pictures)
        cameras.wait_for("gate", FailureKind.REFUSED)
        assert len(cameras.pictures) == seen, "no picture is invented while the camera is gone"
        server.start()
        back = cameras.wait_for("gate", SourceState.LIVE)
        assert (back.reconnects, back.failure) == (1, None)


def test_a_stream_that_stalls_is_a_time_out_and_is_opened_anew(
    serve: Serve, street_clip: Path
) -> None:
    server = serve(street_clip)
    with Watched() as cameras:
        cameras.supervisor.add("gate", parse_address(server.url("street")))
        cameras.wait_for("gate", SourceState.LIVE)
        server.say("stall /street")
        cameras.wait_for("gate", FailureKind.READ_TIMEOUT)
        server.say("go /street")
        cameras.wait_for("gate", SourceState.LIVE)


def test_what_came_between_two_looks_is_looked_at_as_it_came(serve: Serve, tmp_path: Path) -> None:
    """Keyframes are 2 s apart: the first that shows the heap is looked at, not the one after it."""
    clips = [
        encode_units(
            tmp_path / f"{name}.au",
            lambda number, heap=heap: picture(number, heap=heap),  # type: ignore[misc]
            4 * RATE,
            size=(320, 180),
            gop=2 * RATE,
        )
        for name, heap in (("street", False), ("heap", True))
    ]
    server = serve(*clips)
    with Watched(replace(QUICK, onsets=OnsetSettings(share=1.0))) as cameras:
        cameras.supervisor.add("gate", parse_address(server.url("street")))
        cameras.wait_for("gate", SourceState.LIVE)
        cameras.next_picture("gate")
        time.sleep(4.5)
        assert cameras.next_picture("gate").behind_s == 0.0, "nothing came"
        time.sleep(2.5)
        shown_s = time.monotonic()
        server.say("show /street /heap")
        time.sleep(7.5)
        taken = cameras.next_picture("gate")
        assert taken.image[120, 200, 2] > 150, "the heap is there"
        assert taken.arrived_s - shown_s < 1.5, "the picture in which it came"
        assert 3.0 < taken.behind_s < 8.5
        fresh_s = time.monotonic()
        cameras.supervisor.done("gate")
        cameras.wait(lambda: cameras.supervisor.want("gate", fresh=True))
        cameras.wait(lambda: len(cameras.pictures) == 5)
        assert cameras.pictures[-1][1].arrived_s > fresh_s - 0.6, "the newest, not one that lay"
        assert cameras.pictures[-1][1].behind_s == 0.0
