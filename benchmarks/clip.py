"""Make the benchmark clip: real footage, scaled to 1080p25 H.264 at 4 Mb/s, looped."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, FPS, BIT_RATE, KEYFRAME_S = 1920, 1080, 25, 4_000_000, 2


@dataclass(frozen=True)
class ClipForm:
    """Size in pixels and bits a second of a clip."""

    width: int = WIDTH
    height: int = HEIGHT
    bit_rate: int = BIT_RATE


def make_clip(source: Path, out: Path, seconds: float, form: ClipForm = ClipForm()) -> Path:
    """Encode one round of the footage and repeat its packets until the clip is long enough.

    Sensor noise is added after scaling, since a scaled small picture is smoother, and so cheaper to
    decode, than what a real 1080p camera delivers at this bit rate.

    Args:
        source: Real footage.
        out: Folder for the clips, which are kept and used again.
        seconds: Length wanted.
        form: Size and bit rate.
    """
    out.mkdir(parents=True, exist_ok=True)
    loop = out / f"{source.stem}_{form.height}p_round.mp4"
    if not loop.exists():
        _encode_round(source, loop, form)
    clip = out / f"{source.stem}_{form.height}p_{seconds:.0f}s.mp4"
    if not clip.exists():
        _repeat(loop, clip, seconds)
    return clip


def _encode_round(source: Path, out: Path, form: ClipForm) -> None:
    partial = out.with_suffix(".partial.mp4")
    random = np.random.default_rng(0)
    noise = random.normal(0, 3, (form.height + 64, form.width + 64, 1)).astype(np.int16)
    with av.open(source) as reader, av.open(partial, "w") as writer:
        stream = writer.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, "yuv420p"
        stream.bit_rate = form.bit_rate
        stream.options = {
            "preset": "veryfast",
            "g": str(FPS * KEYFRAME_S),
            "keyint_min": str(FPS * KEYFRAME_S),
            "sc_threshold": "0",
            "maxrate": str(form.bit_rate),
            "bufsize": str(2 * form.bit_rate),
        }
        number = 0
        for frame in reader.decode(video=0):
            image = frame.to_ndarray(format="bgr24")
            image = cv2.resize(image, (form.width, form.height), interpolation=cv2.INTER_CUBIC)
            due = round((frame.time or 0.0) * FPS)
            while number <= due:
                x, y = random.integers(0, 64, 2)
                grain = noise[y : y + form.height, x : x + form.width]
                noisy = np.clip(image + grain, 0, 255).astype(np.uint8)
                picture = av.VideoFrame.from_ndarray(noisy, format="bgr24")
                picture.pts, picture.time_base = number, Fraction(1, FPS)
                writer.mux(stream.encode(picture))
                number += 1
        writer.mux(stream.encode(None))
    partial.rename(out)


def _repeat(loop: Path, out: Path, seconds: float) -> None:
    """Copy the packets of ``loop`` again and again, each round starting with its keyframe."""
    partial = out.with_suffix(".partial.mp4")
    with av.open(partial, "w") as writer:
        target, offset_s = None, 0.0
        while offset_s < seconds:
            with av.open(loop) as reader:
                source = reader.streams.video[0]
                target = target or writer.add_stream_from_template(source)
                assert source.time_base is not None
                shift = round(offset_s / source.time_base)
                end_s = 0.0
                for packet in reader.demux(source):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end_s = max(end_s, float((packet.pts + packet.duration) * source.time_base))
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = target
                    writer.mux(packet)
                    if packet.is_keyframe and packet.pts * source.time_base >= seconds:
                        break
                offset_s += end_s
    partial.rename(out)
