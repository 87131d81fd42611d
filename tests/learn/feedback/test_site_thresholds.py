"""A site file is given thresholds and stays as people wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from vision.errors import ConfigError
from vision.learn.feedback.calibration import Proposal
from vision.learn.feedback.site_thresholds import set_site
from vision.site import load_site

SITE = """\
timezone: Asia/Shanghai   # the city's
cameras:
  - id: gate
    name: "延陵西路 东口"
    zones:
      - id: bay
        purpose: parking_bay
        points: [[0.10, 0.55], [0.42, 0.52], [0.45, 0.80]]
  - id: yard
    rules:
      debris_pile: {min_confidence: 0.4}   # muddy lens
rules:
  debris_pile:
    dwell_s: 600   # agreed in May
"""
HEAPS = Proposal("debris_pile", 0.7125, ("gate",))
STALLS = Proposal("street_stall", 0.8, ("gate",))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE, "utf-8")
    return path


def test_only_the_thresholds_change(site: Path) -> None:
    told = set_site(site, [HEAPS, STALLS])
    before, after = SITE.splitlines(), site.read_text("utf-8").splitlines()
    assert [line for line in after if line not in before] == [
        "    min_confidence: 0.7125",
        "  street_stall:",
        "    min_confidence: 0.8",
    ]
    assert [line for line in before if line not in after] == []
    assert told == [
        f"{site}: debris_pile.min_confidence: 0.7125 for the whole site",
        f"{site}: debris_pile.min_confidence: as it was for yard",
        f"{site}: street_stall.min_confidence: 0.8 for the whole site",
    ]


def test_one_camera_is_set_alone(site: Path) -> None:
    set_site(site, [HEAPS], ["gate"])
    gate, yard = load_site(site).cameras
    assert gate.rules.model_dump(exclude_unset=True) == {"debris_pile": {"min_confidence": 0.7125}}
    assert yard.rules.model_dump(exclude_unset=True) == {"debris_pile": {"min_confidence": 0.4}}


def test_a_camera_that_is_not_there_is_named_and_nothing_is_written(site: Path) -> None:
    with pytest.raises(ConfigError, match="there is no camera north"):
        set_site(site, [HEAPS], ["gate", "north"])
    assert site.read_text("utf-8") == SITE
