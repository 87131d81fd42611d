from __future__ import annotations

import copy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from vision.configfile import load_config
from vision.errors import ConfigError, ModelError
from vision.learn.data.dataset import Recipe, build_dataset
from vision.learn.train.distillation import Rehearsal
from vision.learn.train.training import (
    PartialLabelLoss,
    Stage,
    TrainingRecipe,
    adapt_head,
    average,
    mean_network,
    train,
)
from vision.learn.train.validation import average_precisions

from ultralytics.cfg import get_cfg  # isort: skip  vision.learn.train.training prepares ultralytics
from ultralytics.nn.tasks import DetectionModel, load_checkpoint  # isort: skip

REPOSITORY = Path(__file__).parents[3]
CLASSES = ("car", "debris_pile", "person")


@pytest.fixture(scope="module")
def coco_like():
    torch.manual_seed(0)
    network = DetectionModel("yolov8n.yaml", nc=80, verbose=False)
    network.names = {0: "person", 1: "bicycle", 2: "car", **{i: f"c{i}" for i in range(3, 80)}}
    for branch in network.model[-1].cv3:
        torch.nn.init.normal_(branch[-1].bias, std=2)
    return network


@pytest.fixture(scope="module")
def adapted(coco_like):
    return adapt_head(coco_like, CLASSES, {"debris_pile": ("c24", "c26")})


def class_logits(network, x):
    with torch.no_grad():
        return network.train()(x)["scores"]


def test_known_classes_keep_their_logits(coco_like, adapted):
    x = torch.rand(1, 3, 64, 64)
    # Batch statistics are the same on both sides: the same picture through the same layers.
    old, new = class_logits(copy.deepcopy(coco_like), x), class_logits(copy.deepcopy(adapted), x)
    assert new.shape[1] == 3
    torch.testing.assert_close(new[:, 0], old[:, 2])
    torch.testing.assert_close(new[:, 2], old[:, 0])


def test_a_new_class_starts_from_the_mean_row_and_unlikely(coco_like, adapted):
    x = torch.rand(1, 3, 64, 64)
    old, new = class_logits(copy.deepcopy(coco_like), x), class_logits(copy.deepcopy(adapted), x)
    expected = old[:, [24, 26]].mean(dim=1) + np.log(0.01)
    torch.testing.assert_close(new[:, 1], expected, rtol=1e-4, atol=1e-4)


def test_the_starting_network_is_not_changed(coco_like, adapted):
    assert coco_like.model[-1].nc == 80
    assert adapted.model[-1].nc == 3
    assert adapted.names == {0: "car", 1: "debris_pile", 2: "person"}


def test_a_class_without_a_start_is_named(coco_like):
    with pytest.raises(ConfigError, match=r"rows\.smoke.*no class smoke"):
        adapt_head(coco_like, ("smoke",), {})


def test_a_class_that_is_there_keeps_its_own_row(coco_like):
    again = adapt_head(coco_like, CLASSES, {"car": ("c24",), "debris_pile": ("c24",)})
    x = torch.rand(1, 3, 64, 64)
    old, new = class_logits(copy.deepcopy(coco_like), x), class_logits(again, x)
    torch.testing.assert_close(new[:, 0], old[:, 2])


def test_both_heads_of_an_end_to_end_network_are_adapted():
    torch.manual_seed(0)
    network = DetectionModel("yolo26n.yaml", nc=3, verbose=False)
    network.names = {0: "person", 1: "bicycle", 2: "car"}
    new = adapt_head(network, ("car", "heap"), {"heap": ("bicycle",)})
    outputs = new.train()(torch.rand(1, 3, 64, 64))
    assert outputs["one2many"]["scores"].shape[1] == 2
    assert outputs["one2one"]["scores"].shape[1] == 2


def test_the_mean_of_networks_lies_between_them(adapted):
    other = copy.deepcopy(adapted)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    mixed = mean_network([adapted, other], [1, 3])
    for low, middle in zip(adapted.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(middle, low + 0.75)


def test_files_of_weights_are_averaged(tmp_path, adapted):
    other = copy.deepcopy(adapted)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1.0)
    files = [tmp_path / "old.pt", tmp_path / "new.pt"]
    for file, network in zip(files, (adapted, other), strict=True):
        torch.save({"model": network, "ema": None, "train_args": {"task": "detect"}}, file)
    average(dict.fromkeys(files, 0.5), tmp_path / "mean.pt")
    mixed, _ = load_checkpoint(tmp_path / "mean.pt")
    for low, middle in zip(adapted.parameters(), mixed.parameters(), strict=True):
        torch.testing.assert_close(middle, low + 0.5)
    with pytest.raises(ModelError, match=r"absent\.pt: no such file"):
        average({tmp_path / "absent.pt": 1.0}, tmp_path / "mean.pt")


def test_networks_of_different_classes_have_no_mean(adapted, coco_like):
    with pytest.raises(ConfigError, match="cannot be averaged"):
        mean_network([adapted, coco_like], [1, 1])


def test_rehearsal_is_nothing_for_the_same_scores_and_pulls_others_back(coco_like, adapted):
    rehearsal = Rehearsal(coco_like, CLASSES, gain=0.5)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        same = copy.deepcopy(adapted).eval()(x)[1]["scores"]
    assert rehearsal.term(x, same).abs() < 1e-3
    lost = same.clone().requires_grad_(True)
    shifted = lost - torch.tensor([0.0, 5.0, 3.0])[None, :, None]
    term = rehearsal.term(x, shifted)
    term.backward()
    assert term > 0.01
    assert torch.count_nonzero(lost.grad[:, 1]) == 0, "debris_pile is not known to the old network"
    assert (lost.grad[:, 2] < 0).all()


def test_rehearsal_needs_a_shared_class(coco_like):
    with pytest.raises(ConfigError, match="share no class"):
        Rehearsal(coco_like, ("heap",), gain=1)


def test_the_loss_does_not_push_down_what_is_unknown(adapted):
    network = copy.deepcopy(adapted).train()
    network.args = get_cfg()
    criterion = PartialLabelLoss(network)
    x = torch.rand(2, 3, 64, 64)
    batch = {
        "img": x,
        "batch_idx": torch.tensor([0.0]),
        "cls": torch.tensor([[1.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.4, 0.4]]),
        "unknown": (np.array([True, True, False]), np.array([False, False, False])),
    }
    predictions = network(x)
    predictions["scores"].retain_grad()
    criterion(predictions, batch)[0].sum().backward()
    first, second = predictions["scores"].grad
    assert torch.count_nonzero(first[0]) == 0
    assert (first[1] <= 0).all(), "labelled boxes of a partly unknown class still teach"
    assert torch.count_nonzero(first[1]) > 0
    assert (first[2] > 0).all()
    assert (second > 0).all()


@pytest.mark.parametrize("file", sorted((REPOSITORY / "models/recipes").glob("s*.yaml")))
def test_the_shipped_recipes_fit_the_shipped_data_recipes(file):
    recipe = load_config(file, TrainingRecipe)
    for stage in recipe.stages.values():
        data = load_config(REPOSITORY / f"datasets/{stage.data}.yaml", Recipe)
        assert set(recipe.rows) < set(data.classes)


@pytest.mark.parametrize("key", ["mixup", "cutmix", "copy_paste"])
def test_mixing_of_sources_is_refused(tmp_path, coco_like, key):
    torch.save({"model": copy.deepcopy(coco_like)}, tmp_path / "start.pt")
    recipe = TrainingRecipe(
        name="x", start="start.pt", rows={}, stages={"a": Stage(data="d", settings={key: 0.5})}
    )
    with pytest.raises(ConfigError, match=key):
        train(recipe, tmp_path, tmp_path / "out", start=tmp_path)


def test_missing_weights_are_named(tmp_path):
    recipe = TrainingRecipe(
        name="x", start="none.pt", rows={}, stages={"a": Stage(data="d", settings={})}
    )
    with pytest.raises(ModelError, match=r"none\.pt"):
        train(recipe, tmp_path, tmp_path / "out", start=tmp_path)


def draw_heaps(root: Path, count: int) -> None:
    """Write a labelled folder of small noisy pictures with one heap each."""
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    (root / "classes.txt").write_text("debris_pile\n")
    for i in range(count):
        coarse = np.random.default_rng(i).integers(0, 255, (6, 6, 3), np.uint8)
        cv2.imwrite(str(root / f"images/p{i}.png"), cv2.resize(coarse, (64, 64)))
        (root / f"labels/p{i}.txt").write_text("0 0.5 0.5 0.4 0.3\n")


@pytest.mark.slow
def test_two_stages_train_and_a_finished_run_is_not_repeated(tmp_path, coco_like):
    draw_heaps(tmp_path / "raw/heaps", 6)
    data = Recipe.model_validate(
        {
            "name": "heaps",
            "seed": 1,
            "val_share": 0.34,
            "longest_side": 64,
            "classes": CLASSES,
            "sources": [
                {"path": "heaps", "labels": {"debris_pile": "debris_pile"}, "unknown": ["person"]}
            ],
        }
    )
    build_dataset(data, [tmp_path / "raw"], tmp_path / "data/heaps")
    torch.save({"model": copy.deepcopy(coco_like)}, tmp_path / "start.pt")
    settings = {
        "epochs": 1,
        "imgsz": 64,
        "batch": 2,
        "mosaic": 1.0,
        "workers": 0,
        "amp": False,
        "optimizer": "AdamW",
        "lr0": 0.001,
        "seed": 3,
        "close_mosaic": 0,
    }
    stage = Stage(data="heaps", settings=settings)
    kept = Stage(data="heaps", settings=settings, rehearse={"weights": "start.pt"})
    recipe = TrainingRecipe(
        name="x",
        start="start.pt",
        rows={"debris_pile": ("c24",)},
        stages={"one": stage, "two": kept},
    )
    last = train(recipe, tmp_path / "data", tmp_path / "runs", start=tmp_path)
    assert "kept_loss" in (tmp_path / "runs/two/results.csv").read_text()
    assert "AP50/debris_pile" in (tmp_path / "runs/one/results.csv").read_text()
    checkpoint = torch.load(last, weights_only=False)
    assert type(checkpoint["model"]) is DetectionModel
    assert tuple(checkpoint["model"].names.values()) == CLASSES
    before = last.stat().st_mtime_ns
    again = train(recipe, tmp_path / "data", tmp_path / "runs", start=tmp_path, resume=True)
    assert again == last
    assert last.stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="was run before"):
        train(recipe, tmp_path / "data", tmp_path / "runs", start=tmp_path)
    measured = average_precisions(checkpoint["model"], tmp_path / "data/heaps", 64)
    assert 0 <= measured["debris_pile"] <= 1


@pytest.mark.slow
def test_an_end_to_end_network_is_trained_from_a_mean(tmp_path):
    draw_heaps(tmp_path / "raw/heaps", 4)
    data = Recipe.model_validate(
        {
            "name": "heaps",
            "seed": 1,
            "val_share": 0.5,
            "longest_side": 64,
            "classes": ("debris_pile",),
            "sources": [{"path": "heaps", "labels": {"debris_pile": "debris_pile"}}],
        }
    )
    build_dataset(data, [tmp_path / "raw"], tmp_path / "data/heaps")
    for name in ("a", "b"):
        network = DetectionModel("yolo26n.yaml", nc=2, verbose=False)
        network.names = {0: "person", 1: "suitcase"}
        torch.save({"model": network}, tmp_path / f"{name}.pt")
    settings = {"epochs": 1, "imgsz": 64, "batch": 2, "workers": 0, "amp": False, "cache": False}
    recipe = TrainingRecipe(
        name="x",
        start={"a.pt": 0.5, "b.pt": 0.5},
        rows={"debris_pile": ("suitcase",)},
        stages={"one": Stage(data="heaps", settings=settings)},
    )
    last = train(recipe, tmp_path / "data", tmp_path / "runs", start=tmp_path)
    assert tuple(torch.load(last, weights_only=False)["model"].names.values()) == ("debris_pile",)
