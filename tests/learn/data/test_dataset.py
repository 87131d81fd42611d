from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.configfile import load_config
from vision.errors import ConfigError, InputError
from vision.learn.data.dataset import Box, Recipe, build_dataset, read_boxes, read_pictures

REPOSITORY = Path(__file__).parents[3]


def picture(seed: int, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def add_source(
    root: Path, path: str, classes: list[str], files: dict[str, str], **pictures
) -> None:
    """Write a source; ``files`` maps a stem to its label text, ``pictures`` a stem to its image."""
    folder = root / path
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("\n".join(classes) + "\n")
    for stem, text in files.items():
        seed = int(hashlib.sha256(f"{path}{stem}".encode()).hexdigest()[:8], 16)
        cv2.imwrite(str(folder / "images" / f"{stem}.png"), pictures.get(stem, picture(seed)))
        (folder / "labels" / f"{stem}.txt").write_text(text)


def recipe(*sources: dict[str, Any], **changes: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "test",
            "seed": 1,
            "val_share": 0.25,
            "longest_side": 64,
            "classes": ["car", "debris_pile", "bin"],
            "sources": sources,
            **changes,
        }
    )


HEAPS = {"path": "heaps", "labels": {"heap": "debris_pile", "bin": "bin"}}
HEAP = "0 0.5 0.5 0.4 0.2\n"


def test_labels_get_the_ids_of_the_data_set(tmp_path):
    add_source(tmp_path, "heaps", ["bin", "heap"], {"a": "1 0.5 0.5 0.4 0.2\n0 0.1 0.1 0.1 0.1\n"})
    counts = build_dataset(recipe(HEAPS, val_share=0), [tmp_path], tmp_path / "out")
    assert counts == {"train": {"debris_pile": 1, "bin": 1, "pictures": 1}, "val": {}}
    boxes = read_boxes(tmp_path / "out/labels/train/heaps--a.txt", ("car", "debris_pile", "bin"))
    assert [b.name for b in boxes] == ["debris_pile", "bin"]
    assert boxes[0].xyxy == pytest.approx((0.3, 0.4, 0.7, 0.6), abs=1e-5)


def test_an_ignored_box_is_left_out_and_makes_its_class_unknown(tmp_path):
    add_source(
        tmp_path, "heaps", ["heap", "litter"], {"a": HEAP + "1 0.2 0.2 0.1 0.1\n", "b": HEAP}
    )
    source = {**HEAPS, "ignore": {"litter": "debris_pile"}, "unknown": ["car"]}
    build_dataset(recipe(source, val_share=0), [tmp_path], tmp_path / "out")
    by_file = {p.file: p for p in read_pictures(tmp_path / "out")}
    assert by_file["images/train/heaps--a.jpg"].unknown == ("car", "debris_pile")
    assert by_file["images/train/heaps--b.jpg"].unknown == ("car",)
    assert (tmp_path / "out/labels/train/heaps--a.txt").read_text().count("\n") == 1


def test_a_group_never_lies_on_both_sides(tmp_path):
    files = {f"cam{c}_{i}": HEAP for c in range(6) for i in range(4)}
    add_source(tmp_path, "heaps", ["heap", "bin"], files)
    build_dataset(recipe({**HEAPS, "group": r"^(cam\d)_"}), [tmp_path], tmp_path / "out")
    sides: dict[str, set[str]] = {}
    for p in read_pictures(tmp_path / "out"):
        sides.setdefault(p.file.split("--")[1][:4], set()).add(p.split)
    assert len(sides) == 6
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {"train", "val"}


def test_near_duplicates_of_two_sources_stay_together(tmp_path):
    originals = {f"p{i}": picture(i) for i in range(12)}
    darker = {f"p{i}": (0.8 * image).astype(np.uint8) for i, image in enumerate(originals.values())}
    files = dict.fromkeys(originals, HEAP)
    add_source(tmp_path, "heaps", ["heap", "bin"], files, **originals)
    add_source(
        tmp_path,
        "again",
        ["heap", "bin"],
        {f"q{k}": HEAP for k in files},
        **{f"q{k}": image for k, image in darker.items()},
    )
    build_dataset(recipe(HEAPS, {**HEAPS, "path": "again"}), [tmp_path], tmp_path / "out")
    sides = {p.file.split("--")[1]: p.split for p in read_pictures(tmp_path / "out")}
    assert [sides[f"p{i}.jpg"] for i in range(12)] == [sides[f"qp{i}.jpg"] for i in range(12)]
    assert "val" in sides.values()


def test_stretched_pictures_get_an_aspect_back_for_training_only(tmp_path):
    add_source(tmp_path, "heaps", ["heap", "bin"], {f"p{i}": HEAP for i in range(8)})
    build_dataset(recipe({**HEAPS, "stretched": True}), [tmp_path], tmp_path / "out")
    aspects: dict[str, list[float]] = {"train": [], "val": []}
    for p in read_pictures(tmp_path / "out"):
        h, w = cv2.imread(str(tmp_path / "out" / p.file)).shape[:2]
        aspects[p.split].append(w / h)
    assert aspects["val"] == [1.0, 1.0]
    assert all(0.74 <= a <= 1.35 for a in aspects["train"])
    assert len({round(a, 2) for a in aspects["train"]}) > 3


def test_repeated_sources_are_listed_several_times_for_training(tmp_path):
    add_source(tmp_path, "heaps", ["heap", "bin"], {f"p{i}": HEAP for i in range(8)})
    build_dataset(recipe({**HEAPS, "repeat": 3}), [tmp_path], tmp_path / "out")
    assert len((tmp_path / "out/train.txt").read_text().split()) == 3 * 6
    assert len((tmp_path / "out/val.txt").read_text().split()) == 2


TEACHER = {"confidence": 0.6, "floor": 0.2, "classes": ["car", "bin"]}


@pytest.fixture
def taught(tmp_path):
    """Build a source of one picture whose teacher notes are given: ``(class, confidence, box)``."""

    def build(
        notes: list[tuple[str, float, list[float]]], source: dict[str, Any], label: str, **more: Any
    ):
        add_source(tmp_path, source["path"], ["vehicle", "heap"], {"a": label})
        weights = tmp_path / "teacher.pt"
        weights.write_bytes(b"weights")
        mark = hashlib.sha256(b"weights").hexdigest()[:12]
        out = tmp_path / "out"
        out.mkdir()
        rows = [[name, confidence, *box] for name, confidence, box in notes]
        (out / "teachers.json").write_text(json.dumps({f"{mark}:{source['path']}/a": rows}))
        wanted = recipe(source, val_share=0, teachers={"traffic": TEACHER}, **more)
        build_dataset(wanted, [tmp_path], out, teachers={"traffic": weights})
        boxes = read_boxes(out / f"labels/train/{source['path']}--a.txt", wanted.classes)
        return [b.name for b in boxes], read_pictures(out)[0].unknown

    return build


def test_a_sure_teacher_labels_an_unsure_one_leaves_the_class_unknown(taught):
    notes = [("car", 0.9, [0.0, 0.0, 0.2, 0.2]), ("bin", 0.4, [0.7, 0.7, 0.9, 0.9])]
    source = {"path": "s", "labels": {"heap": "debris_pile"}}
    assert taught(notes, source, "1 0.5 0.5 0.2 0.2\n") == (["debris_pile", "car"], ("bin",))


def test_of_two_classes_that_a_teacher_sees_in_one_thing_the_surer_is_taught(taught):
    notes = [("bin", 0.7, [0.1, 0.1, 0.3, 0.3]), ("car", 0.9, [0.1, 0.1, 0.3, 0.31])]
    source = {"path": "s", "labels": {"heap": "debris_pile"}}
    assert taught(notes, source, "1 0.5 0.5 0.2 0.2\n") == (["debris_pile", "car"], ("bin",))


def test_what_misleads_a_teacher_is_neither_taught_nor_background(taught):
    notes = [("car", 0.9, [0.1, 0.1, 0.3, 0.3])]
    source = {"path": "s", "labels": {"heap": "debris_pile"}, "misleads": {"^a": ["car"]}}
    assert taught(notes, source, "1 0.5 0.5 0.2 0.2\n") == (["debris_pile"], ("car",))


def test_pictures_of_other_names_do_not_mislead(taught):
    notes = [("car", 0.9, [0.1, 0.1, 0.3, 0.3])]
    source = {"path": "s", "labels": {"heap": "debris_pile"}, "misleads": {"^b": ["car"]}}
    assert taught(notes, source, "1 0.5 0.5 0.2 0.2\n") == (["debris_pile", "car"], ())


def test_what_a_person_labelled_is_not_labelled_again(taught):
    same = ("car", 0.9, [0.4, 0.4, 0.6, 0.61])
    part = ("bin", 0.9, [0.42, 0.42, 0.5, 0.5])
    source = {"path": "s", "labels": {"heap": "debris_pile"}}
    assert taught([same, part], source, "1 0.5 0.5 0.2 0.2\n") == (["debris_pile"], ())


def test_what_a_labelled_thing_lies_around_is_labelled_by_the_teacher(taught):
    inside = ("car", 0.9, [0.42, 0.42, 0.5, 0.5])
    source = {"path": "s", "labels": {"heap": "debris_pile"}}
    seen, _ = taught([inside], source, "1 0.5 0.5 0.2 0.2\n", around=["debris_pile"])
    assert seen == ["debris_pile", "car"]


@pytest.mark.parametrize(("seen", "wanted"), [([], "bin"), (["car"], "car")])
def test_the_teacher_names_a_vehicle_that_a_person_boxed(taught, seen, wanted):
    notes = [(name, 0.8, [0.41, 0.4, 0.6, 0.6]) for name in seen]
    labels = {"vehicle": {"teacher": "traffic", "default": "bin"}}
    names, _ = taught(notes, {"path": "s", "labels": labels}, "0 0.5 0.5 0.2 0.2\n")
    assert names == [wanted]


def test_without_weights_the_teachers_classes_are_unknown(tmp_path):
    add_source(tmp_path, "s", ["heap"], {"a": HEAP})
    wanted = recipe(
        {"path": "s", "labels": {"heap": "debris_pile"}, "absent": ["bin"]},
        val_share=0,
        teachers={"traffic": TEACHER},
    )
    build_dataset(wanted, [tmp_path], tmp_path / "out")
    assert read_pictures(tmp_path / "out")[0].unknown == ("car",)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("0 0.5 0.5 0.4", "no YOLO label"),
        ("7 0.5 0.5 0.1 0.1", "no YOLO label"),
        ("0 0.9 0.5 0.4 0.2", "outside the picture"),
        ("0 0.5 0.5 0 0.2", "outside the picture"),
    ],
)
def test_a_wrong_label_line_is_named(tmp_path, line, fault):
    file = tmp_path / "a.txt"
    file.write_text(f"{HEAP}{line}\n")
    with pytest.raises(InputError, match=rf"a\.txt:2: .*{fault}"):
        read_boxes(file, ("heap",))


def test_a_missing_source_is_named(tmp_path):
    with pytest.raises(InputError, match="source heaps: no such folder"):
        build_dataset(recipe(HEAPS), [tmp_path], tmp_path / "out")


def test_a_recipe_that_names_a_strange_class_is_refused(tmp_path):
    file = tmp_path / "r.yaml"
    file.write_text(
        "name: x\nseed: 1\nval_share: 0.1\nlongest_side: 64\nclasses: [car]\n"
        "sources: [{path: s, labels: {a: lorry}}]\n"
    )
    with pytest.raises(ConfigError, match="lorry is not in classes"):
        load_config(file, Recipe)


@pytest.mark.parametrize(("name", "classes"), [("street", 11), ("site", 10)])
def test_the_shipped_recipes_are_valid(name, classes):
    shipped = load_config(REPOSITORY / "datasets" / f"{name}.yaml", Recipe)
    assert len(shipped.classes) == classes


fractions = st.floats(0.01, 0.99)


@given(st.lists(st.tuples(fractions, fractions, fractions, fractions), max_size=5))
def test_written_labels_read_back(tmp_path_factory, corners):
    from vision.learn.data.labels import label_text

    boxes = [
        Box("bin", (min(a, c), min(b, d), max(a, c), max(b, d)))
        for a, b, c, d in corners
        if abs(a - c) > 1e-3 and abs(b - d) > 1e-3
    ]
    file = tmp_path_factory.mktemp("labels") / "a.txt"
    file.write_text(label_text(boxes, ("car", "bin")))
    back = read_boxes(file, ("car", "bin"))
    assert [b.name for b in back] == ["bin"] * len(boxes)
    for one, two in zip(boxes, back, strict=True):
        assert two.xyxy == pytest.approx(one.xyxy, abs=1e-5)
