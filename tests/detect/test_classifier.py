from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from vision.detect.classifier import cut, fit, load_classifier
from vision.detect.load import load_detector
from vision.detect.registry import ModelEntry, ModelFile, load_registry, write_entry
from vision.errors import ConfigError, ModelError


@pytest.fixture(scope="module")
def redness(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    """A real network whose score is the mean of the red plane."""
    import hashlib

    folder = tmp_path_factory.mktemp("registry")
    crops = ops.parameter([-1, 3, 32, 32], np.float32, name="crops")
    red = ops.gather(crops, np.array([0]), np.array(1))
    mean = ops.reduce_mean(red, np.array([2, 3]), keep_dims=False)
    path = folder / "red.xml"
    ov.save_model(ov.Model([mean], [crops]), path, compress_to_fp16=False)
    files = [
        ModelFile(path=p.name, sha256=hashlib.sha256(p.read_bytes()).hexdigest())
        for p in (path, path.with_suffix(".bin"))
    ]
    return ModelEntry(
        name="red",
        folder=folder,
        task="classify",
        classes=("derelict_vehicle",),
        input_size=32,
        files={"openvino-fp32": tuple(files)},
        licence="AGPL-3.0-or-later",
    )


def plain(width: int, height: int, bgr: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), bgr, np.uint8)


def test_crops_of_any_size_are_scored_one_by_one_in_rgb_and_0_to_1(redness):
    classifier = load_classifier(redness)
    crops = [plain(200, 90, (0, 0, 255)), plain(10, 12, (255, 255, 0)), plain(64, 64, (9, 9, 51))]
    scores = classifier.classify(crops)
    assert scores.shape == (3, 1)
    assert scores[:, 0] == pytest.approx([1.0, 0.0, 0.2], abs=1e-5)
    assert np.array_equal(classifier.classify(crops[2:]), scores[2:])


def test_no_crops_give_no_rows(redness):
    assert load_classifier(redness).classify([]).shape == (0, 1)


def test_what_is_no_picture_is_refused(redness):
    with pytest.raises(ValueError, match="BGR uint8"):
        load_classifier(redness).classify([np.zeros((4, 4), np.uint8)])


def test_a_network_that_does_not_fit_the_entry_is_refused(redness):
    with pytest.raises(ModelError, match=r"red\.xml.*2 classes"):
        load_classifier(redness.model_copy(update={"classes": ("a", "b")}))


def test_detectors_and_classifiers_are_not_mixed_up(redness, registry_file):
    with pytest.raises(ModelError, match="is no classifier"):
        load_classifier(load_registry(registry_file).model())
    with pytest.raises(ModelError, match="is no detector"):
        load_detector(redness)


@pytest.mark.parametrize(
    ("box", "margin", "size"),
    [
        ((10, 10, 30, 20), 0.0, (20, 10)),
        ((10, 10, 30, 20), 0.1, (24, 12)),
        ((-50, -50, 200, 200), 0.1, (100, 60)),
        ((99.9, 59.9, 100.0, 60.0), 0.0, (1, 1)),
    ],
)
def test_crops_are_cut_with_their_margin_inside_the_picture(box, margin, size):
    crop = cut(np.zeros((60, 100, 3), np.uint8), box, (margin,) * 4)
    assert (crop.shape[1], crop.shape[0]) == size


def test_the_input_is_square_whatever_the_crop():
    assert fit(plain(200, 30, (1, 2, 3)), 128).shape == (128, 128, 3)


def test_a_registry_names_its_second_stage(redness, registry_file):
    folder = registry_file.parent
    for name in ("red.xml", "red.bin"):
        (folder / name).write_bytes((redness.folder / name).read_bytes())
    write_entry(folder, redness, second_stage="derelict")
    registry = load_registry(registry_file)
    assert registry.default == "m"
    found = registry.classifier("derelict")
    assert found is not None
    assert found.name == "red"
    write_entry(folder, registry.model("m"))
    assert load_registry(registry_file).second_stage == {"derelict": "red"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("second_stage: {derelict: m}", "no classifier 'm'"),
        ("second_stage: {rust: m}", "'rust' is none; known: derelict"),
    ],
)
def test_a_wrong_second_stage_is_named(registry_file: Path, line, said):
    registry_file.write_text(f"{line}\n{registry_file.read_text()}")
    with pytest.raises(ConfigError, match=said):
        load_registry(registry_file)


def test_a_detector_needs_its_output_form(registry_file: Path):
    registry_file.write_text(registry_file.read_text().replace("    output: raw\n", ""))
    with pytest.raises(ConfigError, match="output: is needed"):
        load_registry(registry_file)
