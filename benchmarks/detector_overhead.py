"""What the detector costs beyond bare OpenVINO on the same network, on the same pictures.

    python -m benchmarks.detector_overhead [--pictures 60] [--runs 5]

Bare OpenVINO infers canvases that are ready, compiled with the same settings, by its own queue of
asynchronous requests, and throws the output away. The detector is given pictures as a scan gives
them (scaled down while they were decoded): it puts them on their canvas, infers, and reads the
boxes. Whole 1080p frames, which it has to scale down itself, come third. They take turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import openvino as ov

from benchmarks.figures import Ratio, ratio, rounded
from vision.detect.letterbox import letterbox
from vision.detect.load import load_detector
from vision.detect.openvino_runtime import OpenVinoDetector, for_pictures, settings
from vision.detect.registry import load_registry
from vision.frames.frame import Image, fitted_size
from vision.learn.data.pictures import pictures_below, read_image
from vision.learn.measure.speed import machine, seconds

FRAME = (1920, 1080)

BARE = "bare OpenVINO, canvases ready"
FITTED = "Jiexu's detector, pictures as a scan gives them"
WHOLE = "Jiexu's detector, whole 1080p frames"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="model of the registry; the default one if not given")
    parser.add_argument("--folder", type=Path, help="folder of real pictures; else noise")
    parser.add_argument("--pictures", type=int, default=60, help="pictures in each run")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    found = measure(
        options.runs, pictures=options.pictures, folder=options.folder, model=options.model
    )
    print(machine())
    for name, values in found.items():
        print(f"{name:50} {rounded(sorted(values)[len(values) // 2]):>8} pictures/s")
    for one in ratios(found):
        print(f"{one.name}: {one.median:.3f}")


def measure(
    runs: int, *, pictures: int = 60, folder: Path | None = None, model: str | None = None
) -> dict[str, list[float]]:
    """Pictures a second of each way, by run."""
    entry = load_registry().model(model)
    frames = _frames(folder, pictures)
    side = entry.input_size
    fitted = [
        np.asarray(cv2.resize(one, fitted_size(*FRAME, side), interpolation=cv2.INTER_AREA))
        for one in frames
    ]
    canvases = [letterbox(one, side, entry.stride)[0][np.newaxis] for one in fitted]
    detector = load_detector(entry)
    if not isinstance(detector, OpenVinoDetector):
        raise TypeError(f"model {entry.name} does not run with OpenVINO here")
    core = ov.Core()
    network = core.read_model(entry.verified_files(detector.runtime)[0])
    network.reshape([1, 3, *canvases[0].shape[1:3]])
    compiled = core.compile_model(for_pictures(network), "CPU", settings("CPU"))
    queue = ov.AsyncInferQueue(compiled)

    def bare() -> None:
        for canvas in canvases:
            queue.start_async(canvas, share_inputs=True)
        queue.wait_all()

    def ours(images: Sequence[Image]) -> None:
        for future in [detector.submit(one, FRAME) for one in images]:
            future.result()

    ways = {BARE: bare, FITTED: lambda: ours(fitted), WHOLE: lambda: ours(frames)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for _ in range(runs):
        for name, work in ways.items():
            found[name].append(pictures / seconds(work))
    detector.close()
    return found


def ratios(found: dict[str, list[float]]) -> list[Ratio]:
    """Time of the detector over that of bare OpenVINO."""
    return [
        ratio(
            "time of the detector / bare OpenVINO", found[BARE], found[FITTED], 1.15, at_most=True
        ),
        ratio("the same, given whole 1080p frames", found[BARE], found[WHOLE]),
    ]


def _frames(folder: Path | None, count: int) -> list[Image]:
    """Frames of 1080p: real pictures, or noise, which costs a network the same."""
    if folder is None:
        random = np.random.default_rng(0)
        return [random.integers(0, 256, (FRAME[1], FRAME[0], 3), np.uint8) for _ in range(count)]
    paths = pictures_below(folder)[:count]
    return [np.asarray(cv2.resize(read_image(path), FRAME)) for path in paths]


if __name__ == "__main__":
    main()
