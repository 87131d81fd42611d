from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from untrained import draw_picture

from vision.detect import load as load_module
from vision.detect import openvino_runtime
from vision.detect.load import load_detector
from vision.detect.openvino_runtime import OpenVinoDetector
from vision.detect.ultralytics_setup import prepare
from vision.errors import ModelError
from vision.learn.ship.parity import agreement

RUNTIMES = ["openvino-fp32", "onnx", "pytorch"]


def same(one, two) -> bool:
    return (
        np.array_equal(one.xyxy, two.xyxy)
        and np.array_equal(one.confidence, two.confidence)
        and np.array_equal(one.class_id, two.class_id)
    )


def ultralytics_predictions(weights: Path, images, entry):
    """What ultralytics itself finds in each picture with the same weights and settings."""
    from vision.detect import ultralytics_setup
    from vision.detect.detections import Detections

    ultralytics_setup.prepare()
    from ultralytics import YOLO

    network = YOLO(weights)
    found = []
    for image in images:
        boxes = network.predict(
            image,
            conf=min(entry.thresholds.values()),
            iou=entry.nms_iou,
            imgsz=entry.input_size,
            rect=True,
            nms=False if entry.output == "end2end" else None,
            device="cpu",
            verbose=False,
        )[0].boxes
        found.append(
            Detections(
                boxes.xyxy.numpy(),
                boxes.conf.numpy(),
                boxes.cls.numpy().astype(np.int64),
                entry.classes,
            )
        )
    return found


def assert_agrees_with_ultralytics(entry, runtime, images, *, at_least):
    theirs = ultralytics_predictions(entry.verified_files("pytorch")[0], images, entry)
    theirs = [d[(d.xyxy[:, 2:] > d.xyxy[:, :2]).all(axis=1)] for d in theirs]
    detector = load_detector(entry, runtime=runtime, device="cpu")
    result = agreement(theirs, detector.detect(images), entry.decoding().thresholds)
    detector.close()
    assert result.matched >= at_least, "too little was found for the comparison to say anything"
    assert result.unmatched == 0, result
    assert result.max_box_px < 1, result
    assert result.max_score < 0.01, result


@pytest.mark.parametrize("architecture", ["yolov8n", "yolo26n"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_untrained_network_gives_what_ultralytics_gives(
    untrained, architecture, runtime, drawn_pictures
):
    entry = untrained(architecture)
    assert entry.output == ("end2end" if architecture == "yolo26n" else "raw")
    assert_agrees_with_ultralytics(entry, runtime, drawn_pictures, at_least=50)


def test_default_runtime_is_the_best_that_is_there(model):
    detector = load_detector(model)
    assert detector.runtime == "openvino-fp32"
    assert detector.names == model.classes
    assert detector.model_name == "yolov8n"
    assert detector.model_sha256 == model.sha256("openvino-fp32")
    detector.close()


def test_the_next_runtime_is_taken_where_one_is_not_installed(model, monkeypatch):
    monkeypatch.setattr(load_module, "_installed", lambda family: family == "onnx")
    detector = load_detector(model)
    assert detector.runtime == "onnx"
    detector.close()


def test_a_runtime_that_is_not_installed_is_told_with_what_to_install(model, monkeypatch):
    monkeypatch.setattr(load_module, "_installed", lambda _: False)
    with pytest.raises(ModelError, match=r"onnx is not installed: pip install jiexu\[onnx\]"):
        load_detector(model, runtime="onnx")
    with pytest.raises(ModelError, match="pip install jiexu or pip install"):
        load_detector(model)


def test_a_runtime_that_does_not_exist_is_refused(model):
    with pytest.raises(ModelError, match="no runtime 'tensorrt'; there are openvino-int8"):
        load_detector(model, runtime="tensorrt")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_result_depends_on_neither_neighbours_nor_order(model, runtime, drawn_pictures):
    detector = load_detector(model, runtime=runtime, device="cpu")
    alone = [detector.detect([image])[0] for image in drawn_pictures]
    together = detector.detect(drawn_pictures)
    backwards = detector.detect(drawn_pictures[::-1])[::-1]
    again = detector.detect(drawn_pictures * 3)[len(drawn_pictures) : 2 * len(drawn_pictures)]
    detector.close()
    assert sum(len(found) for found in alone) > 50
    for results in (together, backwards, again):
        assert all(same(one, two) for one, two in zip(alone, results, strict=True))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_picture_may_be_overwritten_after_submit(model, runtime, drawn_pictures):
    detector = load_detector(model, runtime=runtime, device="cpu")
    expected = detector.detect([drawn_pictures[0]])[0]
    buffer = np.empty_like(drawn_pictures[0])
    futures = []
    for _ in range(6):
        buffer[:] = drawn_pictures[0]
        futures.append(detector.submit(buffer))
        buffer[:] = 0
    assert len(expected)
    assert all(same(expected, future.result(timeout=60)) for future in futures)
    detector.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_no_picture_is_no_work_and_no_thing_is_no_detection(model, runtime):
    detector = load_detector(
        model, runtime=runtime, device="cpu", thresholds={"box": 1, "disc": 1, "line": 1}
    )
    assert detector.detect([]) == []
    found = detector.detect([draw_picture(64, 48, 0)])[0]
    assert len(found) == 0
    assert found.names == model.classes
    detector.close()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_pending_pictures_are_finished_before_close_and_none_taken_after(
    model, runtime, drawn_pictures
):
    detector = load_detector(model, runtime=runtime, device="cpu")
    futures = [detector.submit(image) for image in drawn_pictures]
    detector.close()
    assert all(future.done() for future in futures)
    assert sum(len(future.result()) for future in futures) > 0
    with pytest.raises(ModelError, match="closed"):
        detector.submit(drawn_pictures[0])


def test_a_failure_is_raised_by_the_future_and_the_detector_goes_on(
    model, drawn_pictures, monkeypatch
):
    detector = load_detector(model, runtime="openvino-fp32")
    assert isinstance(detector, OpenVinoDetector)
    compile_size = detector._compile

    def fail(height: int, width: int):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(detector, "_compile", fail)
    futures = [detector.submit(drawn_pictures[0]) for _ in range(20)]
    for future in futures:
        with pytest.raises(ModelError, match="openvino-fp32 failed: out of memory"):
            future.result(timeout=10)
    monkeypatch.setattr(detector, "_compile", compile_size)
    assert len(detector.detect([drawn_pictures[0]])[0])
    detector.close()


def test_many_sizes_at_once_keep_only_a_few_compiled(model, monkeypatch):
    monkeypatch.setattr(openvino_runtime, "COMPILED_SIZES", 2)
    images = [draw_picture(320, height, height) for height in (240, 180, 120, 60)]
    detector = load_detector(model, runtime="openvino-fp32")
    assert isinstance(detector, OpenVinoDetector)
    first = detector.detect(images)
    second = detector.detect(images)
    assert len(detector._compiled) == 2
    assert all(same(one, two) for one, two in zip(first, second, strict=True))
    detector.close()


def test_several_threads_may_share_a_detector(model, drawn_pictures):
    detector = load_detector(model, runtime="openvino-fp32")
    expected = detector.detect(drawn_pictures)
    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(detector.detect, [drawn_pictures] * 8):
            assert all(same(one, two) for one, two in zip(expected, results, strict=True))
    detector.close()


def test_openvino_needs_neither_torch_nor_ultralytics(model):
    script = f"""
import sys
from pathlib import Path
import numpy as np
from vision.detect.load import load_detector
from vision.detect.registry import load_registry
detector = load_detector(load_registry(Path({str(model.folder)!r})).model("yolov8n"))
assert detector.runtime == "openvino-fp32"
detector.detect([np.zeros((90, 160, 3), np.uint8)])
detector.close()
loaded = {{"torch", "torchvision", "ultralytics", "onnxruntime", "onnx", "nncf"}} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=Path(load_module.__file__).parents[2]
    )


@pytest.mark.parametrize(
    ("runtime", "suffix", "said"),
    [
        ("openvino-fp32", ".fp32.xml", "no OpenVINO network"),
        ("onnx", ".onnx", "cannot open it"),
        ("pytorch", ".pt", "cannot load it"),
    ],
)
def test_a_broken_file_is_named(model, runtime, suffix, said, tmp_path):
    from vision.learn.measure.opening import registered_file

    (tmp_path / "yolov8n").mkdir()
    path = tmp_path / "yolov8n" / f"yolov8n{suffix}"
    path.write_bytes(b"no model at all")
    broken = model.model_copy(
        update={"folder": tmp_path, "files": {runtime: (registered_file(path, tmp_path),)}}
    )
    with pytest.raises(ModelError, match=rf"{path.name}.*{said}"):
        load_detector(broken, runtime=runtime, device="cpu")


@pytest.mark.parametrize("runtime", ["openvino-fp32", "pytorch"])
def test_files_that_do_not_fit_their_entry_are_refused(model, runtime):
    classes = {"classes": ("one", "two"), "thresholds": {"one": 0.5, "two": 0.5}}
    with pytest.raises(ModelError, match="fit"):
        load_detector(model.model_copy(update=classes), runtime=runtime, device="cpu")


def test_ultralytics_leaves_pillow_as_it_was(tmp_path):
    prepare()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    with pytest.raises(UnidentifiedImageError):
        Image.open(broken)
