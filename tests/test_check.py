from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import cv2
import numpy as np
from typer.testing import CliRunner

from vision.check import check_site, draw_zones
from vision.cli import app
from vision.detect.registry import ModelEntry, Registry
from vision.site import Site
from vision.zones import Purpose, Zone


class AnyModel(Registry):
    """A registry that knows every model, since no detector is opened."""

    def model(self, name: str | None = None) -> ModelEntry:
        return ModelEntry.model_construct(name=name or "m")


def test_zones_are_drawn_over_a_frame_of_each_camera(blob_clip: Path, tmp_path: Path) -> None:
    site = Site.model_validate(
        {
            "timezone": "UTC",
            "cameras": [
                {
                    "id": "square",
                    "zones": [
                        {
                            "id": "walk",
                            "purpose": "footway",
                            "points": [(0.1, 0.5), (0.9, 0.5), (0.9, 0.9), (0.1, 0.9)],
                        }
                    ],
                },
                {"id": "nowhere"},
            ],
        }
    )
    registry = AnyModel(folder=Path(), default="m", models={})
    drawn, missing = check_site(site, blob_clip.parent, tmp_path / "check", registry)
    assert drawn.fault is None
    assert drawn.picture is not None
    assert cv2.imread(str(drawn.picture)).shape == (180, 320, 3)
    assert missing.picture is None
    assert missing.fault is not None
    assert "nowhere" in missing.fault


def test_drawing_leaves_the_picture_alone_and_marks_the_zone() -> None:
    image = np.full((100, 200, 3), 90, np.uint8)
    zone = Zone(id="a", purpose=Purpose.SITE, points=((0.5, 0.2), (0.9, 0.2), (0.9, 0.8)))
    drawn = draw_zones(image, [zone])
    assert (image == 90).all()
    assert (drawn[:, :80] == 90).all()
    assert (drawn[40, 150] != 90).any()


def test_gates_are_drawn_over_their_line() -> None:
    image = np.full((100, 200, 3), 90, np.uint8)
    line = Zone.model_validate(
        {
            "id": "l",
            "purpose": "hoarding_line",
            "points": [(0.0, 0.8), (1.0, 0.8)],
            "gates": [{"from": 0.5, "to": 0.7}],
        }
    )
    drawn = draw_zones(image, [line])
    assert (drawn[80, 120] == 255).all()
    assert not (drawn[80, 20] == 255).all()


def test_permits_that_have_run_out_and_years_without_holidays_are_said(tmp_path: Path) -> None:
    square = [(0.1, 0.5), (0.9, 0.5), (0.9, 0.9)]
    workdays = {"windows": [{"days": "workday", "from": "08:00", "to": "12:00"}]}
    site = Site.model_validate(
        {
            "timezone": "Asia/Shanghai",
            "calendar": "cn",
            "cameras": [
                {
                    "id": "a",
                    "zones": [
                        {
                            "id": "stalls",
                            "purpose": "permitted_vending",
                            "points": square,
                            "permits": [{"id": "P-1", "until": "2026-05-31"}],
                        },
                        {
                            "id": "gate",
                            "purpose": "no_stopping",
                            "points": square,
                            "schedule": workdays,
                        },
                    ],
                }
            ],
        }
    )
    registry = AnyModel(folder=Path(), default="m", models={})

    def notes(today: date) -> list[str]:
        (row,) = check_site(site, tmp_path, tmp_path / "check", registry, today)
        return list(row.notes)

    assert notes(date(2026, 5, 31)) == []
    assert notes(date(2026, 6, 1)) == ["stalls: permit P-1 is over since 2026-05-31"]
    assert "calendar does not know 2031" in notes(date(2031, 6, 2))[1]


def test_the_published_schema_is_that_of_the_code() -> None:
    published = Path(__file__).parents[1] / "docs" / "site.schema.json"
    printed = CliRunner().invoke(app, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(published.read_text()) == json.loads(printed.output)
