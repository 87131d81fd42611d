from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from vision.configfile import load_config
from vision.errors import ConfigError


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: int = 1


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str
    parts: list[Part] = []


def write(folder: Path, text: str) -> Path:
    path = folder / "whole.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_becomes_the_model(tmp_path: Path) -> None:
    path = write(tmp_path, "title: 街\nparts:\n  - {name: a, size: 2}\n")
    assert load_config(path, Whole) == Whole(title="街", parts=[Part(name="a", size=2)])


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("title: a\ncolour: red\n", 2, "colour: unknown key"),
        ("title: a\nparts:\n  - name: x\n    sise: 3\n", 4, "parts[0].sise: unknown key"),
        ("title: a\nparts:\n  - name: x\n  - size: 3\n", 4, "parts[1].name: Field required"),
        ("title: a\nparts:\n- name: x\n  size: wide\n", 4, "parts[0].size: Input should be"),
        ("title: a\ntitle: b\n", 2, "title: named twice"),
        ("parts: []\n", 1, "title: Field required"),
    ],
)
def test_a_fault_is_named_with_file_line_and_key(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, Whole)
    assert f"{path}:{line}: {said}" in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "colour: red\nparts:\n  - size: 3\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, Whole)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("text", ["title: [", "a: b: c", "\t- x"])
def test_what_is_no_yaml_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match="no valid YAML"):
        load_config(path, Whole)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot be read"):
        load_config(tmp_path / "nothing.yaml", Whole)
