from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner
from untrained import build_weights

from tests.learn.built_data import write_built
from vision.cli import app
from vision.errors import ConfigError, ModelError

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return build_weights("yolov8n", tmp_path_factory.mktemp("net") / "net.pt")


def test_naming_the_commands_loads_nothing_heavy():
    code = (
        "import sys, vision.cli; "
        "heavy = {'torch', 'ultralytics', 'nncf', 'matplotlib', 'faster_coco_eval'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_evaluate_writes_its_record_and_pictures(weights, tmp_path):
    data = write_built(tmp_path / "tiny", pictures=4)
    out = tmp_path / "out"
    options = ["--input-size", "160", "--speed-pictures", "0", "--teacher-class", "disc"]
    where = ["--data", str(data), "--out", str(out)]
    done = CliRunner().invoke(app, ["evaluate", str(weights), *where, *options])
    assert done.exit_code == 0, done.output
    record = json.loads((out / "evaluation.json").read_text())
    assert record["classes"]["disc"]["labels"] == "teacher"
    assert record["classes"]["box"]["labels"] == "people"
    assert {p.name for p in out.iterdir()} == {
        "evaluation.json",
        "pr.png",
        "confusion.png",
        "failures",
    }
    assert "disc t" in done.output


def test_wrong_words_are_named(weights, tmp_path):
    run = CliRunner().invoke
    missing = run(app, ["evaluate", str(tmp_path / "none.pt"), "--data", str(tmp_path)])
    assert isinstance(missing.exception, ModelError)
    assert "none.pt" in str(missing.exception)
    twice = run(app, ["compare", str(weights), str(weights), "--data", str(tmp_path)])
    assert isinstance(twice.exception, ConfigError)
    assert "given twice" in str(twice.exception)
    limit = ["export", str(weights), "--name", "m", "--data", str(tmp_path)]
    wrong = run(app, [*limit, "--models", str(tmp_path), "--threshold", "box=high"])
    assert isinstance(wrong.exception, ConfigError)
    assert "CLASS=VALUE" in str(wrong.exception)


def test_the_second_stage_is_trained_from_something(tmp_path):
    recipe = REPOSITORY / "models/recipes/derelict.yaml"
    done = CliRunner().invoke(app, ["train-derelict", str(recipe), "--data", str(tmp_path)])
    assert isinstance(done.exception, ConfigError)
    assert "--start and --out, or --trained" in str(done.exception)
