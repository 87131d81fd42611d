"""What a scan is held against: ultralytics, a loop of supervision and OpenCV, and mere decoding.

All get the weights that Jiexu runs, as PyTorch reads them. Each runs in a process of its own; the
time to load is not counted. supervision is not among the dependencies, for it brings another build
of OpenCV that takes the place of Jiexu's: :data:`INSTALL_SUPERVISION`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av

from benchmarks.figures import NotMeasuredError

INSTALL_SUPERVISION = "pip install --no-deps 'supervision<0.28' pydeprecate tqdm"

_START = """
import sys, time
from vision.detect.ultralytics_setup import prepare
prepare()
from ultralytics import YOLO
model = YOLO(sys.argv[1])
clip, stride = sys.argv[2], int(sys.argv[3])
"""

_TRACK = """
began = time.perf_counter()
for _ in model.track(clip, stream=True, vid_stride=stride, imgsz=640, verbose=False):
    pass
print("took", time.perf_counter() - began)
"""

_SUPERVISION = """
import warnings
warnings.simplefilter("ignore")
import cv2, numpy as np, supervision as sv
capture = cv2.VideoCapture(clip)
width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
zone = sv.PolygonZone(np.array([[0, 0], [width, 0], [width, height], [0, height]]))
tracker = sv.ByteTrack(frame_rate=max(1, round(25 / stride)))
since, number = {}, 0
began = time.perf_counter()
while capture.grab():
    if number % stride == 0:
        frame = capture.retrieve()[1]
        found = model(frame, imgsz=640, verbose=False)[0]
        found = tracker.update_with_detections(sv.Detections.from_ultralytics(found))
        for track in found[zone.trigger(found)].tracker_id:
            since.setdefault(int(track), number / 25)
    number += 1
print("took", time.perf_counter() - began)
"""


def track(clip: Path, weights: Path, stride: int) -> float:
    """Seconds that ultralytics' ``model.track`` takes over a clip.

    Raises:
        NotMeasuredError: It fails.
    """
    return _seconds(_START + _TRACK, clip, weights, stride)


def supervision_loop(clip: Path, weights: Path, stride: int) -> float:
    """Seconds of OpenCV's decoding, ultralytics' detection and supervision's tracker and zone.

    Raises:
        NotMeasuredError: supervision is not installed, or fails.
    """
    needs = ("supervision", "deprecate", "tqdm")
    if not all(importlib.util.find_spec(name) for name in needs):
        raise NotMeasuredError(f"not installed: {INSTALL_SUPERVISION}")
    return _seconds(_START + _SUPERVISION, clip, weights, stride)


def _seconds(code: str, clip: Path, weights: Path, stride: int) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code, str(weights), str(clip), str(stride)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotMeasuredError(f"a peer failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.split("took ")[1])


def keyframe_floor(clip: Path, seconds: float, *, apart_s: float = 0.0) -> float:
    """Seconds to read a clip and decode keyframes, shared out over all cores.

    Args:
        clip: The clip.
        seconds: Its length.
        apart_s: Keyframes that follow one that was decoded sooner than this are left out.
    """
    cores = len(os.sched_getaffinity(0))

    def decode(part: int) -> None:
        with av.open(clip) as reader:
            stream = reader.streams.video[0]
            stream.codec_context.thread_type = "NONE"
            assert stream.time_base is not None
            begin_s, end_s = (seconds * one / cores for one in (part, part + 1))
            reader.seek(round(begin_s / stream.time_base), stream=stream)
            decoded_s = float("-inf")
            for packet in reader.demux(stream):
                time_s = float((packet.pts or 0) * stream.time_base)
                if time_s >= end_s:
                    break
                if packet.is_keyframe and time_s - decoded_s >= apart_s - 0.01:
                    decoded_s = time_s
                    packet.decode()

    began = time.perf_counter()
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(decode, range(cores)))
    return time.perf_counter() - began
