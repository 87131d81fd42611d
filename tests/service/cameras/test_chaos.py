"""A short form of the chaos trial, in which everything breaks once, and the world it is held in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import SIZE
from rtsp_clips import RATE, encode_units

from benchmarks.chaos_world import EMPTY, Scene, World

ROOT = Path(__file__).parents[3]

pytestmark = [pytest.mark.slow, pytest.mark.rtsp]


def test_every_scripted_violation_is_one_case_whatever_breaks(
    gstreamer: None, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.live_chaos", "--short", "--out", tmp_path],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    figures = json.loads((tmp_path / "live_chaos.json").read_text())
    assert len(figures["faults"]) == 7
    assert len(figures["faults_by_kind"]) == 7
    assert figures["found_as_one_case"] == figures["scripted_violations"] == 2, figures["scripted"]
    assert figures["unscripted"] == []
    assert figures["cases_without_evidence"] == []
    assert figures["crashes"] == []
    assert figures["not_stopped_in_time"] == []
    assert figures["processes_left"] == []
    assert figures["holds"]


def test_every_stream_shows_what_it_should_when_the_server_is_back(
    gstreamer: None, tmp_path: Path
) -> None:
    def plain(brightness: int) -> Path:
        image = np.full((SIZE[1], SIZE[0], 3), brightness, np.uint8)
        return encode_units(tmp_path / f"{brightness}.au", lambda _: image, 2 * RATE, size=SIZE)

    cameras = [f"cam{number}" for number in range(5)]
    scene = Scene({EMPTY: plain(40).rename(tmp_path / f"{EMPTY}.au"), "200": plain(200)}, [])
    world = World(scene, cameras, tmp_path)
    try:
        for camera_id in cameras[1:]:
            world.show(camera_id, "200")
        world.kill()
        world.start()
        for camera_id in cameras:
            with av.open(world.url(camera_id), options={"rtsp_transport": "tcp"}) as stream:
                frame = next(stream.decode(video=0)).to_ndarray(format="gray")
            assert (frame.mean() > 120) == (camera_id != "cam0"), camera_id
    finally:
        world.kill()
