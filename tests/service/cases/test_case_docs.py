"""Tables and examples of the pages about cases, catalogues and figures are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from service.cases.catalogue import catalogue_names, load_catalogue
from service.cases.lifecycle import TRANSITIONS
from service.cases.reasons import REASONS
from service.reports.definitions import COUNTS, RATES
from service.settings import ServiceSettings
from service.store.tables import CaseState
from vision.site import load_site

DOCS = Path(__file__).parents[3] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]


def blocks(text: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def test_every_step_is_in_the_table() -> None:
    told = rows(page("cases.md"))
    for action, one in TRANSITIONS.items():
        sources = ", ".join(state for state in CaseState if state in one.sources)
        assert [f"`{action}`", sources, one.target] in told
    for reason in REASONS.values():
        blames = "yes" if reason.blames_model else "no"
        assert [f"`{reason.id}`", f"{reason.en} {reason.zh}", blames] in told


def test_every_count_and_rate_is_in_the_table() -> None:
    told = rows(page("figures.md"))
    for one in COUNTS.values():
        assert [f"`{one.id}`", one.zh, one.means_en] in told
    for rate in RATES.values():
        parts = f"`{rate.numerator}` / `{rate.denominator}`"
        assert [f"`{rate.id}`", rate.zh, parts] in told


def test_settings_on_the_page_can_be_used() -> None:
    (review,) = blocks(page("cases.md"))
    ServiceSettings(**yaml.safe_load(review))
    settings, _ = blocks(page("catalogues.md"))
    assert ServiceSettings(**yaml.safe_load(settings)).catalogue in catalogue_names()


def test_the_catalogue_and_the_site_file_on_the_page_can_be_used(tmp_path: Path) -> None:
    own = tmp_path / "mycity.yaml"
    own.write_text(blocks(page("catalogues.md"))[1], encoding="utf-8")
    catalogue = load_catalogue(str(own))
    assert [one.code for one in catalogue.kinds["street_stall"]] == ["0402", "0401"]
    for name in catalogue_names():
        assert f"`{name}`" in page("catalogues.md")

    places = page("site-file.md").partition("## Places")[2]
    site = tmp_path / "site.yaml"
    site.write_text(blocks(places)[0], encoding="utf-8")
    place = load_site(site).cameras[0].place_of("school-gate")
    assert (place.assess_level, place.district) == (1, "天宁区")
