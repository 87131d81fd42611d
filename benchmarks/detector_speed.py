"""How fast is the shipped detector beside PyTorch and ultralytics? One run, one machine.

    python -m benchmarks.detector_speed [--model NAME] [--frames N] [--runs N] --out FILE

The same weights see the same 640 x 640 pictures as OpenVINO INT8 and FP16 from the registry, as
OpenVINO FP32 converted on the spot, in PyTorch FP32, and through ultralytics' own ``predict``. All
take turns in every run. The figure that counts, INT8 to PyTorch FP32, comes first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vision.detect import ultralytics_setup
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry, load_registry
from vision.learn.data.pictures import pictures_below, read_image
from vision.learn.measure.speed import Spread, machine, seconds
from vision.learn.ship.export import export_model

SIDE = 640

OURS = ("openvino-int8", "openvino-fp16", "openvino-fp32", "pytorch")


def main() -> None:
    """Measure, print a table, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="model of the registry; the default one if not given")
    parser.add_argument("--pictures", type=Path, help="folder of real pictures; else noise")
    parser.add_argument("--frames", type=int, default=40, help="pictures in each run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True, help="JSON file for the figures")
    options = parser.parse_args()

    entry = load_registry().model(options.model)
    images = frames(options.pictures, options.frames)
    with tempfile.TemporaryDirectory() as scratch:
        whole = export_model(
            entry.verified_files("pytorch")[0],
            name="fp32",
            registry_dir=Path(scratch),
            licence=entry.licence,
            input_size=SIDE,
            runtimes=("openvino-fp32",),
            end2end=entry.output == "end2end",
        )
        measured = measure(entry, whole, images, options.runs)
    base = statistics.median(measured["pytorch"])
    result: dict[str, Any] = {
        "int8_to_pytorch_fp32": round(statistics.median(measured["openvino-int8"]) / base, 2),
        "model": entry.name,
        "machine": machine(),
        "side": SIDE,
        "frames": len(images),
        "runs": options.runs,
        "frames_per_s": {
            name: {key: round(value, 2) for key, value in vars(Spread.of(values)).items()}
            for name, values in measured.items()
        },
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(f"INT8 to PyTorch FP32: {result['int8_to_pytorch_fp32']} times the frames/s")
    print(f"{entry.name}, {machine()}, {SIDE} x {SIDE}, {len(images)} frames, {options.runs} runs")
    for name, values in measured.items():
        spread, ratio = Spread.of(values), statistics.median(values) / base
        print(
            f"{name:22} {spread.median:7.1f} frames/s ({spread.min:.1f}-{spread.max:.1f})"
            f"  {ratio:5.2f} x"
        )


def frames(folder: Path | None, count: int) -> list[np.ndarray]:
    """Square pictures: cut from real ones, or noise, which costs a network the same."""
    if folder is None:
        rng = np.random.default_rng(0)
        return [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]
    paths = pictures_below(folder)[:count]
    return [cv2.resize(read_image(path), (SIDE, SIDE)) for path in paths]


def measure(
    entry: ModelEntry, whole: ModelEntry, images: list[np.ndarray], runs: int
) -> dict[str, list[float]]:
    """Frames a second of each way, by run."""
    ultralytics_setup.prepare()
    from ultralytics import YOLO

    ways: dict[str, Callable[[], object]] = {}
    for runtime in OURS:
        source = whole if runtime == "openvino-fp32" else entry
        detector = load_detector(source, runtime=runtime, device="cpu")
        ways[runtime] = lambda detector=detector: detector.detect(images)
    peer = YOLO(entry.verified_files("pytorch")[0], task="detect")
    ways["ultralytics predict"] = lambda: [
        peer.predict(image, imgsz=SIDE, device="cpu", verbose=False) for image in images
    ]
    for work in ways.values():
        work()
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, work in ways.items():
            measured[name].append(len(images) / seconds(work))
    return measured


if __name__ == "__main__":
    main()
