from __future__ import annotations

import json

import pytest

from tests.learn.labelled_folders import coco, coco_document, jiexu, roboflow, write_picture
from vision.errors import InputError
from vision.learn.data.dataset import Recipe, build_dataset, read_pictures
from vision.learn.data.folders import read_folder


def boxes(picture):
    return [(x.box.name, *(round(v, 4) for v in x.box.xyxy)) for x in picture.labels]


def test_a_roboflow_export_keeps_its_sides_and_polygons_become_boxes(tmp_path):
    folder = read_folder(roboflow(tmp_path))
    assert (folder.layout, folder.names) == ("yolo", ("heap", "bin"))
    assert [p.split for p in folder.pictures] == ["train", "train", "train", "val"]
    assert boxes(folder.pictures[0]) == [("heap", 0.3, 0.4, 0.7, 0.6)]
    assert boxes(folder.pictures[3]) == [("bin", 0.1, 0.2, 0.5, 0.6)]
    assert [f.kind for f in folder.faults] == ["missing_split"]


def test_names_of_data_yaml_may_be_a_dictionary_in_any_order(tmp_path):
    assert read_folder(roboflow(tmp_path, {1: "bin", 0: "heap"})).names == ("heap", "bin")


@pytest.mark.parametrize("names", [{0: "heap", 2: "bin"}, "heap", {"a": "heap"}])
def test_data_yaml_with_wrong_names_is_named(tmp_path, names):
    with pytest.raises(InputError, match=r"data\.yaml: names: "):
        read_folder(roboflow(tmp_path, names))


def test_yolo_with_sides_inside_images_and_a_foreign_absolute_path(tmp_path):
    for side in ("train", "val"):
        write_picture(tmp_path / "images" / side / "a.png", len(side))
        (tmp_path / "labels" / side).mkdir(parents=True)
        (tmp_path / "labels" / side / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data.yaml").write_text(
        "path: /content/x\ntrain: /content/x/images/train\nval: images/val\nnames: [heap]\n"
    )
    folder = read_folder(tmp_path)
    assert [(p.split, len(p.labels)) for p in folder.pictures] == [("train", 1), ("val", 1)]
    assert folder.faults == ()


def test_a_picture_on_both_sides_is_a_fault(tmp_path):
    roboflow(tmp_path)
    (tmp_path / "data.yaml").write_text("train: train/images\nval: train/images\nnames: [a, b]\n")
    assert {f.kind for f in read_folder(tmp_path).faults} == {"both_splits"}


def test_coco_boxes_are_fractions_and_a_crowd_makes_its_class_unknown(tmp_path):
    folder = read_folder(coco(tmp_path))
    assert folder.layout == "coco"
    one, two = folder.pictures
    assert boxes(one) == [("heap", 0.1, 0.25, 0.6, 0.75)]
    assert (one.unknown, one.split, one.stated_size) == (("person",), "train", (100, 80))
    assert boxes(two) == [("bin", 0.5, 0.5, 1.0, 1.0)]
    assert two.unknown == ()


def test_coco_beside_the_pictures_of_each_side(tmp_path):
    for number, side in enumerate(("train", "valid")):
        document = coco_document()
        document["images"] = document["images"][number : number + 1]
        document["annotations"] = []
        name = document["images"][0]["file_name"]
        write_picture(tmp_path / side / name, number)
        (tmp_path / side / "_annotations.coco.json").write_text(json.dumps(document))
    assert [p.split for p in read_folder(tmp_path).pictures] == ["train", "val"]


def test_what_coco_lists_and_what_lies_there_are_compared(tmp_path):
    coco(tmp_path)
    (tmp_path / "train2017" / "two.jpg").rename(tmp_path / "train2017" / "three.jpg")
    kinds = [(f.kind, f.file.name) for f in read_folder(tmp_path).faults]
    assert kinds == [
        ("picture_missing", "instances_train2017.json"),
        ("picture_unlisted", "three.jpg"),
    ]


def test_a_broken_coco_file_is_named(tmp_path):
    coco(tmp_path, images=[{"id": 7}])
    with pytest.raises(InputError, match=r"instances_train2017\.json: .*file_name"):
        read_folder(tmp_path)


def test_an_unknown_layout_is_told(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(InputError, match=r"neither classes\.txt .* nor a data\.yaml, nor a COCO"):
        read_folder(tmp_path)


def recipe(*sources):
    return Recipe.model_validate(
        {
            "name": "t",
            "seed": 1,
            "val_share": 0.25,
            "longest_side": 64,
            "classes": ["heap", "bin", "person"],
            "sources": sources,
        }
    )


SAME = {"heap": "heap", "bin": "bin", "person": "person"}


def test_exports_build_into_one_data_set(tmp_path):
    roboflow(tmp_path / "robo")
    coco(tmp_path / "coco")
    wanted = recipe(
        {"path": "robo", "labels": SAME, "split": "folder"}, {"path": "coco", "labels": SAME}
    )
    counts = build_dataset(wanted, [tmp_path], tmp_path / "out")
    built = {p.file.rsplit("--")[-1]: p for p in read_pictures(tmp_path / "out")}
    assert built["c_jpg.rf.4.jpg"].split == "val"
    assert {built[f"{s}.jpg"].split for s in ("a_jpg.rf.1", "a_jpg.rf.2")} == {"train"}
    assert built["one.jpg"].unknown == ("person",)
    assert sum(side.get("bin", 0) for side in counts.values()) == 3
    again = read_folder(tmp_path / "out")
    assert (again.layout, len(again.pictures)) == ("built", 6)


def test_pictures_of_one_name_in_two_subfolders_are_both_kept(tmp_path):
    for seed, side in enumerate(("train", "val")):
        write_picture(tmp_path / "y" / side / "images" / "a.png", seed)
    (tmp_path / "y" / "data.yaml").write_text("train: train\nval: val\nnames: [heap]\n")
    build_dataset(recipe({"path": "y", "labels": SAME}), [tmp_path], tmp_path / "out")
    files = {p.file.split("/")[-1] for p in read_pictures(tmp_path / "out")}
    assert files == {"y--train--images--a.jpg", "y--val--images--a.jpg"}


def test_a_source_is_not_built_over(tmp_path):
    jiexu(tmp_path / "s", {"a": ""})
    with pytest.raises(InputError, match="build into another folder"):
        build_dataset(recipe({"path": "s", "labels": SAME}), [tmp_path], tmp_path / "s")


def test_a_stopped_build_does_not_look_finished(tmp_path):
    jiexu(tmp_path / "s", {"a": "", "b": ""})
    wanted = recipe({"path": "s", "labels": SAME, "split": "train"})
    build_dataset(wanted, [tmp_path], tmp_path / "out")

    def stop(step, done, of):
        if (step, done) == ("labelling", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_dataset(wanted, [tmp_path], tmp_path / "out", progress=stop)
    with pytest.raises(InputError, match=r"pictures\.json"):
        read_pictures(tmp_path / "out")
    build_dataset(wanted, [tmp_path], tmp_path / "out")
    assert len(read_pictures(tmp_path / "out")) == 2


def test_what_a_second_build_leaves_out_is_removed(tmp_path):
    jiexu(tmp_path / "s", {"a": "", "b": ""})
    jiexu(tmp_path / "t", {"c": ""})
    s, t = ({"path": name, "labels": SAME, "split": "train"} for name in "st")
    build_dataset(recipe(s, t), [tmp_path], tmp_path / "out")
    build_dataset(recipe(s), [tmp_path], tmp_path / "out")
    for part in ("images", "labels"):
        stems = {p.stem for p in (tmp_path / "out" / part / "train").iterdir()}
        assert stems == {"s--a", "s--b"}
