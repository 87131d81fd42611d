from __future__ import annotations

import json
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


def test_the_published_schema_is_that_of_the_code() -> None:
    published = Path(__file__).parents[1] / "docs" / "site.schema.json"
    printed = CliRunner().invoke(app, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(published.read_text()) == json.loads(printed.output)
