"""Training pictures: a whole YOLO data set, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vision.learn.scenes import CLASS_NAMES, TruthBox, training_frames
from vision.learn.scenes.training import random_preset
from vision.learn.scenes.truth import yolo_lines


def test_a_data_set_is_whole_and_repeatable(tmp_path: Path) -> None:
    for name in ("one", "two"):
        training_frames(tmp_path / name, 4, seed=11, widths=(320, 384))
    images = sorted((tmp_path / "one" / "images").iterdir())
    assert len(images) == 4
    assert (tmp_path / "one" / "classes.txt").read_text().split() == list(CLASS_NAMES)
    for path in images:
        label = tmp_path / "one" / "labels" / f"{path.stem}.txt"
        assert 320 <= cv2.imread(str(path)).shape[1] <= 384
        for line in label.read_text().splitlines():
            number, *box = line.split()
            assert 0 <= int(number) < len(CLASS_NAMES)
            x, y, width, height = map(float, box)
            assert x - width / 2 + 1e-5 >= 0
            assert x + width / 2 <= 1 + 1e-5
            assert y - height / 2 + 1e-5 >= 0
            assert y + height / 2 <= 1 + 1e-5
        twin = tmp_path / "two" / "images" / path.name
        assert path.read_bytes() == twin.read_bytes()
        assert label.read_bytes() == (tmp_path / "two" / "labels" / label.name).read_bytes()


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    training_frames(whole, 6, seed=11, widths=(320, 384))
    assert training_frames(resumed, 4, seed=11, widths=(320, 384)) == 0
    # As killed between a picture and its label.
    (resumed / "labels/s11_00000_1.txt").unlink()
    (resumed / "images/s11_00000_1.jpg").write_bytes(b"half")
    assert training_frames(resumed, 6, seed=11, widths=(320, 384)) == 0
    heard: list[int] = []
    assert training_frames(resumed, 6, seed=11, progress=heard.append) == 6
    assert heard == []
    files = sorted(p.relative_to(whole) for p in whole.rglob("*.*"))
    assert files == sorted(p.relative_to(resumed) for p in resumed.rglob("*.*"))
    for file in files:
        assert (whole / file).read_bytes() == (resumed / file).read_bytes(), file


def test_random_scenes_differ_and_meet_the_schema() -> None:
    made = [random_preset(np.random.default_rng(i)) for i in range(60)]
    assert len({p.model_dump_json() for p in made}) == 60
    whats = {cue.what for p in made for cue in p.script}
    assert {"stall", "heap", "derelict", "bin", "hoarding_gap", "excavator", "dust"} <= whats
    assert {p.light.time for p in made} == {"day", "dusk", "night"}


def test_a_label_line_is_class_centre_and_size_in_fractions() -> None:
    box = TruthBox("car", (10.0, 20.0, 30.0, 60.0), 1, 1.0)
    assert yolo_lines([box], (100, 100)) == "3 0.200000 0.400000 0.200000 0.400000\n"
