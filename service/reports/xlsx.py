"""The report as a workbook: a summary, a sheet for each way to tell cases apart, and lists."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from service.reports.definitions import COUNTS, RATES
from service.reports.figures import DIMENSIONS, Figures, Share
from service.reports.html import place_text
from service.reports.report import Report
from service.reports.wording import Language, Wording

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_WIDEST = 60


def write_xlsx(report: Report, language: Language) -> bytes:
    """The workbook.

    Rates are numbers in percent; where there was nothing to count stands ``–``. Text is never taken
    for a formula.
    """
    words = Wording(language)
    book = Workbook()
    summary = book.active
    assert isinstance(summary, Worksheet)
    summary.title = words.word("summary")
    _summary(summary, report, words)
    for dimension in DIMENSIONS:
        sheet = book.create_sheet(words.dimension(dimension))
        shares = [text for rate in RATES for text in (words.figure(rate), *_parts(rate, words))]
        _row(
            sheet,
            [
                words.word("group"),
                *(words.figure(count) for count in COUNTS),
                *shares,
                words.word("median"),
                words.word("p90"),
            ],
            bold=True,
        )
        names = dict(report.camera_names)
        for name, figures in report.groups[dimension].items():
            _row(sheet, [words.group(dimension, name, names), *_figures(figures)])
        _finish(sheet)
    _hot_spots(book.create_sheet(words.word("hot_spots")), report, words)
    _overdue(book.create_sheet(words.word("overdue")), report, words)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _parts(rate: str, words: Wording) -> tuple[str, str]:
    name = words.figure(rate)
    return f"{name}: {words.word('numerator')}", f"{name}: {words.word('denominator')}"


def _summary(sheet: Worksheet, report: Report, words: Wording) -> None:
    window = report.window
    _row(sheet, [f"{words.title(window.span)} {window.label}"], bold=True)
    _row(
        sheet,
        [words.word("window"), f"{_local(report, window.start)} – {_local(report, window.end)}"],
    )
    _row(sheet, [words.word("as_of"), _local(report, report.as_of)])
    _row(sheet, [])
    _row(
        sheet,
        [words.word(one) for one in ("figure", "value", "numerator", "denominator", "definition")],
        bold=True,
    )
    for id_, rate in RATES.items():
        share = report.overall.share(id_)
        means = f"{words.figure(rate.numerator)} / {words.figure(rate.denominator)}"
        _row(sheet, [words.figure(id_), share, share.numerator, share.denominator, means])
    for count in COUNTS:
        counted = report.overall.counts[count]
        _row(sheet, [words.figure(count), counted, None, None, words.meaning(count)])
    spread = report.overall.rectified
    _row(sheet, [])
    _row(sheet, [words.word("rectified"), None, None, None, words.hours], bold=True)
    _row(sheet, [words.word("cases"), len(spread.hours)])
    _row(sheet, [words.word("median"), _hours(spread.quantile(0.5))])
    _row(sheet, [words.word("p90"), _hours(spread.quantile(0.9))])
    for name, count_ in zip(words.bands, spread.bands, strict=True):
        _row(sheet, [name, count_])
    _finish(sheet)


def _figures(figures: Figures) -> list[Any]:
    shares = [figures.share(rate) for rate in RATES]
    spread = figures.rectified
    return [
        *(figures.counts[count] for count in COUNTS),
        *(value for one in shares for value in (one, one.numerator, one.denominator)),
        _hours(spread.quantile(0.5)),
        _hours(spread.quantile(0.9)),
    ]


def _hot_spots(sheet: Worksheet, report: Report, words: Wording) -> None:
    columns = ("camera", "zone", "kind", "cases", "recurring", "occurrences", "last_at", "place")
    position = ("lon", "lat", "coord_sys")
    _row(sheet, [words.word(one) for one in (*columns, *position)], bold=True)
    for one in report.hot_spots:
        _row(
            sheet,
            [
                one.camera_id,
                one.zone_id,
                words.kind(one.kind),
                one.cases,
                one.recurring,
                one.occurrences,
                _local(report, one.last_at),
                place_text(one.place),
                *(one.position or ()),
            ],
        )
    _finish(sheet)


def _overdue(sheet: Worksheet, report: Report, words: Wording) -> None:
    columns = ("case", "kind", "state", "deadline", "camera", "place")
    _row(sheet, [words.word(one) for one in columns], bold=True)
    for one in report.overdue:
        _row(
            sheet,
            [
                one.case_id,
                words.kind(one.kind),
                words.state(one.state),
                _local(report, one.deadline_at),
                one.camera_id,
                place_text(one.place),
            ],
        )
    _finish(sheet)


def _hours(value: float | None) -> float | str:
    return "–" if value is None else round(value, 1)


def _local(report: Report, at: datetime) -> str:
    return at.astimezone(report.window.timezone).strftime("%Y-%m-%d %H:%M")


def _row(sheet: Worksheet, values: Sequence[Any], *, bold: bool = False) -> None:
    sheet.append([_plain(value) for value in values] or [None])
    for cell, value in zip(sheet[sheet.max_row], values, strict=False):
        if isinstance(value, str):
            cell.data_type = "s"
        if isinstance(value, Share):
            cell.number_format = "0.0%"
        if bold:
            cell.font = Font(bold=True)


def _plain(value: Any) -> Any:
    """What is written: control characters are none that a workbook may hold."""
    if isinstance(value, Share):
        return "–" if value.value is None else value.value
    return ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value


def _finish(sheet: Worksheet) -> None:
    """Freeze the names and make columns as wide as what they hold."""
    for number, column in enumerate(sheet.iter_cols(values_only=True), start=1):
        longest = max((_width(str(value)) for value in column if value is not None), default=8)
        sheet.column_dimensions[get_column_letter(number)].width = min(longest + 2, _WIDEST)
    sheet.freeze_panes = "B2"


def _width(text: str) -> int:
    """Columns of a fixed font that a text needs: Chinese characters take two."""
    return sum(2 if ord(sign) > 0x2E7F else 1 for sign in text)
