from __future__ import annotations

import json

import pytest
from untrained import build_weights

from tests.learn.built_data import picture, write_built
from vision.errors import InputError
from vision.learn.measure.breakdown import break_down
from vision.learn.measure.evaluate import count_false_boxes, evaluate, summarise
from vision.learn.measure.failures import draw_failures, worst_failures
from vision.learn.measure.opening import find_model
from vision.learn.measure.plots import plot_confusion, plot_curves
from vision.learn.measure.record import Evaluation, read_evaluation

A, B = [0.0, 0.0, 50.0, 50.0], [100.0, 100.0, 200.0, 200.0]
LIMITS = {"debris_pile": 0.5, "car": 0.5}


def test_the_summary_of_pictures_worked_by_hand():
    seen = [
        picture([("debris_pile", A), ("car", B)], [("debris_pile", A, 0.9)], group="a"),
        picture([], [("debris_pile", B, 0.8), ("car", A, 0.9)], group="b", unknown=["car"]),
    ]
    record = summarise(seen, LIMITS, input_size=640, resamples=50)
    pile, car = record.classes["debris_pile"], record.classes["car"]
    assert (pile.ap50, pile.precision, pile.recall) == (1.0, 0.5, 1.0)
    assert (car.ap50, car.precision, car.recall) == (0.0, None, 0.0)
    assert (pile.pictures, car.pictures) == (2, 1)
    assert (record.map50, record.map50_people, record.map50_teacher) == (0.5, 1.0, 0.0)
    assert (pile.labels, car.labels) == ("people", "teacher")
    assert pile.false_boxes.model_dump() == {"pictures": 1, "boxes": 1, "per_100": 100.0}
    assert car.false_boxes.per_100 is None
    assert pile.sizes["medium"].ap50 == 1.0
    assert (record.pictures, record.groups) == (2, 2)
    assert record.confusion.names == ("debris_pile", "car", "background")


def test_false_boxes_count_only_where_the_class_is_absent():
    seen = [
        picture([("bin", A)], [("bin", B, 0.9)]),
        picture([], [("bin", B, 0.9), ("bin", A, 0.9)]),
        picture([], [("bin", B, 0.9)], unknown=["bin"]),
        picture([], [("bin", B, 0.3)]),
    ]
    counted = count_false_boxes(seen, {"bin": 0.5})
    assert (counted.pictures, counted.boxes, counted.per_100) == (2, 2, 100.0)


def test_parts_by_light_and_source():
    seen = [
        picture([("car", A)], [("car", A, 0.9)], luma=30, source="x"),
        picture([("car", A)], [], luma=120, source="y"),
    ]
    parts = {(p.kind, p.name): p.map50 for p in break_down(seen, ["car", "bin"])}
    assert parts == {
        ("light", "day"): 0.0,
        ("light", "night"): pytest.approx(1.0),
        ("source", "x"): pytest.approx(1.0),
        ("source", "y"): 0.0,
    }


def test_the_worst_failures_of_every_class_come_first():
    big = [0.0, 0.0, 300.0, 300.0]
    seen = [
        picture([("car", A), ("debris_pile", B)], [("car", B, 0.9)]),
        picture([("car", big)], [("debris_pile", A, 0.7), ("debris_pile", [400, 0, 500, 90], 0.8)]),
    ]
    worst = worst_failures(seen, LIMITS, most=3)
    told = [(f.kind, f.name, tuple(f.box)) for f in worst]
    assert told == [
        ("missed", "car", tuple(big)),
        ("missed", "car", tuple(A)),
        ("false", "debris_pile", (400, 0, 500, 90)),
        ("false", "debris_pile", tuple(A)),
    ]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    data = write_built(folder / "tiny")
    weights = build_weights("yolov8n", folder / "net.pt")
    entry = find_model(str(weights), input_size=160)
    thresholds = dict.fromkeys(entry.classes, 0.1)
    done: list[tuple[int, int]] = []
    result = evaluate(
        entry,
        data,
        choose=lambda _: thresholds,
        resamples=20,
        speed_pictures=2,
        progress=lambda n, of: done.append((n, of)),
    )
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    return data, result


def test_a_file_is_measured_on_a_built_data_set(measured):
    _, result = measured
    record = result.record
    assert (record.model, record.runtime, record.data) == ("net", "pytorch", "tiny")
    assert (record.pictures, record.groups) == (4, 2)
    assert record.classes["box"].boxes == 2
    assert record.classes["line"].pictures == 3
    assert record.classes["box"].threshold == 0.1
    assert {s.path: (s.train, s.val) for s in record.sources} == {
        "real/a": (2, 2),
        "scenes": (2, 2),
    }
    speed = record.speed
    assert speed is not None
    assert 0 < speed.ms_a_picture.min <= speed.ms_a_picture.median <= speed.ms_a_picture.max


def test_the_record_survives_its_file(measured, tmp_path):
    _, result = measured
    path = tmp_path / "evaluation.json"
    path.write_text(result.record.model_dump_json())
    assert read_evaluation(path) == result.record
    row = {**json.loads(path.read_text()), "surprise": 1}
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match=r"(?s)evaluation\.json.*surprise"):
        read_evaluation(path)


def test_plots_and_failures_are_pictures(measured, tmp_path):
    data, result = measured
    plot_curves(result.record, tmp_path / "pr.png")
    plot_confusion(result.record, tmp_path / "confusion.png")
    for name in ("pr.png", "confusion.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    limits = dict.fromkeys(result.record.classes, 0.1)
    worst = worst_failures(result.examined, limits, most=2)
    paths = draw_failures(worst, data, tmp_path / "failures", limits)
    assert len(paths) == len(worst) > 0
    assert all(path.stat().st_size > 1000 for path in paths)
    again = draw_failures(worst[:1], data, tmp_path / "failures", limits)
    assert sorted((tmp_path / "failures").iterdir()) == again


def test_a_data_set_without_validation_pictures_is_refused(measured, tmp_path):
    data = write_built(tmp_path / "train-only", pictures=2)
    rows = json.loads((data / "pictures.json").read_text())
    (data / "pictures.json").write_text(json.dumps([{**r, "split": "train"} for r in rows]))
    weights = build_weights("yolov8n", tmp_path / "net.pt")
    with pytest.raises(InputError, match="no validation pictures"):
        evaluate(find_model(str(weights), input_size=160), data)


def test_an_evaluation_refuses_unknown_keys():
    with pytest.raises(ValueError, match="made_with"):
        Evaluation.model_validate({"model": "x"})
