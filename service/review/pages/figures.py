"""The figures: daily check, monthly bulletin and quarterly review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args
from zoneinfo import ZoneInfo

from nicegui import context, ui

from service.api.middleware import PREFIX
from service.dispatch.coordinates import Place, PlaceError, converted
from service.reports.definitions import COUNTS, RATES
from service.reports.figures import Dimension, Figures
from service.reports.hot_spots import HotSpot
from service.reports.html import COLUMNS, place_text
from service.reports.report import Report, make_report
from service.reports.window import Span, Window, window_of
from service.reports.wording import Wording as Words
from service.review.asking import button
from service.review.components.city_map import CityMap
from service.review.elements import icon, tag
from service.review.gallery import Pair, pairs_of
from service.review.local import local_time
from service.review.page import BASE, Page
from service.review.periods import Course, course_of, label_of, neighbour
from service.review.sheet import badge, row, sheet
from service.review.visit import Visit
from service.review.wording import Language
from service.store.tables import Role
from vision.errors import InputError
from vision.rules.kinds import KINDS
from vision.site import CoordSys

SPANS: tuple[Span, ...] = get_args(Span)
_GREY = "#8795a3"
_NAME_PX = 104
"""Width of names beside lying bars; longer ones break between words."""
_BLUE, _GREEN, _RED = "#2f9cc9", "#3aa655", "#d9605b"
_MOST_ROWS = 100


async def build(visit: Visit) -> None:
    """Put the figures of the period in the address on the page."""
    timezone = ZoneInfo(visit.service.settings.timezone)
    today = visit.service.clock().astimezone(timezone).date()
    wanted = context.client.request.query_params.get("period") or label_of("month", today)
    try:
        window = window_of(wanted, timezone)
    except InputError:
        window = window_of(label_of("month", today), timezone)
    report, course = await visit.ask(Role.SUPERVISOR, _counted, visit, window)
    _Figures(visit, report, course, today.isoformat()).build()


def _counted(visit: Visit, window: Window) -> tuple[Report, Course]:
    with visit.service.database.read() as session:
        report = make_report(session, window, visit.service.clock())
        return report, course_of(session, window)


class _Figures:
    def __init__(self, visit: Visit, report: Report, course: Course, today: str) -> None:
        self.visit = visit
        self.report = report
        self.course = course
        self.today = today
        self.words = Words("zh" if visit.say.language is Language.ZH else "en")

    def build(self) -> None:
        """Put everything on the page."""
        say = self.visit.say
        self._head()
        self._rates()
        with tag("div", classes="jx-charts"):
            self._chart(say("figures.course"), self._course())
            self._chart(say("figures.kinds"), self._kinds())
            self._chart(self.words.word("rectified"), self._hours(), self._hours_note())
        self._counts()
        self._groups()
        self._hot_spots()
        self._overdue()
        self._gallery()

    def _head(self) -> None:
        say, window = self.visit.say, self.report.window
        with tag("div", classes="jx-strip"):
            with tag("div", classes="jx-toggle", role="group", aria_label=say("figures.span")):
                day = min(window.start.astimezone(window.timezone).date().isoformat(), self.today)
                for span in SPANS:
                    label = label_of(span, type(window.start).fromisoformat(day).date())
                    link = tag("a", self.words.title(span), href=_address(label))
                    if span == window.span:
                        link.props["aria-current"] = "true"
            with tag("div", classes="jx-period"):
                with tag(
                    "a",
                    classes="jx-tool",
                    href=_address(neighbour(window, -1)),
                    aria_label=say("figures.earlier"),
                ):
                    icon("chevron_left")
                tag("h2", window.label)
                with tag(
                    "a",
                    classes="jx-tool",
                    href=_address(neighbour(window, 1)),
                    aria_label=say("figures.later"),
                ):
                    icon("chevron_right")
            tag(
                "p",
                f"{self.words.word('as_of')} {local_time(self.visit.service, self.report.as_of)}",
                classes="jx-hint",
            )
            query = f"period={window.label}&language={self.words.language}"
            for kind, name in (("html", "figures.html"), ("xlsx", "figures.xlsx")):
                tag(
                    "a",
                    say.texts[name],
                    classes="jx-quiet",
                    href=f"{PREFIX}/reports/figures.{kind}?{query}",
                    target="_blank",
                )

    def _rates(self) -> None:
        words = self.words
        with tag("div", classes="jx-rates"):
            for id_, rate in RATES.items():
                above, below = rate.numerator, rate.denominator
                share = self.report.overall.share(id_)
                with tag("article", classes="jx-rate"):
                    tag("h3", words.figure(id_))
                    tag("b", share.shown)
                    tag("div", f"{share.numerator} / {share.denominator}", classes="jx-of")
                    tag(
                        "div",
                        f"{words.figure(above)} / {words.figure(below)}",
                        classes="jx-small",
                        title=f"{words.meaning(above)} / {words.meaning(below)}",
                    )

    def _chart(self, title: str, options: dict[str, Any], note: str = "") -> None:
        with tag("section", classes="jx-chart", aria_label=title):
            tag("h3", title)
            ui.echart(
                {
                    "textStyle": {"color": _GREY, "fontFamily": "inherit"},
                    "aria": {"enabled": True},
                    "grid": {"left": 8, "right": 16, "top": 36, "bottom": 8, "containLabel": True},
                    "animation": False,
                    **options,
                },
                renderer="svg",
            ).classes("jx-chart-canvas")
            if note:
                tag("p", note, classes="jx-small")

    def _course(self) -> dict[str, Any]:
        words, course = self.words, self.course
        series = (("found", course.found, _BLUE), ("confirmed", course.confirmed, _GREEN))
        return _bars(
            course.names,
            [
                (words.figure(id_), values, colour)
                for id_, values, colour in (*series, ("rejected", course.rejected, _RED))
            ],
        )

    def _kinds(self) -> dict[str, Any]:
        words = self.words
        kinds = self.report.groups["kind"]
        names = [words.kind(kind) for kind in kinds]
        counts = [("found", _BLUE), ("confirmed", _GREEN), ("rejected", _RED)]
        return _bars(
            names,
            [
                (words.figure(id_), [one.counts[id_] for one in kinds.values()], colour)
                for id_, colour in counts
            ],
            lying=True,
        )

    def _hours(self) -> dict[str, Any]:
        spread = self.report.overall.rectified
        series = [(self.words.word("cases"), spread.bands, _BLUE)]
        return _bars(self.words.bands, series, lying=True)

    def _hours_note(self) -> str:
        words, spread = self.words, self.report.overall.rectified
        median, most = spread.quantile(0.5), spread.quantile(0.9)
        if median is None or most is None:
            return words.hours
        cases = f"{words.word('cases')} {len(spread.hours)}"
        return (
            f"{cases} · {words.word('median')} {median:.1f} · {words.word('p90')} {most:.1f}. "
            f"{words.hours}"
        )

    def _counts(self) -> None:
        words = self.words
        self._title(words.word("counts"))
        heads = (words.word("figure"), words.word("value"), words.word("definition"))
        with sheet(words.word("counts"), heads):
            for id_ in COUNTS:
                with row(words.figure(id_)):
                    tag("td", str(self.report.overall.counts[id_]), classes="jx-figure")
                    tag("td", words.meaning(id_), classes="jx-details")

    def _groups(self) -> None:
        words = self.words
        dimensions = {one: words.dimension(one) for one in self.report.groups}
        said = [one for one in dimensions if any(self.report.groups[one])]
        with tag("div", classes="jx-strip jx-section"):
            tag("h2", self.visit.say("figures.groups"))
            chosen = ui.toggle(
                {one: dimensions[one] for one in said}, value=said[0] if said else None
            )
            chosen.props("no-caps unelevated dense padding='4px 12px'")

        @ui.refreshable
        def shown() -> None:
            if chosen.value is None:
                tag("p", words.word("none"), classes="jx-empty")
            else:
                self._group(cast("Dimension", chosen.value))

        shown()
        chosen.on_value_change(shown.refresh)

    def _group(self, dimension: Dimension) -> None:
        words = self.words
        heads = (words.word("group"), *(words.figure(id_) for id_ in COLUMNS))
        names = dict(self.report.camera_names)
        with sheet(words.dimension(dimension), heads):
            for name, figures in list(self.report.groups[dimension].items())[:_MOST_ROWS]:
                with row(words.group(dimension, name, names)):
                    for id_ in COLUMNS:
                        _cell(figures, id_)

    def _hot_spots(self) -> None:
        words, say = self.words, self.visit.say
        spots = self.report.hot_spots
        self._title(words.word("hot_spots"))
        if not spots:
            tag("p", words.word("none"), classes="jx-empty")
            return
        places = self._places(spots)
        if places:
            settings = self.visit.service.settings
            with tag("div", classes="jx-hot-map"):
                CityMap(say.part("map."), settings.map_tiles, settings.map_attribution).show(places)
        heads = [words.word(one) for one in ("camera", "zone", "kind", "cases", "recurring")]
        more = [words.word(one) for one in ("occurrences", "last_at", "place")]
        with sheet(words.word("hot_spots"), (*heads, *more)):
            for one in spots[:_MOST_ROWS]:
                with row(self._camera(one.camera_id), one.zone_id, words.kind(one.kind)):
                    for number in (one.cases, one.recurring, one.occurrences):
                        tag("td", str(number), classes="jx-figure")
                    tag("td", local_time(self.visit.service, one.last_at))
                    tag("td", place_text(one.place))

    def _places(self, spots: Sequence[HotSpot]) -> list[dict[str, Any]]:
        """Hot spots for the map, those of one camera together."""
        found: dict[str, dict[str, Any]] = {}
        for one in spots:
            place = _place(one, self.visit.service.settings.map_coord_sys)
            if place is None:
                continue
            there = found.setdefault(
                one.camera_id,
                {
                    "id": one.camera_id,
                    "name": self._camera(one.camera_id),
                    "lat": place.lat,
                    "lon": place.lon,
                    "tone": "off",
                    "state": self.words.word("hot_spots"),
                    "count": 0,
                    "kinds": [],
                    "links": [],
                },
            )
            there["count"] += one.cases
            there["cases"] = f"{self.words.word('cases')} {there['count']}"
            colour = KINDS[one.kind].colour if one.kind in KINDS else _GREY
            name = f"{self.words.kind(one.kind)} · {one.zone_id}"
            there["kinds"].append({"name": name, "colour": colour, "count": one.cases})
        return list(found.values())

    def _overdue(self) -> None:
        words = self.words
        self._title(words.word("overdue"))
        if not self.report.overdue:
            tag("p", words.word("none"), classes="jx-empty")
            return
        heads = [words.word(one) for one in ("deadline", "case", "kind", "state", "camera")]
        with sheet(words.word("overdue"), (*heads, words.word("place"))):
            for one in self.report.overdue[:_MOST_ROWS]:
                row(
                    local_time(self.visit.service, one.deadline_at),
                    one.case_id[:8],
                    words.kind(one.kind),
                    words.state(one.state),
                    self._camera(one.camera_id),
                    place_text(one.place),
                )

    def _gallery(self) -> None:
        say = self.visit.say
        self._title(say("gallery.title"))

        async def show() -> None:
            pairs = await self.visit.ask(Role.SUPERVISOR, pairs_of, self.visit, self.report.window)
            shown.clear()
            with shown:
                if not pairs:
                    tag("p", say("gallery.none"), classes="jx-empty")
                for pair in pairs:
                    self._pair(pair)

        with tag("div", classes="jx-gallery") as shown:
            button(say("gallery.show"), show)

    def _pair(self, pair: Pair) -> None:
        say, words = self.visit.say, self.words
        place = pair.place
        is_gone = place.result == "gone"
        with tag("figure", classes="jx-pair"):
            with tag("div", classes="jx-pair-pictures"):
                for link, name in ((pair.before, "gallery.before"), (pair.after, "gallery.after")):
                    text = say.texts[name]
                    with tag("a", href=link, target="_blank"):
                        tag("img", src=link, alt=text, loading="lazy")
                        tag("span", text)
            with tag("figcaption"):
                tag("b", words.kind(place.kind))
                tag("span", self._camera(place.camera_id))
                tag("span", local_time(self.visit.service, place.decided_at))
                badge(
                    say("gallery.gone") if is_gone else say("gallery.still_there"),
                    "good" if is_gone else "bad",
                )

    def _title(self, text: str) -> None:
        tag("h2", text, classes="jx-section")

    def _camera(self, camera_id: str) -> str:
        names: Mapping[str, str] = self.report.camera_names
        return self.words.group("camera", camera_id, dict(names))


def _address(label: str) -> str:
    return f"{BASE}/figures?period={label}"


def _cell(figures: Figures, id_: str) -> None:
    """A count, or a rate with what it is of."""
    with tag("td", classes="jx-figure"):
        if id_ not in RATES:
            tag("span", str(figures.counts[id_]))
            return
        share = figures.share(id_)
        tag("span", share.shown)
        tag("div", f"{share.numerator} / {share.denominator}", classes="jx-small")


def _place(spot: HotSpot, coord_sys: CoordSys) -> Place | None:
    if spot.position is None:
        return None
    lon, lat, system = spot.position
    try:
        return converted(Place(lon, lat, cast("CoordSys", system)), coord_sys)
    except PlaceError:
        return None


def _bars(
    names: Sequence[str],
    series: Sequence[tuple[str, Sequence[int], str]],
    *,
    lying: bool = False,
) -> dict[str, Any]:
    """Bars side by side; lying ones leave room for long names."""
    line = {"lineStyle": {"color": _GREY, "opacity": 0.35}}
    label = {"color": _GREY, "fontSize": 11}
    if lying:
        label |= {"width": _NAME_PX, "overflow": "break", "interval": 0}
    else:
        label |= {"interval": 0 if len(names) < 8 else "auto"}
    parts = {
        "type": "category",
        "data": list(names),
        "axisLabel": label,
        "axisLine": line,
        "inverse": lying,
    }
    amounts = {
        "type": "value",
        "minInterval": 1,
        "axisLabel": {"color": _GREY},
        "splitLine": line,
    }
    return {
        "tooltip": {"trigger": "axis"},
        "legend": {"top": 0, "textStyle": {"color": _GREY}, "show": len(series) > 1},
        "xAxis": amounts if lying else parts,
        "yAxis": parts if lying else amounts,
        "series": [
            {
                "name": name,
                "type": "bar",
                "data": list(values),
                "itemStyle": {"color": colour},
                "barMaxWidth": 26,
                "barGap": "0%",
                "barCategoryGap": "24%",
            }
            for name, values, colour in series
        ],
    }


PAGE = Page("/figures", "figures", "bar_chart", Role.SUPERVISOR, build)
