from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner
from untrained import build_weights

from tests.learn.built_data import picture, write_built
from vision.cli import app
from vision.detect.registry import ModelEntry, load_registry
from vision.errors import InputError, ModelError
from vision.learn.measure.compare import Candidate, compare
from vision.learn.measure.opening import find_model
from vision.learn.measure.record import read_evaluation
from vision.learn.ship.publish import (
    ThresholdChoice,
    choose_thresholds,
    publish,
    shortcomings,
    training_pictures,
)
from vision.learn.ship.quantise import Quantisation
from vision.learn.ship.recalibrate import REGISTERED, recalibrate

pytestmark = pytest.mark.slow

LICENCE = "AGPL-3.0-or-later"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_built(tmp_path_factory.mktemp("data") / "tiny", pictures=16)


@pytest.fixture(scope="module")
def published(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    registry = folder / "models"
    notes = registry / "street" / "notes.md"
    notes.parent.mkdir(parents=True)
    notes.write_text("## Limits\n\nDrawn streets only.\n")
    said: list[str] = []
    result = publish(
        build_weights("yolov8n", folder / "last.pt"),
        name="street",
        data_dir=data,
        registry_dir=registry,
        licence=LICENCE,
        calibrate=3,
        input_size=160,
        quantisation=Quantisation("fast"),
        choice=ThresholdChoice(fixed={"disc": 0.35}),
        experimental=["line"],
        say=said.append,
    )
    assert said[0] == "Converting and quantising with 3 pictures"
    return result


def test_the_registry_holds_what_was_made(published):
    entry = load_registry(published.entry.folder).model()
    assert entry == published.entry
    assert list(entry.files) == ["openvino-int8", "openvino-fp16", "onnx", "pytorch"]
    for runtime in entry.files:
        entry.verified_files(runtime)
    assert entry.experimental == ("line",)
    assert entry.thresholds["disc"] == 0.35
    assert entry.thresholds["line"] >= 0.5
    assert entry.metrics["int8"]["calibration_pictures"] == 3
    assert entry.metrics["parity"]["openvino-fp32"]["unmatched"] == 0
    assert entry.metrics["measured"]["runtime"] == "openvino-int8"


def test_a_large_model_is_kept_without_some_of_its_files(data, tmp_path):
    result = publish(
        build_weights("yolov8n", tmp_path / "last.pt"),
        name="street",
        data_dir=data,
        registry_dir=tmp_path / "models",
        licence=LICENCE,
        calibrate=2,
        input_size=160,
        quantisation=Quantisation("fast"),
        leave_out=["onnx", "openvino-fp16"],
    )
    assert list(result.entry.files) == ["openvino-int8", "pytorch"]
    assert result.entry.metrics["parity"]["onnx"]["unmatched"] == 0
    left = {path.suffix for path in (tmp_path / "models" / "street").iterdir()}
    assert ".onnx" not in left


def test_the_default_runtime_cannot_be_left_out(data, tmp_path):
    with pytest.raises(ModelError, match="openvino-int8 is none of openvino-fp16, onnx, pytorch"):
        publish(
            tmp_path / "last.pt",
            name="street",
            data_dir=data,
            registry_dir=tmp_path,
            licence=LICENCE,
            leave_out=["openvino-int8"],
        )


def test_the_card_keeps_the_notes_and_can_be_written_again(published):
    folder = published.entry.folder / "street"
    card = folder / "README.md"
    assert read_evaluation(folder / "evaluation.json") == published.record
    assert "Drawn streets only." in card.read_text()
    assert "line (experimental)" in card.read_text()
    (folder / "notes.md").write_text("## Limits\n\nNone of them real.\n")
    before = card.read_text()
    done = CliRunner().invoke(app, ["card", "street", "--models", str(published.entry.folder)])
    assert done.exit_code == 0, done.output
    assert card.read_text() == before.replace("Drawn streets only.", "None of them real.")
    assert (folder / "notes.md").read_text() == "## Limits\n\nNone of them real.\n"


def test_a_city_calibrates_anew_and_the_better_files_are_registered(published, data):
    entry = load_registry(published.entry.folder).model()
    result = recalibrate(entry, data / "images", tried=[Quantisation("fast")], data_dir=data)
    assert [trial.name for trial in result.trials] == [
        REGISTERED,
        "mixed, fast bias correction",
    ]
    assert result.kept.cost == min(trial.cost for trial in result.trials)
    now = load_registry(entry.folder).model()
    now.verified_files("openvino-int8")
    changed = now.files["openvino-int8"] != entry.files["openvino-int8"]
    assert changed == (result.kept.name != REGISTERED) == ("recalibrated" in now.metrics)
    with pytest.raises(InputError, match="3 pictures are too few"):
        recalibrate(entry, sorted((data / "images").rglob("*.jpg"))[:3])


def test_models_are_compared_on_the_classes_they_have(published, data):
    entry = load_registry(published.entry.folder).model()
    other = entry.model_copy(update={"classes": ("box", "person", "car"), "thresholds": {}})
    other = other.model_copy(update={"thresholds": dict.fromkeys(other.classes, 0.25)})
    result = compare(
        [Candidate("ours", entry, "openvino-int8"), Candidate("theirs", other, "onnx")],
        data_dir=data,
        pictures_dir=data / "images",
        speed_pictures=2,
        runs=1,
    )
    ours, theirs = result.models
    assert result.boxes == {"box": 4, "disc": 4}
    assert ours.ap50["disc"] is not None
    assert theirs.ap50["disc"] is None
    assert ours.map50_shared == ours.ap50["box"]
    assert theirs.map50 == theirs.map50_shared == theirs.ap50["box"]
    assert set(theirs.boxes_per_100) == {"box", "person", "car"}
    assert (result.pictures, result.unlabelled) == (8, 16)
    assert ours.speed.ms_a_picture.median > 0


def test_files_tell_their_own_classes(published):
    folder = published.entry.folder / "street"
    for file in ("street.pt", "street.onnx", "street.int8.xml"):
        entry = find_model(str(folder / file), input_size=160)
        assert (entry.classes, entry.output) == (("box", "disc", "line"), "raw")
        assert entry.input_size == 160
    assert find_model("street", models=published.entry.folder).name == "street"


def test_an_agreement_that_is_too_loose_is_a_fault(published):
    def with_metrics(**changes) -> ModelEntry:
        metrics = published.entry.metrics
        parity = {**metrics["parity"]["onnx"], **changes.get("parity", {})}
        int8 = {**metrics["int8"], "loss_points": changes.get("loss", 0.5)}
        return published.entry.model_copy(
            update={"metrics": {"parity": {"onnx": parity}, "int8": int8}}
        )

    assert shortcomings(with_metrics()) == []
    assert "1.20 points" in shortcomings(with_metrics(loss=1.2))[0]
    assert "2 boxes without" in shortcomings(with_metrics(parity={"unmatched": 2}))[0]
    assert "1.50 px" in shortcomings(with_metrics(parity={"max_box_px": 1.5}))[0]


def test_only_real_training_pictures_calibrate(data):
    chosen = training_pictures(data, 100)
    assert [p.name for p in chosen] == ["0.jpg", "2.jpg", "4.jpg", "6.jpg"]
    assert training_pictures(data, 2) == training_pictures(data, 2)
    assert len(training_pictures(data, 2)) == 2
    with pytest.raises(InputError, match="no real training pictures"):
        training_pictures(data, 5, ["*"])


def test_thresholds_keep_false_boxes_seldom(published):
    right = [float(x) for x in (0, 0, 50, 50)]
    entry = published.entry
    names = entry.classes
    found = [picture([("box", right)], [("box", right, 0.9)], names=names) for _ in range(20)]
    empty = [picture([], [("box", right, 0.42)] if i < 3 else [], names=names) for i in range(100)]
    strict = choose_thresholds([*found, *empty], entry, ThresholdChoice(false_per_100=1))
    loose = choose_thresholds([*found, *empty], entry, ThresholdChoice(false_per_100=3))
    assert strict["box"] == pytest.approx(0.45)
    assert loose["box"] == pytest.approx(0.25)
    assert (strict["disc"], strict["line"]) == (0.4, 0.5)


def test_what_is_measured_is_finite(published):
    values = [row.ap50 for row in published.record.classes.values() if row.ap50 is not None]
    assert values
    assert np.isfinite(values).all()
