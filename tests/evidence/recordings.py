"""Small recordings whose pictures tell their time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def picture_at(time_s: float, size: tuple[int, int]) -> np.ndarray:
    """Black and white bars that spell tenths of a second in eight bits, most significant left.

    A white stripe at the left and a black one at the top show turns.
    """
    width, height = size
    picture = np.full((height, width, 3), 128, np.uint8)
    tenths = round(time_s * 10)
    for bit in range(8):
        x = width // 4 + bit * width // 12
        picture[height // 4 : -height // 4, x : x + width // 12] = 255 * (tenths >> (7 - bit) & 1)
    picture[:, : width // 8] = 255
    picture[: height // 8] = 0
    return picture


def time_of(picture: np.ndarray) -> float:
    """Time at which an upright picture was taken, read from its bars."""
    height, width = picture.shape[:2]
    tenths = 0
    for bit in range(8):
        x = width // 4 + bit * width // 12
        bar = picture[height // 3 : -height // 3, x + 2 : x + width // 12 - 2]
        tenths = tenths << 1 | int(bar.mean() > 128)
    return tenths / 10


def record(
    path: Path,
    *,
    codec: str = "libx264",
    duration_s: float = 12.0,
    fps: int = 10,
    gop_s: float = 1.0,
    size: tuple[int, int] = (160, 120),
    pix_fmt: str = "yuv420p",
    times_s: Sequence[float] | None = None,
    audio: bool = False,
    b_frames: int = 0,
    first_packet: int = 0,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a recording of :func:`picture_at`."""
    width, height = size
    times = times_s or [n / fps for n in range(round(duration_s * fps))]
    with av.open(str(path), "w") as sink:
        sink.metadata.update(metadata or {})
        stream = sink.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = max(1, round(gop_s * fps))
        stream.codec_context.max_b_frames = b_frames
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "18", "sc_threshold": "0"}
            if first_packet:
                # No bitstream marks anything a place to begin at.
                stream.options["x264-params"] = "scenecut=0"
        if codec in {"mpeg4", "mjpeg"}:
            stream.codec_context.time_base = Fraction(1, fps)
            stream.codec_context.bit_rate = 2_000_000
        base = stream.codec_context.time_base
        sound = sink.add_stream("aac", rate=8000) if audio else None
        packets = []
        for time_s in times:
            picture = picture_at(time_s, size)
            frame = av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format=pix_fmt)
            frame.pts = round(time_s / base)
            frame.time_base = base
            packets += stream.encode(frame)
        packets += stream.encode(None)
        sink.mux(packets[first_packet:])
        if sound is not None:
            for n in range(round(duration_s * 8000 / 1024)):
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
                )
                silence.sample_rate = 8000
                silence.pts = n * 1024
                sink.mux(sound.encode(silence))
            sink.mux(sound.encode(None))
    return path


def turn(path: Path) -> Path:
    """Say in an mp4 that its pictures are to be shown turned by 90 degrees clockwise."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    # Version 0: flags, two times, id, reserved, duration, 8 reserved, layer … volume, reserved.
    matrix = at + 4 + 4 * 5 + 8 + 2 * 4
    data[matrix : matrix + 36] = struct.pack(
        ">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 120 << 16, 0, 1 << 30
    )
    path.write_bytes(bytes(data))
    return path
