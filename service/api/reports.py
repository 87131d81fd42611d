"""Figures for supervisors: as JSON, as a page and as a workbook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from service.api.problem import answers, invalid
from service.api.security import Origin, Supervisor, TheService
from service.context import Service
from service.reports.definitions import COUNTS, HOURS_EN, HOURS_ZH, RATES
from service.reports.figures import Figures
from service.reports.gallery import MOST_PRINTED, looked_again, printed
from service.reports.html import write_html
from service.reports.report import Report, make_report
from service.reports.window import Window, window_of
from service.reports.xlsx import MEDIA_TYPE, write_xlsx
from vision.errors import InputError

router = APIRouter(prefix="/reports", tags=["reports"], responses=answers(401, 403))

Period = Annotated[
    str,
    Query(
        max_length=10,
        description="A day (2026-05-04), a month (2026-05) or a quarter (2026-Q2)",
        openapi_examples={"month": {"value": "2026-05"}},
    ),
]
InLanguage = Annotated[Literal["zh", "en"], Query(description="Language of the words")]


class RateBody(BaseModel):
    """A rate."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"numerator": 41, "denominator": 48, "value": 0.8541666}}
    )

    numerator: int
    denominator: int
    value: float | None = Field(description="null where there was nothing to count, never 0")


class RectifiedBody(BaseModel):
    """How long it took until things were put right."""

    cases: int
    median_hours: float | None
    p90_hours: float | None
    bands: list[int] = Field(description="Up to 2, 4, 8, 24, 72 hours, and over")


class FiguresBody(BaseModel):
    """Figures of a group of cases."""

    counts: dict[str, int]
    rates: dict[str, RateBody]
    rectified: RectifiedBody


class DefinitionBody(BaseModel):
    """What a figure is."""

    zh: str
    en: str
    means_zh: str
    means_en: str


class HotSpotBody(BaseModel):
    """A zone in which a kind comes back."""

    camera_id: str
    zone_id: str
    kind: str
    cases: int
    recurring: int
    occurrences: int
    last_at: AwareDatetime
    place: Mapping[str, Any]
    position: tuple[float, float, str] | None = Field(
        description="Longitude, latitude and coordinate system of the camera"
    )


class OverdueBody(BaseModel):
    """A case that nobody handled though its deadline is over."""

    case_id: str
    kind: str
    state: str
    camera_id: str
    place: Mapping[str, Any]
    deadline_at: AwareDatetime


class ReportBody(BaseModel):
    """Figures of a window."""

    period: str
    span: Literal["day", "month", "quarter"]
    start: AwareDatetime
    end: AwareDatetime = Field(description="First instant after it")
    as_of: AwareDatetime = Field(description="What happened later is not in it")
    overall: FiguresBody
    groups: dict[str, dict[str, FiguresBody]] = Field(
        description="By district, street, grid, unit, kind and camera; an empty name where the "
        "camera's settings do not say"
    )
    hot_spots: list[HotSpotBody]
    overdue: list[OverdueBody]
    definitions: dict[str, DefinitionBody]


@router.get("/figures")
def get_figures(service: TheService, _who: Supervisor, period: Period) -> ReportBody:
    """Figures of a day, a month or a quarter."""
    report = _report(service, period)
    window = report.window
    return ReportBody(
        period=window.label,
        span=window.span,
        start=window.start,
        end=window.end,
        as_of=report.as_of,
        overall=_figures(report.overall),
        groups={
            dimension: {name: _figures(one) for name, one in groups.items()}
            for dimension, groups in report.groups.items()
        },
        hot_spots=[
            HotSpotBody.model_validate(one, from_attributes=True) for one in report.hot_spots
        ],
        overdue=[OverdueBody.model_validate(one, from_attributes=True) for one in report.overdue],
        definitions=_definitions(),
    )


@router.get(
    "/figures.html",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def get_page(
    service: TheService,
    who: Supervisor,
    origin: Origin,
    period: Period,
    language: InLanguage = "zh",
) -> HTMLResponse:
    """The same as one page that asks nothing of the network, with pictures of before and after.

    Pictures are masked and small; that they are given out is audited.
    """
    report = _report(service, period)
    with service.database.write() as session:
        places = looked_again(
            session,
            report.window,
            MOST_PRINTED,
            actor=who.actor,
            origin=origin,
            now=service.clock(),
        )
    return HTMLResponse(write_html(report, language, printed(places, service.files)))


@router.get(
    "/figures.xlsx",
    response_class=Response,
    responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_workbook(
    service: TheService, _who: Supervisor, period: Period, language: InLanguage = "zh"
) -> Response:
    """The same as a workbook."""
    report = _report(service, period)
    name = f"figures-{report.window.label}.xlsx"
    return Response(
        write_xlsx(report, language),
        media_type=MEDIA_TYPE,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _report(service: Service, period: str) -> Report:
    window = _window(service, period)
    with service.database.read() as session:
        return make_report(session, window, service.clock())


def _window(service: Service, period: str) -> Window:
    try:
        return window_of(period, service.worktime.site.timezone)
    except InputError as error:
        raise invalid("query.period", str(error).removeprefix("period: ")) from None


def _figures(figures: Figures) -> FiguresBody:
    spread = figures.rectified
    rates = {rate: figures.share(rate) for rate in RATES}
    return FiguresBody(
        counts=dict(figures.counts),
        rates={
            rate: RateBody(
                numerator=share.numerator, denominator=share.denominator, value=share.value
            )
            for rate, share in rates.items()
        },
        rectified=RectifiedBody(
            cases=len(spread.hours),
            median_hours=spread.quantile(0.5),
            p90_hours=spread.quantile(0.9),
            bands=spread.bands,
        ),
    )


def _definitions() -> dict[str, DefinitionBody]:
    found = {
        id_: DefinitionBody.model_validate(one, from_attributes=True) for id_, one in COUNTS.items()
    }
    for id_, rate in RATES.items():
        above, below = COUNTS[rate.numerator], COUNTS[rate.denominator]
        found[id_] = DefinitionBody(
            zh=rate.zh,
            en=rate.en,
            means_zh=f"{above.zh} / {below.zh}",
            means_en=f"{above.en} / {below.en}",
        )
    found["rectified"] = DefinitionBody(
        zh="整改时效", en="Time to rectify", means_zh=HOURS_ZH, means_en=HOURS_EN
    )
    return found
