"""``jiexu report figures``: figures of a day, a month or a quarter into files."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from service.command_line import ConfigOption, settings_of
from vision.cli import console
from vision.errors import ConfigError, InputError
from vision.files import write_atomically

report_app = typer.Typer(name="report", help="Figures for supervisors.", no_args_is_help=True)


@report_app.command("figures")
def figures(
    day: Annotated[str | None, typer.Option(help="Daily check of a day: 2026-05-04.")] = None,
    month: Annotated[str | None, typer.Option(help="Monthly bulletin: 2026-05.")] = None,
    quarter: Annotated[str | None, typer.Option(help="Quarterly review: 2026-Q2.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
    config: ConfigOption = None,
) -> None:
    """Write figures as a page and as a workbook, and print the rates."""
    from zoneinfo import ZoneInfo

    from service import audit
    from service.evidence.files import EvidenceFiles, EvidenceStoreError
    from service.reports.definitions import RATES
    from service.reports.gallery import MOST_PRINTED, looked_again, printed
    from service.reports.html import write_html
    from service.reports.report import make_report
    from service.reports.window import window_of
    from service.reports.wording import Language, Wording
    from service.reports.xlsx import write_xlsx
    from service.store.database import Database
    from service.store.migrate import is_current

    given = [one for one in (day, month, quarter) if one is not None]
    if len(given) != 1:
        raise ConfigError("give one of --day, --month and --quarter")
    languages: dict[str, Language] = {"zh": "zh", "en": "en"}
    if language not in languages:
        raise ConfigError("--language: zh or en")
    chosen = languages[language]
    settings = settings_of(config)
    window = window_of(given[0], ZoneInfo(settings.timezone))
    database = Database(settings.database_url)
    if not is_current(database):
        raise ConfigError(f"{database.shown}: holds no cases of this version; is it the right one?")
    now = datetime.now(UTC)
    with database.read() as session:
        report = make_report(session, window, now)
    with database.write() as session:
        places = looked_again(
            session, window, MOST_PRINTED, actor="system", origin=audit.NOWHERE, now=now
        )
    try:
        pairs = printed(places, EvidenceFiles(settings.evidence_root))
    except EvidenceStoreError as error:
        raise InputError(f"the place of the evidence does not answer: {error}") from None
    out.mkdir(parents=True, exist_ok=True)
    page, book = (out / f"figures-{window.label}.{ending}" for ending in ("html", "xlsx"))
    write_atomically(page, write_html(report, chosen, pairs))
    write_atomically(book, write_xlsx(report, chosen))
    words = Wording(chosen)
    for rate in RATES:
        share = report.overall.share(rate)
        told = f"{words.figure(rate)}: {share.shown} ({share.numerator} / {share.denominator})"
        console.print(told, highlight=False)
    console.print(f"{page}\n{book}", highlight=False, soft_wrap=True)
