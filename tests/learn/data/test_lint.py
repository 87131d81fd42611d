from __future__ import annotations

import cv2
import PIL.Image
import pytest

from tests.learn.labelled_folders import coco, jiexu, picture
from vision.learn.data.folders import read_folder
from vision.learn.data.lint import KINDS, lint

HEAP = "0 0.5 0.5 0.4 0.4\n"


def kinds(folder, **options):
    return [(f.kind, f.file, f.line) for f in lint(read_folder(folder), **options)]


def test_a_sound_folder_gives_nothing(tmp_path):
    assert kinds(jiexu(tmp_path, {"a": HEAP + "1 0.2 0.2 0.2 0.2\n", "b": ""})) == []


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        ("0 0.5 0.5 0.39 0.4\n", "duplicate"),
        ("1 0.5 0.5 0.39 0.4\n", "duplicate_across_classes"),
        ("0 0.5 0.5 0.2 0.2\n", "nested"),
        ("1 0.2 0.2 0.01 0.1\n", "tiny"),
        ("0 0.5 0.5\n", "malformed"),
        ("0 nan 0.5 0.1 0.1\n", "malformed"),
        ("0 0.5 0.5 0.1 0.1 0.9\n", "malformed"),
        ("2 0.5 0.5 0.1 0.1\n", "unknown_class"),
        ("-1 0.5 0.5 0.1 0.1\n", "unknown_class"),
        ("0 0.95 0.5 0.2 0.1\n", "out_of_range"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, second, kind):
    assert kinds(jiexu(tmp_path, {"a": HEAP + second})) == [(kind, "labels/a.txt", 2)]


def test_a_box_of_another_class_may_lie_inside(tmp_path):
    assert kinds(jiexu(tmp_path, {"a": HEAP + "1 0.5 0.5 0.2 0.2\n"})) == []


def test_tiny_depends_on_the_size_at_which_a_model_sees_it(tmp_path):
    folder = jiexu(tmp_path, {"a": "0 0.5 0.5 0.02 0.2\n"})
    assert kinds(folder, input_size=640) == []
    assert kinds(folder, input_size=320) == [("tiny", "labels/a.txt", 1)]


def test_files_that_do_not_fit_together(tmp_path):
    folder = jiexu(tmp_path, {"a": "", "b": "", "c": "", "d": ""})
    (folder / "labels" / "b.txt").rename(folder / "labels" / "x.txt")
    (folder / "images" / "c.jpg").write_bytes(b"")
    whole = (folder / "images" / "d.jpg").read_bytes()
    (folder / "images" / "d.jpg").write_bytes(whole[: len(whole) // 2])
    cv2.imwrite(str(folder / "images" / "a.png"), picture(9))
    assert kinds(folder) == [
        ("unreadable", "images/c.jpg", 0),
        ("unreadable", "images/d.jpg", 0),
        ("same_stem", "images/a.jpg", 0),
        ("same_stem", "images/a.png", 0),
        ("label_without_picture", "labels/x.txt", 0),
        ("picture_without_label", "images/b.jpg", 0),
    ]


def test_a_turned_picture_is_told(tmp_path):
    folder = jiexu(tmp_path, {"a": ""})
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    with PIL.Image.open(folder / "images" / "a.jpg") as image:
        image.copy().save(folder / "images" / "a.jpg", exif=exif)
    assert kinds(folder) == [("rotated", "images/a.jpg", 0)]


def test_coco_annotations_are_named_by_id(tmp_path):
    images = [
        {"id": 7, "file_name": "one.jpg", "width": 200, "height": 160},
        {"id": 9, "file_name": "two.jpg", "width": 100, "height": 80},
    ]
    annotations = [
        {"id": 31, "image_id": 9, "category_id": 1, "bbox": [90, 0, 20, 20]},
        {"id": 32, "image_id": 9, "category_id": 99, "bbox": [0, 0, 20, 20]},
        {"id": 33, "image_id": 9, "category_id": 1, "bbox": []},
    ]
    found = kinds(coco(tmp_path, images=images, annotations=annotations))
    where = "annotations/instances_train2017.json"
    assert found == [
        ("wrong_size", "train2017/one.jpg", 0),
        ("malformed", where, 33),
        ("unknown_class", where, 32),
        ("out_of_range", where, 31),
    ]


def test_every_kind_has_a_severity():
    assert {severity for severity, _ in KINDS.values()} == {"error", "warning"}
