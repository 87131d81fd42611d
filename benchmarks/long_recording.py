"""A recording as long as a day is scanned once, adaptively: how long, and does memory stay flat?

    python -m benchmarks.long_recording --footage CLIP --out DIR [--hours 24]

The file is real footage, 640x360, one round of it encoded and its packets repeated without encoding
again. Printed and written to ``DIR/long_recording.json``: seconds, multiple of real time, looks,
violations, and the resident memory of the scan in each eighth of its time.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.clip import ClipForm, make_clip
from benchmarks.scanning import scan_and_watch
from vision.learn.measure.speed import machine

FORM = ClipForm(640, 360, 300_000)


def main() -> None:
    """Make the file, scan it, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--footage", type=Path, required=True, help="a real clip, fixed camera")
    parser.add_argument("--out", type=Path, required=True, help="folder for the file and the run")
    parser.add_argument("--hours", type=float, default=24.0)
    options = parser.parse_args()
    seconds = 3600 * options.hours
    clip = make_clip(options.footage, options.out, seconds, FORM)
    figures = {"machine": machine(), "bytes": clip.stat().st_size}
    figures |= scan_and_watch(clip, options.out / "run", seconds, [])
    text = json.dumps(figures, indent=1)
    (options.out / "long_recording.json").write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
