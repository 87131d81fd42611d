"""The report as one HTML page that asks nothing of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from service.reports.definitions import COUNTS, RATES
from service.reports.figures import DIMENSIONS, Dimension
from service.reports.gallery import PrintedPair
from service.reports.hot_map import HEIGHT, WIDTH, hot_map
from service.reports.report import Report
from service.reports.wording import Language, Wording

_TEMPLATES = Path(__file__).parent / "templates"

COLUMNS = (
    "found",
    "confirmed",
    "precision",
    "delivered",
    "in_time_rate",
    "closing_rate",
    "closing_in_time_rate",
    "rework_rate",
    "rectification_rate",
)
"""Counts and rates that stand in the tables of groups."""


def write_html(report: Report, language: Language, pairs: Sequence[PrintedPair] = ()) -> str:
    """The page.

    Args:
        report: What it tells.
        language: Its language.
        pairs: Places before and after that it shows.
    """
    words = Wording(language)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    names = dict(report.camera_names)

    def local(at: datetime) -> str:
        return at.astimezone(report.window.timezone).strftime("%Y-%m-%d %H:%M")

    def group(dimension: Dimension, name: str) -> str:
        return words.group(dimension, name, names)

    return environment.get_template("figures.html.j2").render(
        report=report,
        words=words,
        counts=COUNTS,
        rates=RATES,
        columns=COLUMNS,
        dimensions=[one for one in DIMENSIONS if _says_something(report, one)],
        local=local,
        group=group,
        place=place_text,
        pairs=pairs,
        map=hot_map(report.hot_spots),
        map_size=(WIDTH, HEIGHT),
        largest_band=max([1, *report.overall.rectified.bands]),
    )


def place_text(place: Mapping[str, Any]) -> str:
    """A place in one line."""
    parts = [place.get(one) for one in ("district", "street", "address", "unit")]
    return " · ".join(str(part) for part in parts if part)


def _says_something(report: Report, dimension: Dimension) -> bool:
    """Whether any camera says which group of a dimension it belongs to."""
    return any(report.groups[dimension])
