"""How review goes: how far reviewers agree, and how much each of them decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from nicegui import ui

from service.cases.agreement import Agreement, agreement
from service.review.elements import tag
from service.review.pace import Pace, by_hour, paces
from service.review.page import Page
from service.review.visit import Visit
from service.review.wording import Wording
from service.store.tables import Role

AGREEMENT_DAYS = 30
PACE_HOURS = 24
FEWEST = 10
"""Of fewer decisions, no rate is told."""


@dataclass(frozen=True)
class _Quality:
    agreement: Agreement
    paces: Sequence[Pace]
    hours: Sequence[tuple[str, int]]
    double_share: float


async def build(visit: Visit) -> None:
    """Put agreement and pace on the page."""
    say = visit.say
    found = await visit.ask(Role.SUPERVISOR, lambda: _load(visit))
    _agreement(say, found)
    tag("h2", say("quality.pace", hours=PACE_HOURS), classes="jx-section")
    if not found.paces:
        tag("p", say("quality.nobody"), classes="jx-empty")
        return
    with tag("div", classes="jx-chart"):
        chart = ui.echart(_chart(found.hours, visit)).classes("jx-chart-canvas")
        chart.props["role"] = "img"
        chart.props["aria-label"] = say("quality.by_hour")
    with tag("table", classes="jx-table jx-below"):
        with tag("thead"), tag("tr"):
            for key in ("reviewer", "decided", "per_hour", "confirmed", "not_sure", "on_screen"):
                tag("th", say(f"quality.{key}"), scope="col")
        with tag("tbody"):
            for pace in found.paces:
                with tag("tr"):
                    tag("td", pace.reviewer.removeprefix("user:"))
                    tag("td", str(pace.decisions))
                    is_telling = pace.decisions >= FEWEST
                    tag("td", f"{pace.per_hour:.0f}" if is_telling else "–")
                    tag("td", _share(pace.confirmed, pace.decisions))
                    tag("td", _share(pace.not_sure, pace.decisions))
                    seconds = pace.median_on_screen_s
                    tag("td", "–" if seconds is None else f"{seconds:.1f} s")


def _agreement(say: Wording, found: _Quality) -> None:
    """Cohen's kappa with what it is counted from."""
    told = found.agreement
    tag("h2", say("quality.agreement", days=AGREEMENT_DAYS), classes="jx-section")
    with tag("div", classes="jx-cards"):
        for value, name in (
            ("–" if told.kappa is None else f"{told.kappa:.2f}", "kappa"),
            (_share(told.agreed, told.cases), "agreed"),
            (str(told.cases), "doubly"),
            (f"{found.double_share:.0%}", "share"),
        ):
            with tag("div", classes="jx-stat"):
                tag("strong", value)
                tag("span", say(f"quality.{name}"))
    tag("p", say("quality.kappa_hint"), classes="jx-hint")


def _load(visit: Visit) -> _Quality:
    service = visit.service
    now = service.clock()
    since = now - timedelta(hours=PACE_HOURS)
    with service.database.read() as session:
        return _Quality(
            agreement(session, now - timedelta(days=AGREEMENT_DAYS), now),
            paces(session, since, now),
            by_hour(session, since, now, service.settings.timezone),
            service.review_rules.double_share,
        )


def _chart(hours: Sequence[tuple[str, int]], visit: Visit) -> dict[str, object]:
    is_dark = visit.preferences.theme == "dark"
    ink = "#a3b3c1" if is_dark else "#51606e"
    line = "#31404d" if is_dark else "#d5dce2"
    return {
        "grid": {"left": 44, "right": 12, "top": 14, "bottom": 26},
        "tooltip": {"trigger": "axis"},
        "xAxis": {
            "type": "category",
            "data": [hour for hour, _ in hours],
            "axisLabel": {"color": ink},
            "axisLine": {"lineStyle": {"color": line}},
        },
        "yAxis": {
            "type": "value",
            "minInterval": 1,
            "axisLabel": {"color": ink},
            "splitLine": {"lineStyle": {"color": line}},
        },
        "series": [
            {
                "type": "bar",
                "name": visit.say("quality.decided"),
                "data": [count for _, count in hours],
                "itemStyle": {"color": "#0b6e99", "borderRadius": [3, 3, 0, 0]},
            }
        ],
    }


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%} ({part}/{whole})" if whole else "–"


PAGE = Page("/quality", "quality", "balance", Role.SUPERVISOR, build)
