"""Scene presets: shipped ones are valid, faults name file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from vision.errors import ConfigError
from vision.learn.scenes import load_preset, preset_names


def test_the_shipped_presets_are_there_and_valid() -> None:
    assert {"street_demo", "site_demo", "street_quiet", "night_rain"} <= set(preset_names())
    for name in preset_names():
        preset = load_preset(name)
        assert preset.name == name
        assert preset.title


def test_a_number_stands_for_a_span_without_width() -> None:
    heap = next(cue for cue in load_preset("street_demo").script if cue.what == "heap")
    assert heap.size[0] == heap.size[1]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("name: a\nweather: sunny\n", "weather"),
        ("name: a\ncamera: {hieght_m: 4}\n", "camera.hieght_m"),
        ("name: a\nscript: [{what: stall, colour: red}]\n", "colour"),
        ("name: a\nscript: [{what: balloon}]\n", "script[0]"),
        ("name: a\nfps: 0\n", "fps"),
        ("name: [a\n", "no valid YAML"),
    ],
)
def test_a_fault_names_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.yaml") as caught:
        load_preset(path)
    assert named in str(caught.value)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"nowhere.*street_demo"):
        load_preset("nowhere")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        load_preset(tmp_path / "gone.yaml")
