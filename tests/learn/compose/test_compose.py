from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from vision.configfile import load_config
from vision.errors import ConfigError, InputError
from vision.learn.commands.compose import compose_command, never_validated
from vision.learn.compose.composer import compose
from vision.learn.compose.recipe import ComposeRecipe
from vision.learn.data.labels import read_boxes

REPOSITORY = Path(__file__).parents[3]


def street(number: int) -> tuple[np.ndarray, str]:
    """A grey road with six cars whose size grows with their row: horizon 40, camera 5 m high."""
    rng = np.random.default_rng(number)
    image = np.full((240, 320, 3), 90, np.uint8)
    image[:70] = (60, 120, 70)
    image = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    lines = []
    for x, bottom in ((40, 100), (110, 105), (180, 120), (250, 140), (60, 170), (270, 215)):
        tall = 2.2 * (bottom - 40) / 5 / np.sqrt(1.6)
        wide = 1.6 * tall
        cv2.rectangle(
            image, (int(x - wide / 2), int(bottom - tall)), (int(x + wide / 2), bottom),
            tuple(rng.integers(0, 255, 3).tolist()), -1,
        )  # fmt: skip
        lines.append(f"0 {x / 320} {(bottom - tall / 2) / 240} {wide / 320} {tall / 240}")
    return image, "\n".join(lines)


def close_car(number: int) -> tuple[np.ndarray, str]:
    rng = np.random.default_rng(100 + number)
    image = np.clip(rng.normal(185, 4, (160, 220, 3)), 0, 255).astype(np.uint8)
    paint = tuple(rng.integers(0, 110, 3).tolist())
    cv2.ellipse(image, (110, 85), (70, 40), 0, 0, 360, paint, -1)
    return image, f"0 0.5 {85.5 / 160} {141 / 220} {81 / 160}"


def add(root: Path, path: str, name: str, made: dict[str, tuple[np.ndarray, str]]) -> None:
    folder = root / path
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text(name + "\n")
    for stem, (image, text) in made.items():
        cv2.imwrite(str(folder / "images" / f"{stem}.png"), image)
        (folder / "labels" / f"{stem}.txt").write_text(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources")
    add(root, "cam/street", "normal_vehicle", {f"c{i}": street(i) for i in range(3)})
    add(root, "cars/wrecks", "abandoned_vehicle", {f"w{i}": close_car(i) for i in range(4)})
    add(root, "cars/normal", "normal_vehicle", {f"n{i}": close_car(9 + i) for i in range(4)})
    return root


def content(**changes: Any) -> dict[str, Any]:
    car = {"make": "cutout", "measure": "extent", "size_m": [2.0, 2.4], "place": "road"}
    return {
        "name": "tiny",
        "longest_side": 320,
        "classes": ["normal_vehicle", "car", "derelict_vehicle", "person"],
        "wanted": ["derelict_vehicle"],
        "backgrounds": [{"path": "cam/street", "vehicles": ["normal_vehicle"]}],
        "things": {
            "wreck": {
                **car,
                "label": "derelict_vehicle",
                "sources": [{"path": "cars/wrecks", "label": "abandoned_vehicle"}],
            },
            "ordinary": {
                **car,
                "label": "car",
                "sources": [{"path": "cars/normal", "label": "normal_vehicle"}],
            },
            "ground": {"make": "ground"},
        },
        "scenes": {
            "wrecks": {"share": 1, "things": {"wreck": [1, 2], "ordinary": [0, 1]}},
            "plain": {"share": 1, "negative": True, "things": {"ordinary": [1, 1]}},
        },
        **changes,
    }


def recipe(**changes: Any) -> ComposeRecipe:
    return ComposeRecipe.model_validate(content(**changes))


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for part in ("images", "labels", "used")
        for p in (folder / part).iterdir()
    }


def boxes_of(folder: Path, stem: str) -> list[str]:
    names = (folder / "classes.txt").read_text().split()
    return [box.name for box in read_boxes(folder / "labels" / f"{stem}.txt", names)]


def test_the_same_seed_makes_the_same_pictures_whatever_their_count(
    root: Path, tmp_path: Path
) -> None:
    compose(recipe(), [root], tmp_path / "a", seed=5, count=6)
    compose(recipe(), [root], tmp_path / "b", seed=5, count=3)
    compose(recipe(), [root], tmp_path / "c", seed=6, count=3)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert len(a) == 18
    assert b.items() <= a.items()
    assert not set(c.values()) >= set(b.values())


def test_scenes_hold_what_they_promise_and_negatives_nothing_wanted(
    root: Path, tmp_path: Path
) -> None:
    made = compose(recipe(), [root], tmp_path, seed=1, count=12)
    assert made.pictures == 12
    assert set(made.scenes) == {"wrecks", "plain"}
    for picture in (tmp_path / "images").iterdir():
        _, scene, *background = picture.stem.split("--")
        assert background[:2] == ["cam", "street"]
        names = boxes_of(tmp_path, picture.stem)
        assert "normal_vehicle" in names
        assert ("derelict_vehicle" in names) == (scene == "wrecks"), picture.stem
        assert max(cv2.imread(str(picture)).shape) == 320


def test_pasted_cars_have_the_size_of_the_cars_around_them(root: Path, tmp_path: Path) -> None:
    compose(recipe(), [root], tmp_path, seed=2, count=10)
    names = (tmp_path / "classes.txt").read_text().split()
    compared = 0
    for picture in (tmp_path / "images").iterdir():
        boxes = read_boxes(tmp_path / "labels" / f"{picture.stem}.txt", names)
        own = [b.xyxy for b in boxes if b.name == "normal_vehicle"]
        whole = [b for b in own if b[0] > 0.01 and b[2] < 0.99 and b[3] < 0.99]
        if len(whole) < 3:
            continue
        bottoms = [b[3] for b in whole]
        extents = [np.sqrt((b[2] - b[0]) * (b[3] - b[1])) for b in whole]
        line = np.polyfit(bottoms, extents, 1)
        for box in boxes:
            if box.name != "derelict_vehicle":
                continue
            x1, y1, x2, y2 = box.xyxy
            expected = float(np.polyval(line, y2))
            assert 0.7 * expected < np.sqrt((x2 - x1) * (y2 - y1)) < 1.35 * expected
            compared += 1
    assert compared >= 3


def test_only_allowed_pictures_are_used(root: Path, tmp_path: Path) -> None:
    keys = {"cam/street/c1", "cars/wrecks/w0", "cars/wrecks/w2", "cars/normal/n3"}
    compose(recipe(), [root], tmp_path, seed=3, count=8, allowed=keys)
    used = {k for p in (tmp_path / "used").iterdir() for k in p.read_text().split()}
    assert "cam/street/c1" in used
    assert used <= keys
    cut = {p.name.split("--")[2] for p in (tmp_path / ".cutouts").iterdir()}
    assert cut <= {"w0", "w2", "n3"}


def test_nothing_allowed_is_an_error(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cam/street"):
        compose(recipe(), [root], tmp_path, seed=3, count=1, allowed=set())


def test_a_stopped_run_is_resumed(root: Path, tmp_path: Path) -> None:
    compose(recipe(), [root], tmp_path, seed=4, count=5)
    before = files(tmp_path)
    gone = sorted((tmp_path / "images").iterdir())[1]
    gone.unlink()
    made = compose(recipe(), [root], tmp_path, seed=4, count=5)
    assert made.kept == 4
    assert files(tmp_path) == before


def test_pictures_that_used_what_is_no_longer_allowed_are_made_anew(
    root: Path, tmp_path: Path
) -> None:
    compose(recipe(), [root], tmp_path, seed=4, count=8)
    used = {k for p in (tmp_path / "used").iterdir() for k in p.read_text().split()}
    assert "cam/street/c0" in used
    made = compose(
        recipe(), [root], tmp_path, seed=4, count=8, allowed=lambda _, stem: stem != "c0"
    )
    assert 0 < made.kept < 8
    assert len(list((tmp_path / "images").iterdir())) == 8
    stems = {p.stem for p in (tmp_path / "images").iterdir()}
    assert {p.stem for p in (tmp_path / "labels").iterdir()} == stems
    for used_file in (tmp_path / "used").iterdir():
        assert used_file.stem in stems
        assert "cam/street/c0" not in used_file.read_text().split()


def test_a_folder_is_not_mixed(root: Path, tmp_path: Path) -> None:
    compose(recipe(), [root], tmp_path, seed=4, count=1)
    with pytest.raises(InputError, match="another recipe or seed"):
        compose(recipe(), [root], tmp_path, seed=5, count=1)


def test_progress_counts_up(root: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    compose(recipe(), [root], tmp_path, seed=1, count=3, progress=lambda *now: told.append(now))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wanted": ["heap"]}, "heap is not in classes"),
        ({"scenes": {"s": {"share": 1, "things": {"lorry": [1, 1]}}}}, "no thing named lorry"),
        ({"scenes": {"s": {"share": 1, "things": {"wreck": [1, 1]}}}}, "none is negative"),
        (
            {"scenes": {"s": {"share": 1, "negative": True, "things": {"wreck": [1, 1]}}}},
            "negative, but wreck is derelict_vehicle",
        ),
        (
            {"scenes": {"s": {"share": 1, "negative": True, "things": {"ground": [2, 1]}}}},
            "least",
        ),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


@pytest.mark.parametrize("name", ["street", "site"])
def test_the_checked_in_recipes_are_sound(name: str) -> None:
    made = load_config(REPOSITORY / "datasets" / f"compose-{name}.yaml", ComposeRecipe)
    shares = sum(scene.share for scene in made.scenes.values())
    negative = sum(scene.share for scene in made.scenes.values() if scene.negative)
    assert 0.15 <= negative / shares <= 0.5
    assert {thing for scene in made.scenes.values() for thing in scene.things} == set(made.things)


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    file = tmp_path / "r.yaml"
    text = (REPOSITORY / "datasets" / "compose-street.yaml").read_text()
    file.write_text(text.replace("longest_side:", "longest_sid:"))
    with pytest.raises(ConfigError, match="longest_sid"):
        load_config(file, ComposeRecipe)


def test_the_command_uses_the_training_side_of_a_data_set_alone(root: Path, tmp_path: Path) -> None:
    import json

    import yaml

    (tmp_path / "r.yaml").write_text(yaml.safe_dump(content()))
    sides = {"cam/street/c0": "val", "cam/street/c1": "train", "cars/wrecks/w1": "train",
             "cars/normal/n0": "train", "cars/normal/n1": "val"}  # fmt: skip
    built = tmp_path / "built"
    built.mkdir()
    rows = [
        {"file": f"images/{side}/{key.replace('/', '--')}.jpg", "source": key.rsplit("/", 1)[0],
         "split": side, "group": key, "unknown": []}
        for key, side in sides.items()
    ]  # fmt: skip
    (built / "pictures.json").write_text(json.dumps(rows))
    app = typer.Typer()
    app.command()(compose_command)
    out = tmp_path / "out"
    result = CliRunner().invoke(
        app,
        [str(tmp_path / "r.yaml"), "--root", str(root), "-o", str(out), "--count", "4",
         "--train-of", str(built)],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    used = {k for p in (out / "used").iterdir() for k in p.read_text().split()}
    assert used <= {"cam/street/c1", "cars/wrecks/w1", "cars/normal/n0"}
    assert used


def test_pictures_of_sources_that_a_data_set_is_not_made_of_are_free_to_use(tmp_path: Path) -> None:
    import json

    rows = [
        {"file": f"images/{side}/cam--street--{stem}.jpg", "source": "cam/street",
         "split": side, "group": stem, "unknown": []}
        for stem, side in (("c0", "val"), ("c1", "train"))
    ]  # fmt: skip
    (tmp_path / "pictures.json").write_text(json.dumps(rows))
    may_be_used = never_validated(tmp_path)
    assert may_be_used("cam/street", "c1")
    assert not may_be_used("cam/street", "c0")
    assert may_be_used("elsewhere/street", "c0")
