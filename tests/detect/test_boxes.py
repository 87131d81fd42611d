from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.detect.boxes import MAX_DETECTIONS, Decoding, decode_end2end, decode_raw, suppress
from vision.detect.letterbox import placement

SEEDS = st.integers(0, 2**32 - 1)


def raw_output(seed: int, classes: int = 3, n: int = 200) -> np.ndarray:
    """``(4 + classes, n)``: boxes in a few heaps, so that many overlap."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(50, 590, (8, 2))[rng.integers(0, 8, n)] + rng.normal(0, 6, (n, 2))
    sizes = rng.uniform(40, 60, (n, 2))
    scores = rng.uniform(0, 1, (n, classes)) ** 3
    return np.concatenate([centres, sizes, scores], axis=1).T.astype(np.float32)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inter = np.clip(high - low, 0, None).prod()
    return float(inter / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inter))


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.floats(0.05, 0.9), st.floats(0.2, 0.9))
def test_raw_output_is_read_as_ultralytics_reads_it(seed, threshold, nms_iou):
    from vision.detect import ultralytics_setup

    ultralytics_setup.prepare()
    import torch
    from ultralytics.utils.nms import non_max_suppression

    output = raw_output(seed)
    xyxy, confidence, class_id = decode_raw(output, np.full(3, threshold, np.float32), nms_iou)
    theirs = non_max_suppression(
        torch.from_numpy(output[None].copy()), threshold, nms_iou, max_det=MAX_DETECTIONS
    )[0].numpy()
    assert len(xyxy) == len(theirs)
    np.testing.assert_allclose(xyxy, theirs[:, :4], atol=1e-3)
    np.testing.assert_array_equal(confidence, theirs[:, 4])
    np.testing.assert_array_equal(class_id, theirs[:, 5])


@settings(deadline=None, max_examples=40)
@given(SEEDS, st.floats(0.3, 0.8))
def test_what_is_kept_does_not_overlap_and_what_goes_has_a_stronger_neighbour(seed, nms_iou):
    rng = np.random.default_rng(seed)
    boxes = raw_output(seed)[:4].T
    confidence = rng.permutation(np.linspace(0.1, 0.9, len(boxes))).astype(np.float32)
    class_id = rng.integers(0, 3, len(boxes))
    keep = suppress(boxes, confidence, class_id, nms_iou)
    xyxy = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)
    assert (np.diff(confidence[keep]) < 0).all()
    kept = set(keep.tolist())
    for i in range(len(boxes)):
        overlaps = any(
            class_id[i] == class_id[k]
            and confidence[k] > confidence[i]
            and iou(xyxy[i], xyxy[k]) > nms_iou + 1e-4 * (1 if i in kept else -1)
            for k in kept
        )
        assert overlaps == (i not in kept)


def test_boxes_of_different_classes_do_not_suppress_each_other():
    output = np.array([[50, 50, 20, 20, 0.9, 0], [50, 50, 20, 20, 0, 0.8]], np.float32).T
    _, _, class_id = decode_raw(output, np.array([0.5, 0.5], np.float32), 0.7)
    assert class_id.tolist() == [0, 1]


def test_a_class_below_its_own_threshold_does_not_hide_another():
    output = np.array([[50, 50, 20, 20, 0.55, 0.45]], np.float32).T
    _, confidence, class_id = decode_raw(output, np.array([0.6, 0.3], np.float32), 0.7)
    assert class_id.tolist() == [1]
    assert confidence.tolist() == pytest.approx([0.45])


def test_a_score_must_be_above_the_threshold_not_at_it():
    output = np.array([[50, 50, 20, 20, 0.5]], np.float32).T
    assert len(decode_raw(output, np.array([0.5], np.float32), 0.7)[0]) == 0


def test_no_more_than_the_strongest_300_are_kept():
    n = 400
    x, y = np.meshgrid(np.arange(20) * 30 + 15, np.arange(20) * 30 + 15)
    scores = np.linspace(0.5, 0.9, n)
    output = np.stack([x.ravel(), y.ravel(), np.full(n, 9), np.full(n, 9), scores])
    _, confidence, _ = decode_raw(output.astype(np.float32), np.array([0.1], np.float32), 0.7)
    assert len(confidence) == MAX_DETECTIONS
    assert confidence.min() == pytest.approx(np.sort(scores)[-MAX_DETECTIONS])


def test_end2end_rows_are_kept_by_the_threshold_of_their_class():
    rows = np.array(
        [[0, 0, 9, 9, 0.9, 1], [1, 1, 9, 9, 0.6, 0], [2, 2, 9, 9, 0.6, 1], [0, 0, 0, 0, 0, 0]],
        np.float32,
    )
    xyxy, confidence, class_id = decode_end2end(rows, np.array([0.5, 0.7], np.float32))
    assert xyxy[:, 0].tolist() == [0, 1]
    assert class_id.tolist() == [1, 0]
    assert confidence.tolist() == pytest.approx([0.9, 0.6])


def decoding(output: str) -> Decoding:
    return Decoding(("car", "heap"), output, np.array([0.5, 0.5], np.float32))


def test_detections_are_in_source_pixels_and_clipped():
    place = placement(1280, 720, 640, 32)
    rows = np.array([[[-20, 12, 320, 500, 0.9, 1]]], np.float32)
    found = decoding("end2end").decode(rows, place)
    assert found.xyxy.tolist() == [[0, 0, 640, 720]]
    assert found.names == ("car", "heap")


def test_boxes_without_area_in_the_picture_are_left_out():
    place = placement(1280, 720, 640, 32)
    rows = np.array(
        [[[10, 0, 50, 11, 0.9, 0], [50, 50, 10, 90, 0.9, 0], [50, 50, 60, 60, 0.9, 0]]], np.float32
    )
    assert len(decoding("end2end").decode(rows, place)) == 1


@pytest.mark.parametrize("form", ["raw", "end2end"])
def test_nothing_found_is_empty(form):
    output = np.zeros((1, 6, 50) if form == "raw" else (1, 300, 6), np.float32)
    assert len(decoding(form).decode(output, placement(640, 480, 640, 32))) == 0


@pytest.mark.parametrize("form", ["raw", "end2end"])
def test_an_output_of_another_shape_is_refused(form):
    with pytest.raises(ValueError, match="must be"):
        decoding(form).decode(np.zeros((1, 9, 7), np.float32), placement(640, 480, 640, 32))


def test_detections_do_not_change_with_the_memory_of_the_runtime():
    place = placement(640, 384, 640, 32)
    rows = np.array([[[10, 10, 60, 60, 0.9, 1]]], np.float32)
    found = decoding("end2end").decode(rows, place)
    rows[:] = 0
    assert found.xyxy.tolist() == [[10, 10, 60, 60]]
    assert found.confidence.tolist() == pytest.approx([0.9])
