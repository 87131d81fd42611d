"""From a built data set to a registered crop classifier."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from untrained import build_weights, draw_picture

from vision.configfile import load_config
from vision.detect.classifier import load_classifier
from vision.detect.detections import Detections
from vision.detect.registry import load_registry
from vision.errors import InputError, ModelError
from vision.learn.data.pictures import Picture
from vision.learn.derelict import network
from vision.learn.derelict.crops import Crop, CropRules, Drawer, Wear, equalised, read_crops, worn
from vision.learn.derelict.evaluation import Ranking, find, measure_derelict, rank_system
from vision.learn.derelict.export import export_classifier
from vision.learn.derelict.network import load_network, scores
from vision.learn.derelict.training import CropRecipe, train_crops

REPOSITORY = Path(__file__).parents[3]
NAMES = ("car", "derelict_vehicle", "person")
RECIPE = CropRecipe(
    name="crops",
    task="classify",
    data="street",
    start="start.pt",
    input_size=32,
    seed=3,
    epochs=2,
    crops_an_epoch=64,
    batch=16,
    learning_rate=1e-3,
    head_learning_rate=1e-2,
    wear=Wear(side=(24, 48), hide=0.0, grey=0.0, saturation=(0.9, 1.1)),
    average=0.5,
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built data set in which derelict vehicles are red, and an untrained detector."""
    work = tmp_path_factory.mktemp("work")
    data = work / "street"
    rng = np.random.default_rng(1)
    pictures = []
    for i in range(36):
        derelict, split = i % 2 == 1, "val" if i % 6 >= 4 else "train"
        image = draw_picture(160, 120, i) // 3
        image[30:90, 40:120, 2 if derelict else 0] = rng.integers(150, 255)
        file = f"images/{split}/vehicles--{'wrecks' if derelict else 'sound'}--abc_{i}.png"
        label = data / file.replace("images", "labels").replace(".png", ".txt")
        for path in (data / file, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(data / file), image)
        lines = [f"{int(derelict)} 0.5 0.5 0.5 0.5", "2 0.1 0.5 0.1 0.3"]
        lines += ["0 0.9 0.5 0.15 0.9"] if derelict else []
        label.write_text("\n".join(lines))
        source = f"vehicles/{'wrecks' if derelict else 'sound'}"
        pictures.append(Picture(file, source, split, f"g{i}", ()))
    (data / "pictures.json").write_text(json.dumps([asdict(p) for p in pictures]))
    (data / "data.yaml").write_text(json.dumps({"names": dict(enumerate(NAMES))}))
    build_weights("yolov8n", work / "start.pt")
    return work


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    return train_crops(RECIPE, work, work / "out", start=work)


def test_crops_hold_the_vehicle_and_leave_out_sound_cars_beside_a_wreck(work):
    crops = read_crops(work / "street", CropRules(), "train")
    assert len(crops) == 24
    assert sum(crop.positive for crop in crops) == 12
    for crop in crops:
        x1, y1, x2, y2 = crop.box
        assert (x2 - x1, y2 - y1, crop.side) == (80, 60, 80)
        inside = crop.image[round(y1) + 2 : round(y2) - 2, round(x1) + 2 : round(x2) - 2]
        strong = inside[..., 2 if crop.positive else 0]
        assert strong.min() >= 150
        assert crop.image.shape == (96, 128, 3)


def test_sources_can_be_left_out_and_unknown_pictures_are(work, tmp_path):
    rules = CropRules(leave_out=("vehicles/sound",))
    assert {c.source for c in read_crops(work / "street", rules, "val")} == {"vehicles/wrecks"}
    assert read_crops(work / "street", CropRules(least_side=90), "val") == []


def crop_of(side: int, positive: bool, pair: str = "a") -> Crop:
    image = draw_picture(2 * side, 2 * side, side)
    box = (side / 2, side / 2, side * 1.5, side * 1.5)
    return Crop(image, box, positive, "s", pair, "g", side)


@pytest.mark.parametrize("side", [40, 64])
def test_compared_crops_are_of_one_size_and_small_ones_are_left_out(side):
    sizes = {
        view.shape
        for s in (64, 100, 200)
        if (view := equalised(crop_of(s, True), side)) is not None
    }
    (one,) = sizes
    assert one[0] == pytest.approx(side * 1.16, abs=2)
    assert equalised(crop_of(side - 1, True), side) is None


def test_the_size_of_training_crops_says_nothing_about_their_class(monkeypatch):
    """Large wrecks, small cars: still the sides drawn are the same for both."""
    crops = [crop_of(200, True) for _ in range(5)]
    crops += [crop_of(side, False) for side in (50, 60, 170)]
    drawn: dict[bool, list[int]] = {True: [], False: []}

    def noted(crop, side, wear, rng):
        assert side <= crop.side
        drawn[crop.positive].append(side)
        return worn(crop, side, wear, rng)

    monkeypatch.setattr("vision.learn.derelict.crops.worn", noted)
    images, truth = Drawer(crops, Wear(), 32).batch(200, np.random.default_rng(0))
    assert images.shape == (200, 32, 32, 3)
    assert truth.mean() == 0.5
    assert np.mean(drawn[True]) == pytest.approx(np.mean(drawn[False]), rel=0.15)


def test_a_small_origin_is_not_lost():
    crops = [crop_of(100, True, "many")] * 100 + [crop_of(101, True, "few")] * 4
    drawer = Drawer([*crops, crop_of(100, False)], Wear(side=(40, 90)), 32)
    _, weights, sides = drawer._classes[1]
    assert weights[sides == 101].sum() / weights.sum() == pytest.approx(2 / 12)


def test_a_class_without_crops_is_an_error():
    with pytest.raises(InputError, match="no crop of a derelict vehicle"):
        Drawer([crop_of(100, False)], Wear(), 32)


def test_weights_from_before_the_network_moved_can_be_loaded(trained, tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setitem(sys.modules, network.FORMER_MODULE, network)
        before.setattr(network.CropNetwork, "__module__", network.FORMER_MODULE)
        torch.save(load_network(trained), tmp_path / "old.pt")
    crops = [draw_picture(160, 120, 1)]
    found = scores(load_network(tmp_path / "old.pt"), crops, 32)
    assert found == scores(load_network(trained), crops, 32)


def test_the_shipped_weights_can_be_loaded():
    shipped = load_registry(REPOSITORY / "models").classifier("derelict")
    (weights,) = shipped.verified_files("pytorch")
    found = scores(load_network(weights), [draw_picture(160, 120, 1)], shipped.input_size)
    assert 0 < found[0] < 1


def test_training_learns_what_differs(work, trained):
    val = read_crops(work / "street", CropRules(), "val")
    views = [view for crop in val if (view := equalised(crop, 48)) is not None]
    found = scores(load_network(trained), views, 32)
    truth = np.array([crop.positive for crop in val])
    assert found[truth].min() > found[~truth].max()


def test_training_is_seeded_and_goes_on_as_if_it_had_not_stopped(work, trained, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(epoch: int, of: int, loss: float) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train_crops(RECIPE, work, tmp_path, start=work, progress=stop)
    heard: list[int] = []
    again = train_crops(
        RECIPE, work, tmp_path, start=work, resume=True, progress=lambda e, _, __: heard.append(e)
    )
    assert heard == [2]
    for a, b in zip(
        load_network(trained).state_dict().values(),
        load_network(again).state_dict().values(),
        strict=True,
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    other = RECIPE.model_copy(update={"seed": 4})
    with pytest.raises(ModelError, match="another recipe"):
        train_crops(other, work, tmp_path, start=work, resume=True)


@pytest.fixture
def registry_dir(tmp_path: Path) -> Path:
    """A registry of one detector, as every registry needs one."""
    (tmp_path / "d.onnx").write_bytes(b"detector")
    digest = hashlib.sha256(b"detector").hexdigest()
    (tmp_path / "registry.yaml").write_text(
        f"""\
default: d
models:
  d:
    task: detect
    classes: [car]
    output: raw
    files: {{onnx: [{{path: d.onnx, sha256: {digest}}}]}}
    thresholds: {{car: 0.5}}
    licence: AGPL-3.0-or-later
"""
    )
    return tmp_path


def test_the_exported_classifier_says_what_the_network_says(work, trained, registry_dir):
    views = [crop.image for crop in read_crops(work / "street", CropRules(), "val")]
    entry = export_classifier(
        trained,
        RECIPE,
        registry_dir=registry_dir,
        licence="AGPL-3.0-or-later",
        crops=views,
        second_stage="derelict",
    )
    assert load_registry(registry_dir).classifier("derelict") == entry
    assert set(entry.files) == {"openvino-fp16", "onnx", "pytorch"}
    assert entry.metrics["parity"]["openvino-fp16"] < 0.01
    assert entry.metrics["parity"]["onnx"] < 0.001
    expected = scores(load_network(trained), views, RECIPE.input_size)
    np.testing.assert_allclose(load_classifier(entry).classify(views)[:, 0], expected, atol=0.01)


def test_a_classifier_cannot_be_the_first_of_a_registry(work, trained, tmp_path):
    with pytest.raises(ModelError, match="needs a detector first"):
        export_classifier(
            trained, RECIPE, registry_dir=tmp_path, licence="AGPL-3.0-or-later", crops=[]
        )


def test_the_shipped_recipe_can_be_read():
    recipe = load_config(REPOSITORY / "models/recipes/derelict.yaml", CropRecipe)
    assert recipe.name == "jiexu-derelict"
    assert recipe.crops.positive == "derelict_vehicle"


class CoversAll:
    """A detector that finds a car in the middle of every picture, and calls red ones derelict."""

    names = ("car", "derelict_vehicle")

    def __init__(self, blind: bool = False) -> None:
        self.blind = blind

    def detect(self, images):
        return [self._one(image) for image in images]

    def _one(self, image):
        h, w = image.shape[:2]
        box = [0.19 * w, 0.19 * h, 0.81 * w, 0.81 * h]
        middle = image[h // 3 : 2 * h // 3, w // 3 : 2 * w // 3].astype(int)
        red = bool(middle[..., 2].mean() > middle[..., 0].mean())
        n = 0 if self.blind and red else 1
        return Detections(
            np.array([box] * n, np.float32).reshape(-1, 4),
            np.full(n, 0.8, np.float32),
            np.full(n, int(red), np.int64),
            self.names,
        )


class Redness:
    def classify(self, crops):
        return np.array([[crop[..., 2].mean() / 255] for crop in crops], np.float32).reshape(-1, 1)


def test_the_whole_system_is_measured_by_stage(work):
    crops = read_crops(work / "street", CropRules(), "val")
    measured = measure_derelict(crops, CoversAll(), Redness(), weight=0.5, sides=(48,))
    system = measured["48_px"]["system"]
    assert set(system) == {"all", "vehicles", "abc"}, "both classes have pictures called abc"
    for way in ("one_stage", "votes", "two_stage", "combined"):
        assert system["all"][way] == {
            "derelict": 6,
            "found": 6,
            "sound": 6,
            "ap": 1.0,
            "ci95": [1.0, 1.0],
        }
    assert measured["48_px"]["crops"]["all"]["ap"] == 1.0


def test_a_wreck_that_the_detector_misses_counts_as_missed(work):
    crops = read_crops(work / "street", CropRules(), "val")
    found = find(crops, CoversAll(blind=True), Redness(), 48)
    ranked = rank_system(crops, found, 48, weight=0.5)["combined"].summary()
    assert (ranked["derelict"], ranked["found"], ranked["ap"]) == (6, 0, 0.0)


def test_equal_scores_are_no_merit():
    def ranking(score, positive):
        n = len(score)
        return Ranking(
            np.array(score), np.array(positive), np.arange(n), np.array(positive, np.int64)
        )

    assert ranking([0.9, 0.8, 0.1], [True, True, False]).average_precision() == 1.0
    silent = ranking([0.0] * 4, [True, False, False, False]).average_precision()
    assert silent == pytest.approx(0.25)
    low, high = ranking([0.9, 0.5, 0.4, 0.1], [True, False, True, False]).interval(resamples=200)
    assert low < high <= 1.0
