from __future__ import annotations

import re
from datetime import date
from pathlib import Path, PurePosixPath

import pytest

from vision.errors import ConfigError
from vision.judging import effective_rules
from vision.site import Camera, Site, given_rules, load_site, merged_rules
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
        (
            "purpose: parking_bay,",
            "purpose: parking_bay, schedule: {windows: [{from: 8:00, to: 25:00}]},",
            ":11: cameras[0].zones[0].schedule.windows[0].to: 25:00 is no time of a day",
        ),
        (
            "purpose: parking_bay,",
            "purpose: parking_bay, schedule: {windows: [{days: workdays, from: 8:00, to: 9:00}]},",
            ":11: cameras[0].zones[0].schedule.windows[0].days[0]",
        ),
        (
            "purpose: parking_bay,",
            "purpose: parking_bay, permits: [{id: P-1}],",
            "permits: only for permitted_vending",
        ),
        (
            "purpose: hoarding_line,",
            "purpose: hoarding_line, gates: [{from: 0.5, to: 0.4}],",
            ":12: cameras[0].zones[1].gates[0]: to must be greater than from",
        ),
        (
            "    rules:\n",
            "    stages:\n"
            "      - {stage: structure, from: 2026-05-01}\n"
            "      - {stage: demolition, from: 2026-04-01}\n"
            "    rules:\n",
            "stages must begin one after the other",
        ),
        ("code_system", "calendar: mars\ncode_system", ":2: calendar: no calendar 'mars'"),
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


DOCS = Path(__file__).parents[1] / "docs" / "site-file.md"
EXAMPLES = [
    text
    for text in re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    if text.startswith("timezone")
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_documentation_are_read(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)


def test_the_documentation_has_an_example_of_everything() -> None:
    assert len(EXAMPLES) == 7
    everything = "".join(EXAMPLES)
    for key in ("schedule:", "special_days:", "permits:", "stages:", "gates:", "length_m:"):
        assert key in everything


def test_a_calendar_is_shipped_or_lies_beside_the_site_file(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD).calendar.years == {}
    shipped = load(tmp_path, "calendar: cn\n" + GOOD)
    assert shipped.clock.calendar.is_working_day(date(2026, 2, 14))
    (tmp_path / "ours.yaml").write_text("weekend: [fri]\n")
    ours = load(tmp_path, "calendar: ours.yaml\n" + GOOD)
    assert not ours.clock.calendar.is_working_day(date(2026, 2, 13))


def test_settings_with_times_of_day_come_through(tmp_path: Path) -> None:
    text = GOOD + '  construction_dust: {night: {from: "20:00", to: "05:00"}}\n'
    site = load(tmp_path, text)
    night = {"from": "20:00", "to": "05:00"}
    assert given_rules(site.rules)["construction_dust"] == {"night": night}
    assert effective_rules(given_rules(site.rules))["construction_dust"]["night"] == night


def test_stages_of_a_camera_are_those_of_its_lines_without_their_own() -> None:
    line = {"id": "l", "purpose": "hoarding_line", "points": [(0, 0), (1, 1)]}
    other = line | {"id": "o", "stages": [{"stage": "post_nine", "from": "2026-04-01"}]}
    camera = Camera.model_validate(
        {
            "id": "a",
            "stages": [{"stage": "structure", "from": "2026-05-01"}],
            "zones": [line, other],
        }
    )
    assert [zone.stages[0].stage for zone in camera.judged_zones] == ["structure", "post_nine"]
