"""The process that decodes a clip: ``python -m service.pictures.sampling FOLDER LOOKS PIXELS S``.

Only containers that hold their pictures themselves are opened: a playlist could name other files
of this machine, or hosts that only it can reach.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from av.video.frame import VideoFrame

CONTAINERS = "mov,matroska,avi,flv,mpegts,mpeg,h264,hevc,asf,ogg"
_MEMORY_BYTES = 4 << 30
_MOST_PACKETS = 500_000


def main(folder: Path, looks: int, max_pixels: int, deadline_s: float) -> dict[str, Any]:
    """Decode ``clip`` in a folder into ``0.npy``, ``1.npy``, ... and say what they are."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    seconds = math.ceil(deadline_s)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = str(folder / "clip")
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
    try:
        with av.open(path, options=options) as container:
            if not container.streams.video:
                return {"fault": "the clip holds no video"}
            stream = container.streams.video[0]
            size = stream.codec_context.width, stream.codec_context.height
            if size[0] * size[1] > max_pixels:
                return _too_large(size, max_pixels)
            keyframes = []
            for number, packet in enumerate(container.demux(stream)):
                if packet.is_keyframe and packet.pts is not None and packet.size:
                    keyframes.append(packet.pts)
                if number >= _MOST_PACKETS:
                    break
        wanted = _spread(keyframes, looks)
        times_s: list[float] = []
        with av.open(path, options=options) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            for packet in container.demux(stream):
                if not packet.is_keyframe or packet.pts not in wanted:
                    continue
                for frame in (*packet.decode(), *stream.codec_context.decode(None)):
                    assert isinstance(frame, VideoFrame)
                    if frame.width * frame.height > max_pixels:
                        return _too_large((frame.width, frame.height), max_pixels)
                    np.save(folder / f"{len(times_s)}.npy", frame.to_ndarray(format="bgr24"))
                    times_s.append(float((packet.pts - keyframes[0]) * stream.time_base))
                    break
                stream.codec_context.flush_buffers()
    except (av.error.FFmpegError, OSError, ValueError, MemoryError) as error:
        return {"fault": f"the clip cannot be decoded: {type(error).__name__}"}
    if not times_s:
        return {"fault": "the clip holds no picture that can be decoded"}
    return {"times_s": times_s}


def _spread(keyframes: list[int], looks: int) -> set[int]:
    """At most so many of them, evenly."""
    if len(keyframes) <= looks:
        return set(keyframes)
    return {keyframes[round(i * (len(keyframes) - 1) / max(looks - 1, 1))] for i in range(looks)}


def _too_large(size: tuple[int, int], max_pixels: int) -> dict[str, Any]:
    return {
        "too_many_pixels": f"the clip has pictures of {size[0]} x {size[1]} pixels; "
        f"at most {max_pixels} are taken"
    }


if __name__ == "__main__":
    given = sys.argv[1:]
    told = main(Path(given[0]), int(given[1]), int(given[2]), float(given[3]))
    sys.stdout.write(json.dumps(told))
