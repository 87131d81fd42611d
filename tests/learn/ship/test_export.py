from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from untrained import build_weights, draw_picture

from vision.detect.detections import Detections
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
from vision.errors import InputError, ModelError
from vision.learn.ship.export import calibration_pictures, export_model
from vision.learn.ship.parity import agreement

LICENCE = "AGPL-3.0-or-later"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return build_weights("yolov8n", tmp_path_factory.mktemp("weights") / "last.pt")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(6):
        cv2.imwrite(str(folder / f"{seed}.png"), draw_picture(320, 240 - 20 * seed, seed))
    return folder


@pytest.fixture(scope="module")
def exported(weights, pictures, tmp_path_factory):
    return export_model(
        weights,
        name="street",
        registry_dir=tmp_path_factory.mktemp("models"),
        licence=LICENCE,
        input_size=320,
        runtimes=("openvino-fp16", "onnx"),
        thresholds={"heap": 0.2, "disc": 0.3, "line": 0.4},
        classes={"box": "heap"},
        int8_calibration=pictures,
        metrics={"map50": 0.5},
    )


def test_the_entry_is_in_the_registry_and_is_the_default_of_a_new_one(exported):
    registry = load_registry(exported.folder)
    assert registry.default == "street"
    assert registry.model() == exported
    assert exported.classes == ("heap", "disc", "line")
    assert exported.thresholds == {"heap": 0.2, "disc": 0.3, "line": 0.4}
    assert exported.output == "raw"
    assert exported.stride == 32
    assert list(exported.files) == ["openvino-int8", "openvino-fp16", "onnx", "pytorch"]


def test_every_runtime_opens_and_finds_things(exported):
    image = draw_picture(320, 240, 5)
    for runtime in exported.files:
        detector = load_detector(exported, runtime=runtime, device="cpu")
        assert len(detector.detect([image])[0]) > 0
        detector.close()


def test_how_far_the_runtimes_agree_with_pytorch_is_in_the_metrics(exported):
    assert exported.metrics["map50"] == 0.5
    parity = exported.metrics["parity"]
    assert set(parity) == {"openvino-int8", "openvino-fp16", "onnx"}
    assert parity["onnx"]["boxes"] > 10
    assert parity["onnx"]["unmatched"] == 0
    assert parity["onnx"]["max_score"] < 0.01
    assert 0 < parity["openvino-fp16"]["max_score"] < 0.1
    assert parity["openvino-int8"]["mean_score"] > parity["openvino-fp16"]["mean_score"]


def test_int8_is_smaller_than_fp16(exported):
    size = {
        runtime: sum(
            path.stat().st_size
            for path in exported.verified_files(runtime)
            if path.suffix == ".bin"
        )
        for runtime in ("openvino-int8", "openvino-fp16")
    }
    assert size["openvino-int8"] < 0.6 * size["openvino-fp16"]


def test_nothing_tells_of_the_machine_that_trained(exported):
    for path in sorted(exported.folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            assert b"/home/somebody" not in content, path
            assert b"jiexu-export-" not in content, path


def test_pytorch_is_left_out_on_request(weights, tmp_path):
    entry = export_model(
        weights,
        name="small",
        registry_dir=tmp_path,
        licence=LICENCE,
        input_size=320,
        runtimes=("onnx",),
        copy_pytorch=False,
    )
    assert list(entry.files) == ["onnx"]
    assert not list(tmp_path.rglob("*.pt"))
    assert load_registry(tmp_path).model() == entry


def test_int8_without_pictures_is_refused(weights, tmp_path):
    with pytest.raises(ModelError, match="openvino-int8 needs calibration pictures"):
        export_model(
            weights,
            name="m",
            registry_dir=tmp_path,
            licence=LICENCE,
            runtimes=("openvino-int8",),
        )


def test_an_unknown_runtime_is_refused(weights, tmp_path):
    with pytest.raises(ModelError, match="no runtime tensorrt"):
        export_model(
            weights, name="m", registry_dir=tmp_path, licence=LICENCE, runtimes=("tensorrt",)
        )


def test_a_one_to_one_head_that_is_not_there_is_refused(weights, tmp_path):
    with pytest.raises(ModelError, match="no one-to-one head"):
        export_model(weights, name="m", registry_dir=tmp_path, licence=LICENCE, end2end=True)


def test_what_are_no_weights_is_refused_by_name(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"x\.pt"):
        export_model(tmp_path / "x.pt", name="m", registry_dir=tmp_path, licence=LICENCE)


def test_pictures_are_taken_in_order_of_their_paths(pictures, tmp_path):
    assert [p.name for p in calibration_pictures(pictures)] == [f"{i}.png" for i in range(6)]
    assert calibration_pictures(None) == []
    with pytest.raises(InputError, match="no pictures"):
        calibration_pictures(tmp_path)


def found(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].astype(np.int64), ("a", "b"))


LIMITS = np.array([0.3, 0.3], np.float32)


def test_agreement_measures_boxes_and_scores_of_partners():
    one = found((0, 0, 100, 100, 0.8, 0), (200, 0, 300, 100, 0.7, 1))
    two = found((200, 0, 303, 100, 0.7, 1), (0, 0, 100, 101, 0.75, 0))
    result = agreement([one], [two], LIMITS)
    assert (result.boxes, result.matched, result.unmatched) == (2, 2, 0)
    assert result.max_box_px == 3
    assert result.mean_box_px == 2
    assert result.max_score == pytest.approx(0.05, abs=1e-4)


def test_a_box_has_one_partner_of_its_own_class():
    one = found((0, 0, 100, 100, 0.8, 0))
    assert agreement([one], [found((0, 0, 100, 100, 0.8, 1))], LIMITS).unmatched == 2
    twice = found((0, 0, 100, 100, 0.8, 0), (1, 0, 100, 100, 0.8, 0))
    assert agreement([one], [twice], LIMITS).unmatched == 1


def test_a_box_at_the_threshold_need_not_have_a_partner():
    assert agreement([found((0, 0, 9, 9, 0.305, 0))], [found()], LIMITS).unmatched == 0
    assert agreement([found((0, 0, 9, 9, 0.315, 0))], [found()], LIMITS).unmatched == 1
