from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from rtsp_clips import RATE, SYSTEM_PYTHON, RtspServer, encode_units

from vision.frames.frame import Image

SIZE = (320, 180)


def wandering(number: int) -> Image:
    """A red square that is never twice at the same place within a clip."""
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    x = (number * 5) % (SIZE[0] - 40)
    image[60:100, x : x + 40] = (20, 20, 220)
    return image


@pytest.fixture(scope="session")
def gstreamer() -> None:
    """Skip where GStreamer's RTSP server is not installed; CI installs it."""
    code = "import gi; gi.require_version('GstRtspServer', '1.0')"
    if subprocess.run([SYSTEM_PYTHON, "-c", code], check=False, capture_output=True).returncode:
        pytest.skip("Debian's python3-gi and gir1.2-gst-rtsp-server-1.0 are not installed")


@pytest.fixture(scope="session")
def street_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds for the RTSP server, with a keyframe every second."""
    path = tmp_path_factory.mktemp("clips") / "street.au"
    return encode_units(path, wandering, 4 * RATE, size=SIZE)


@pytest.fixture
def serve(gstreamer: None) -> Iterator[Callable[..., RtspServer]]:
    """Start RTSP servers that are gone after the test."""
    servers = []

    def start(*clips: Path, user: str | None = None) -> RtspServer:
        servers.append(RtspServer(clips, user=user))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
