"""Short clips that tests encode themselves, and plain decoding of them to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

STREET = (96, 64)
"""Width and height in pixels of the clips."""


def picture(number: int, size: tuple[int, int] = STREET) -> np.ndarray:
    """A picture that differs from that of every other number: a square wanders over a ramp."""
    width, height = size
    ramp = np.linspace(40, 200, width, dtype=np.uint8)
    image = np.repeat(np.tile(ramp, (height, 1))[:, :, None], 3, axis=2).copy()
    x, y = (number * 7) % (width - 16), (number * 3) % (height - 16)
    image[y : y + 16, x : x + 16] = (255, 30, 60)
    image[:6, :6] = number * 5 % 256
    return image


def encode(
    path: Path,
    *,
    codec: str = "libx264",
    times_s: Sequence[float] | None = None,
    seconds: float = 12.0,
    rate: int = 5,
    gop: int = 10,
    b_frames: int = 2,
    size: tuple[int, int] = STREET,
    turn: int = 0,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    first_number: int = 0,
) -> Path:
    """Encode a clip; ``times_s`` gives each picture its own time, ``turn`` turns it when shown."""
    if times_s is None:
        times_s = [number / rate for number in range(round(seconds * rate))]
    fixed = {"sc_threshold": "0"}
    if codec == "libx264":
        fixed |= {"preset": "ultrafast", "x264-params": f"keyint={gop}:min-keyint={gop}:b-adapt=0"}
    if codec == "libx265":
        fixed |= {
            "preset": "ultrafast",
            "x265-params": f"log-level=none:keyint={gop}:min-keyint={gop}:b-adapt=0:pools=1",
        }
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=fixed)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.thread_count = 1
        if codec != "mjpeg":
            stream.codec_context.max_b_frames = b_frames
        uneven = any(abs(t * rate - round(t * rate)) > 1e-6 for t in times_s)
        tick = Fraction(1, 1000) if uneven else Fraction(1, rate)
        stream.codec_context.time_base = tick
        if turn:
            stream.set_display_rotation(-turn)
        for number, time_s in enumerate(times_s, first_number):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
            frame.pts, frame.time_base = round(time_s / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def copy_packets(
    source: Path,
    target: Path,
    *,
    skip: int = 0,
    damage: Sequence[int] = (),
    form: str | None = None,
) -> Path:
    """Copy a clip without its first ``skip`` packets, and with some packets overwritten."""
    with av.open(str(source)) as old, av.open(str(target), "w", format=form) as new:
        stream = old.streams.video[0]
        copied = new.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in old.demux(stream) if p.size):
            if number < skip:
                continue
            if number in damage:
                broken = av.Packet(b"\x00\x00\x00\x02\xff\xff" * 8)
                broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
                broken.is_keyframe = packet.is_keyframe
                packet = broken
            packet.stream = copied
            new.mux(packet)
    return target


def decode_plainly(path: Path) -> dict[int | None, np.ndarray]:
    """Every picture of a clip by its stored timestamp, ``(h, w, 3)`` BGR as stored."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "NONE"
        return {f.pts: f.to_ndarray(format="bgr24") for f in container.decode(stream)}
