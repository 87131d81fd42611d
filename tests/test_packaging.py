from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_carries_models_scenes_and_templates(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, ROOT],
        check=True,
    )
    (wheel,) = tmp_path.glob("jiexu-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "vision/shipped/models/registry.yaml" in names
    models = [name for name in names if name.startswith("vision/shipped/models/")]
    assert any(name.endswith(".xml") for name in models)
    assert "vision/shipped/datasets/scenes/street_demo.yaml" in names
    assert any(name.startswith("vision/report/templates/") for name in names)
    assert "vision/py.typed" in names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_importing_what_runs_needs_no_training_library() -> None:
    code = (
        "import sys, service.cli; "
        "heavy = {'torch', 'torchvision', 'ultralytics', 'nncf'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_vision_knows_nothing_of_the_service() -> None:
    for path in (ROOT / "vision").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "from service" not in text, path
        assert "import service" not in text, path
        if "learn" not in path.relative_to(ROOT).parts and path.name != "cli.py":
            assert "vision.learn" not in text, path
