"""Learning from decisions and labelled folders: what is taught, what is kept, what is measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import pytest
import torch
import yaml
from untrained import build_weights, draw_picture

from tests.frames.encoded_clips import encode
from tests.learn.feedback.test_decided_data import STALL, case_picture, jpeg
from tests.learn.feedback.test_reviewed_pictures import decided, found, reviewed_run
from vision.configfile import load_config
from vision.detect.registry import ModelEntry, ModelFile
from vision.errors import ConfigError, InputError, ModelError
from vision.learn.data.dataset import build_dataset
from vision.learn.data.pictures import read_pictures
from vision.learn.data.recipe import ByTeacher
from vision.learn.data.teacher import Teacher, registered_weights
from vision.learn.feedback.decided import write_decided
from vision.learn.feedback.fine_tuning import DATA, gather, train_from_reviewed
from vision.learn.train.training import TrainingRecipe

REPOSITORY = Path(__file__).parents[3]
CLASSES = ("person", "street_stall", "debris_pile")


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    """A registered model whose random network fires on anything."""
    folder = tmp_path_factory.mktemp("registry")
    file = build_weights("yolov8n", folder / "street.pt")
    checkpoint = torch.load(file, weights_only=False)
    checkpoint["model"].names = dict(enumerate(CLASSES))
    torch.save(checkpoint, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return ModelEntry(
        name="street",
        folder=folder,
        classes=CLASSES,
        input_size=160,
        output="raw",
        files={"pytorch": (ModelFile(path=file.name, sha256=digest),)},
        thresholds=dict.fromkeys(CLASSES, 0.4),
        licence="AGPL-3.0-or-later",
    )


def labelled_folder(root: Path, names: list[str], stems: list[str], label: str) -> Path:
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    for stem in stems:
        seed = int(hashlib.sha256(f"{root.name}{stem}".encode()).hexdigest()[:6], 16)
        cv2.imwrite(str(root / f"images/{stem}.jpg"), draw_picture(160, 120, seed))
        (root / f"labels/{stem}.txt").write_text(label)
    return root


def reviewed(root: Path) -> Path:
    """A run of one recording with a confirmed and a rejected stall."""
    root.mkdir(parents=True)
    clip = encode(root / "gate.mp4")
    run = root / "run"
    things = [
        found(run, 0, clip=clip, scene_s=4.0),
        found(run, 1, clip=clip, scene_s=8.0, start_s=7.0, box=[60, 10, 90, 50]),
    ]
    decisions = [decided("id-0", "confirmed"), decided("id-1", "rejected")]
    return reviewed_run(run, clip, things, decisions)


def quiet(step: str, done: int, of: int) -> None:
    """Say nothing."""


def test_the_data_recipe_says_who_knows_what(tmp_path: Path, entry: ModelEntry) -> None:
    city = labelled_folder(tmp_path / "city", ["stall", "cat"], ["a_20261101_1"], "0 .5 .5 .4 .4\n")
    earlier = labelled_folder(
        tmp_path / "earlier", ["debris_pile", "car"], [f"p{i}" for i in range(9)], ""
    )
    pictures, recipe = gather(
        entry,
        [reviewed(tmp_path / "r"), city],
        tmp_path / "out",
        rehearse=[earlier],
        rename={"stall": "street_stall", "cat": "-"},
        progress=quiet,
    )
    assert pictures.counts == {"street_stall": {"confirmed": 1, "rejected": 1}}
    by_path = {source.path: source for source in recipe.sources}
    confirmed = by_path["reviewed/street_stall"]
    assert confirmed.labels == {
        "street_stall": ByTeacher(teacher="self-street_stall", default="street_stall")
    }
    rejected = by_path["reviewed/street_stall+no-street_stall"]
    assert rejected.labels == {"street_stall": "street_stall"}, "known to the last box"
    labelled = by_path["labelled/0-city"]
    assert (labelled.labels, labelled.drop) == ({"stall": "street_stall"}, ("cat",))
    rehearsed = by_path["rehearsed/0-earlier"]
    assert (rehearsed.labels, rehearsed.drop) == ({"debris_pile": "debris_pile"}, ("car",))
    # As many as there are new pictures: two decisions and one labelled picture.
    assert len(read_pictures(tmp_path / "out/gathered/rehearsed/0-earlier")) == 3
    assert recipe.classes == CLASSES


def test_what_nobody_labelled_is_taught_by_the_model_itself(
    tmp_path: Path, entry: ModelEntry
) -> None:
    run = reviewed(tmp_path / "r")
    _, recipe = gather(entry, [run], tmp_path / "out", rename={}, progress=quiet)
    weights = registered_weights(entry)
    build_dataset(
        recipe,
        [tmp_path / "out/gathered"],
        tmp_path / "data",
        teachers=dict.fromkeys(recipe.teachers, weights),
    )
    teacher = Teacher(weights, image_size=entry.input_size)
    for picture in read_pictures(tmp_path / "data"):
        label = tmp_path / "data/labels" / Path(picture.file).relative_to("images")
        rows = label.with_suffix(".txt").read_text().splitlines()
        taught = [CLASSES[int(row.split()[0])] for row in rows]
        file = tmp_path / "out/gathered" / picture.source / "images"
        (image,) = [f for f in file.iterdir() if f.stem in picture.file]
        seen = list(teacher.detect(cv2.imread(str(image)), floor=0.1).rows())
        sure = {name for _, confidence, name in seen if confidence >= 0.4}
        assert set(taught) <= sure | {"street_stall"}
        unsure = {name for _, confidence, name in seen if confidence < 0.4}
        assert set(picture.unknown) <= unsure
        if "no-street_stall" in picture.source:
            assert "street_stall" not in picture.unknown
        assert "street_stall" in taught


def test_a_class_the_model_lacks_is_named_with_a_way_out(tmp_path: Path, entry: ModelEntry) -> None:
    city = labelled_folder(tmp_path / "city", ["kiosk"], ["a"], "")
    with pytest.raises(ConfigError, match=r"kiosk.*rename it to one of person, street_stall"):
        gather(entry, [city], tmp_path / "out", rename={}, progress=quiet)


def test_results_never_go_where_the_pictures_are(tmp_path: Path, entry: ModelEntry) -> None:
    city = labelled_folder(tmp_path / "city", ["street_stall"], ["a"], "")
    with pytest.raises(InputError, match="choose another"):
        gather(entry, [city], city, rename={}, progress=quiet)
    assert (city / "images/a.jpg").is_file()


def test_nothing_to_learn_from_says_why(tmp_path: Path, entry: ModelEntry) -> None:
    (tmp_path / "r").mkdir()
    clip = encode(tmp_path / "r/gate.mp4")
    gap = found(tmp_path / "r/run", 0, clip=clip, kind="hoarding_missing", class_names=["hoarding"])
    run = reviewed_run(tmp_path / "r/run", clip, [gap], [decided("id-0", "confirmed")])
    with pytest.raises(InputError, match=r"nothing to learn from: hoarding_missing.*\(1\)"):
        gather(entry, [run], tmp_path / "out", rename={}, progress=quiet)


def test_a_model_without_weights_to_train_is_named(entry: ModelEntry) -> None:
    bare = entry.model_copy(update={"files": {"onnx": entry.files["pytorch"]}})
    with pytest.raises(ModelError, match=r"street: has no \.pt"):
        registered_weights(bare)


def test_the_checked_in_recipe_learns_from_what_is_built() -> None:
    recipe = load_config(REPOSITORY / "models/recipes/reviewed.yaml", TrainingRecipe)
    assert {stage.data for stage in recipe.stages.values()} == {DATA}
    (stage,) = recipe.stages.values()
    assert stage.settings["freeze"] >= 5


@pytest.mark.slow
def test_from_decisions_to_new_weights_measured_before_and_after(
    tmp_path: Path, entry: ModelEntry
) -> None:
    stems = [f"cam{i % 5}_2026110{i % 5 + 1}_{i:06d}" for i in range(10)]
    city = labelled_folder(tmp_path / "city", ["stall"], stems, "0 .5 .5 .4 .4\n")
    recipe = load_config(REPOSITORY / "models/recipes/reviewed.yaml", TrainingRecipe)
    stage = recipe.stages["tune"]
    short = stage.model_copy(
        update={
            "validate_every": 1,
            "settings": {
                **stage.settings,
                "epochs": 1,
                "imgsz": 160,
                "batch": 4,
                "workers": 0,
                "cache": False,
            },
        }
    )
    feedback = train_from_reviewed(
        entry,
        [reviewed(tmp_path / "r"), city],
        tmp_path / "out",
        recipe.model_copy(update={"stages": {"tune": short}}),
        rename={"stall": "street_stall"},
        threads=1,
    )
    assert feedback.weights.is_file()
    sides: dict[str, set[str]] = {"train": set(), "val": set()}
    for picture in read_pictures(feedback.data_dir):
        sides[picture.split].add(picture.group)
    assert sides["val"]
    assert not sides["train"] & sides["val"], "no camera's day on both sides"
    assert feedback.before is not None
    assert feedback.after is not None
    assert (
        feedback.before.classes["street_stall"].boxes
        == feedback.after.classes["street_stall"].boxes
    )
    assert feedback.before.sha256 != feedback.after.sha256
    told = json.loads((tmp_path / "out/feedback.json").read_text())
    assert told["decisions"] == {"street_stall": {"confirmed": 1, "rejected": 1}}
    assert set(told["after"]["classes"]) >= {"street_stall"}
    changed = torch.load(feedback.weights, weights_only=False)["model"]
    before = torch.load(registered_weights(entry), weights_only=False)["model"]
    assert tuple(changed.names.values()) == CLASSES
    start, end = (network.state_dict() for network in (before.float(), changed.float()))
    torch.testing.assert_close(end["model.0.conv.weight"], start["model.0.conv.weight"])
    assert not torch.equal(end["model.22.cv3.0.2.weight"], start["model.22.cv3.0.2.weight"])
    names = yaml.safe_load((feedback.data_dir / "data.yaml").read_text())["names"]
    assert tuple(names.values()) == CLASSES


def test_exported_cases_are_a_source_beside_reviewed_runs(
    tmp_path: Path, entry: ModelEntry
) -> None:
    cases = [case_picture(0, "yard", boxes=(STALL,), absent=()), case_picture(1, "yard")]
    write_decided(cases, jpeg, tmp_path / "cases")
    pictures, recipe = gather(
        entry,
        [reviewed(tmp_path / "r"), tmp_path / "cases"],
        tmp_path / "out",
        rename={},
        progress=quiet,
    )
    assert pictures.counts == {
        "street_stall": {"confirmed": 2, "rejected": 1},
        "debris_pile": {"rejected": 1},
    }
    assert pictures.origins == {"recording": 2, "masked": 2}
    assert {source.path for source in recipe.sources} == {
        "reviewed/street_stall",
        "reviewed/street_stall+no-street_stall",
        "reviewed/no-debris_pile",
    }
