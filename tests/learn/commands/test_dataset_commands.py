from __future__ import annotations

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tests.learn.labelled_folders import coco, jiexu, roboflow
from vision.configfile import load_config
from vision.errors import ConfigError
from vision.learn.commands.dataset import app
from vision.learn.data.census import take_census
from vision.learn.data.folders import read_folder
from vision.learn.data.recipe import Recipe

HEAP = "0 0.5 0.5 0.4 0.4\n"


def run(*arguments, code=0):
    result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout


def test_the_command_line_starts_without_heavy_libraries():
    heavy = "{'torch', 'cv2', 'ultralytics', 'PIL'}"
    code = f"import sys, vision.learn.commands.dataset; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_reading_building_and_checking_need_no_torch():
    modules = ("dataset", "lint", "census", "contact_sheet", "card", "starting_recipe")
    names = ", ".join(f"vision.learn.data.{m}" for m in modules)
    code = f"import sys, {names}; print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


def test_a_users_folders_become_a_data_set(tmp_path):
    """The way of a user: starting recipe, build, lint, count, look, card."""
    folders = [roboflow(tmp_path / "my bins"), coco(tmp_path / "coco")]
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(run("recipe", *folders, "--name", "city"))
    wanted = load_config(recipe, Recipe)
    assert wanted.classes == ("heap", "bin")
    assert wanted.sources[0].split == "folder"
    out = tmp_path / "out"
    assert "pictures" in run("build", recipe, "--root", tmp_path, "--out", out)
    run("lint", out)
    census = json.loads(run("stats", out, "--json"))[0]
    assert sum(s["pictures"] for s in census["splits"]) == 6
    assert sum(c["boxes"] for c in census["classes"]) == 6
    run("duplicates", out)
    card = tmp_path / "card.md"
    run("card", recipe, out, "--out", card)
    text = card.read_text()
    assert "| heap |" in text
    assert "- Licence: not stated" in text
    assert str(tmp_path) not in text
    run("card", recipe, out, "--out", card)
    assert card.read_text() == text


def test_a_class_that_another_folder_labels_is_unknown(tmp_path):
    jiexu(tmp_path / "a", {"x": HEAP}, ("heap",))
    jiexu(tmp_path / "b", {"y": HEAP}, ("bin: green",))
    recipe = yaml.safe_load(run("recipe", tmp_path / "a", tmp_path / "b"))
    assert recipe["classes"] == ["heap", "bin: green"]
    assert [s["unknown"] for s in recipe["sources"]] == [["bin: green"], ["heap"]]


def test_drawn_scenes_are_a_folder_to_build_from(tmp_path):
    def draw(count, *options):
        sizes = ("--widths", 320, 352)
        return run("scenes", "--count", count, "--out", tmp_path / "s", *sizes, *options)

    assert "0 of them were there already" in draw(2)
    assert len(read_folder(tmp_path / "s").pictures) == 2
    assert "0 of them were there already" in draw(4, "--workers", 2), "the scene was not whole"
    assert "4 of them were there already" in draw(4)
    run("lint", tmp_path / "s")
    with pytest.raises(ConfigError, match="--widths 400 300"):
        run("scenes", "--count", 4, "--out", tmp_path / "s", "--widths", 400, 300)


def test_lint_fails_on_errors_only(tmp_path):
    good = jiexu(tmp_path / "good", {"a": HEAP + "0 0.5 0.5 0.2 0.2\n"})
    bad = jiexu(tmp_path / "bad", {"a": HEAP + HEAP})
    assert "nested" in run("lint", good)
    assert "labels/a.txt:2: duplicate" in run("lint", bad, code=1)
    rows = json.loads(run("lint", good, bad, "--json", code=1))
    assert [row["counts"] for row in rows] == [{"nested": 1}, {"duplicate": 1}]


def test_a_near_duplicate_across_the_split_is_a_leak(tmp_path):
    roboflow(tmp_path)
    image = cv2.imread(str(tmp_path / "train/images/b_jpg.rf.3.jpg"))
    assert json.loads(run("duplicates", tmp_path, "--json")) == []
    cv2.imwrite(str(tmp_path / "train/images/d.jpg"), cv2.resize(image, (50, 40)))
    assert [p["leak"] for p in json.loads(run("duplicates", tmp_path, "--json"))] == [False]
    cv2.imwrite(str(tmp_path / "valid/images/e.jpg"), (image * 0.8).astype(np.uint8))
    assert "LEAK train/images/" in run("duplicates", tmp_path, code=1)


def test_sizes_are_counted_at_the_input_size(tmp_path):
    # Pictures of 100 by 80 px: boxes of 10x8, 40x32 and 80x64 px, times 2 at 200 px.
    text = "0 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.4 0.4\n0 0.5 0.5 0.8 0.8\n"
    folder = read_folder(jiexu(tmp_path, {"a": text, "b": ""}))
    cv2.imwrite(str(tmp_path / "images" / "b.jpg"), np.full((80, 100, 3), 20, np.uint8))
    heap, bins = take_census(folder, input_size=200).classes
    assert (heap.boxes, heap.pictures, heap.aspect) == (3, 1, 1.25)
    assert (heap.small, heap.medium, heap.large) == (0.333, 0.333, 0.333)
    assert (bins.boxes, bins.aspect) == (0, None)
    (side,) = take_census(folder).splits
    assert (side.without_box, side.night, side.most_boxes) == (1, 0.5, 3)


def test_sheets_show_boxes_in_the_classes_colour(tmp_path):
    root = tmp_path / "s"
    jiexu(root, {"a": HEAP, "b": "1 0.5 0.5 0.2 0.2\n", "c": ""})
    run("sheet", root, "--out", tmp_path / "sheets", "--tile", 200)
    files = {f.stem: cv2.imread(str(f)) for f in (tmp_path / "sheets").iterdir()}
    assert set(files) == {"heap", "bin", "no_box"}
    # The heap's box runs from 60 to 140 px in a tile of 200 px under a title of 28 px.
    row = files["heap"][28 + 100]
    reddish = row[:, 2].astype(int) - row[:, 0]
    assert max(reddish[58:63]) > 60
    with pytest.raises(ConfigError, match="--only chair"):
        run("sheet", root, "--out", tmp_path / "sheets", "--only", "chair")
