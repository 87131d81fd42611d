"""Clips for the RTSP server, and the server as a process."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vision.frames.frame import Image

SYSTEM_PYTHON = "/usr/bin/python3"
RATE = 10


def encode_units(
    path: Path,
    picture: Callable[[int], Image],
    count: int,
    *,
    size: tuple[int, int],
    rate: int = RATE,
    gop: int = RATE,
    slices: int = 1,
    bit_rate: int | None = None,
) -> Path:
    """Encode ``count`` pictures to a file of access units, see ``rtsp_server.py``."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, rate)
    context.framerate = Fraction(rate)
    context.gop_size = gop
    context.thread_count = 1
    if bit_rate is not None:
        context.bit_rate = bit_rate
    context.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"keyint={gop}:min-keyint={gop}:scenecut=0:repeat-headers=1:annexb=1"
        f":slices={slices}",
    }
    with path.open("wb") as out:
        for number in [*range(count), None]:
            frame = None
            if number is not None:
                frame = av.VideoFrame.from_ndarray(
                    np.ascontiguousarray(picture(number)), format="bgr24"
                )
                frame.pts, frame.time_base = number, Fraction(1, rate)
            for packet in context.encode(frame):
                unit = bytes(packet)
                out.write(struct.pack("!I", len(unit)) + unit)
    return path


class RtspServer:
    """The server; killed and started again at will on the same port."""

    def __init__(self, clips: Sequence[Path], *, user: str | None = None, rate: int = RATE) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._clips = clips
        self._user = user
        self._rate = rate
        self.start()

    def start(self) -> None:
        script = Path(__file__).with_name("rtsp_server.py")
        user = ["--user", self._user] if self._user else []
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, script, str(self.port), *self._clips, "--rate", str(self._rate), *user],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    @property
    def pid(self) -> int:
        """Id of its process."""
        return self._process.pid

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def url(self, path: str, user: str = "") -> str:
        return f"rtsp://{user + '@' if user else ''}127.0.0.1:{self.port}/{path}"
