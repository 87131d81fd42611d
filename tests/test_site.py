from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from vision.errors import ConfigError
from vision.site import Camera, Site, load_site, merged_rules
from vision.zones import WHOLE_FRAME, Purpose

GOOD = """\
timezone: Asia/Shanghai
code_system: gb30428.2-2013
cameras:
  - id: yanling-1
    name: 延陵西路
    source: yanling/*.mp4
    lon: 119.95
    lat: 31.78
    coord_sys: wgs84
    zones:
      - {id: bay, purpose: parking_bay, points: [[0.1, 0.5], [0.4, 0.5], [0.4, 0.9], [0.1, 0.9]]}
      - {id: fence, purpose: hoarding_line, points: [[0.5, 0.3], [0.9, 0.35]]}
    rules:
      debris_pile: {dwell_s: 600}
  - id: gate
rules:
  debris_pile: {dwell_s: 1200}
"""


def load(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)


def test_a_site_file_is_read(tmp_path: Path) -> None:
    site = load(tmp_path, GOOD)
    assert [camera.id for camera in site.cameras] == ["yanling-1", "gate"]
    assert site.cameras[0].zones[1].purpose is Purpose.HOARDING_LINE


def test_recordings_find_their_camera_by_pattern_or_by_name(tmp_path: Path) -> None:
    site = load(tmp_path, GOOD)
    found = {
        name: camera.id if (camera := site.camera_of(PurePosixPath(name))) else None
        for name in (
            "/rec/yanling/a.mp4",
            "/rec/other/a.mp4",
            "/rec/gate.mkv",
            "/rec/gate_20260501_080000.mp4",
            "/rec/gateway.mp4",
        )
    }
    assert found == {
        "/rec/yanling/a.mp4": "yanling-1",
        "/rec/other/a.mp4": None,
        "/rec/gate.mkv": "gate",
        "/rec/gate_20260501_080000.mp4": "gate",
        "/rec/gateway.mp4": None,
    }


def test_a_camera_without_drawn_places_is_judged_as_a_whole() -> None:
    mask = {"id": "m", "purpose": "ignore", "points": [(0, 0), (0.1, 0), (0, 0.1)]}
    bare = Camera.model_validate({"id": "a", "zones": [mask]})
    assert bare.judged_zones[-1] == WHOLE_FRAME
    drawn = Camera.model_validate({"id": "a", "zones": [mask | {"purpose": "footway"}]})
    assert WHOLE_FRAME not in drawn.judged_zones


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Asia/Shanghai", "Asia/Atlantis", ":1: timezone: unknown time zone 'Asia/Atlantis'"),
        ("parking_bay", "parking_lot", ":11: cameras[0].zones[0].purpose"),
        ("[0.4, 0.9], [0.1, 0.9]", "[0.1, 0.9], [0.4, 0.9]", "polygon crosses itself"),
        ("[0.1, 0.5], [0.4", "[1.1, 0.5], [0.4", ":11: cameras[0].zones[0].points[0][0]"),
        ("    coord_sys: wgs84\n", "", "coord_sys is needed"),
        ("    lat: 31.78\n", "", "lon and lat belong together"),
        ("id: fence", "id: bay", "two zones are called 'bay'"),
        ("- id: gate", "- id: yanling-1", "two cameras are called 'yanling-1'"),
        ("dwell_s: 600", "dwel_s: 600", ":14: cameras[0].rules.debris_pile.dwel_s: unknown key"),
        ("dwell_s: 600", "dwell_s: soon", ":14: cameras[0].rules.debris_pile.dwell_s: Input"),
        ("  debris_pile: {dwell_s: 1200}", "  litter: {}", ":17: rules.litter: unknown key"),
        ("code_system", "code_sistem", ":2: code_sistem: unknown key"),
    ],
)
def test_faults_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(old, new, 1))
    assert said in str(caught.value)
    assert "site.yaml" in str(caught.value)


def test_rule_settings_are_laid_over_each_other() -> None:
    assert merged_rules(
        {"debris_pile": {"dwell_s": 1, "growth": 2}}, {"debris_pile": {"dwell_s": 3}}, {"x": {}}
    ) == {"debris_pile": {"dwell_s": 3, "growth": 2}, "x": {}}
