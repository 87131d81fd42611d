"""The commands that learn from review: ``jiexu dataset reviewed`` and ``jiexu calibrate``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from service.command_line import ConfigOption, asked_password, database_of, settings_of
from vision.cli import console, errors
from vision.errors import ConfigError, InputError
from vision.learn.commands.dataset import app as dataset_app
from vision.learn.commands.progress_bar import by_step, progress_bar

if TYPE_CHECKING:
    from service.store.database import Database
    from vision.learn.feedback.calibration import Calibration, Judged, Precision

CamerasOption = Annotated[
    list[str] | None, typer.Option("--camera", help="Of this camera only; may be repeated.")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to ``jiexu``."""
    dataset_app.command("reviewed")(reviewed)
    app.command("calibrate")(calibrate)


def reviewed(
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder of the data set.")],
    since: Annotated[
        datetime | None, typer.Option(help="Cases decided from this time on, UTC.")
    ] = None,
    camera: CamerasOption = None,
    originals: Annotated[
        bool, typer.Option("--originals", help="Originals instead of masked pictures.")
    ] = False,
    user: Annotated[
        str | None,
        typer.Option(help="Supervisor who takes originals; the password is asked for."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the audit.")] = None,
    config: ConfigOption = None,
) -> None:
    """Export the service's decided cases as YOLO and COCO data, for 'jiexu train --from-reviewed'.

    Confirmed cases are boxes, rejected ones pictures without the class; whole cameras are held out.
    """
    database = database_of(config)
    from service.evidence.files import EvidenceFiles, EvidenceStoreError
    from service.learning.decided_cases import decided_cases
    from service.learning.export import Asked, export_decided
    from service.store.tables import Variant

    if originals and (user is None or reason is None):
        raise ConfigError("--originals: needs --user and --reason; both are kept in the audit")
    actor = _supervisor(database, user) if originals and user is not None else "system"
    asked = Asked(
        variant=Variant.SEALED if originals else Variant.MASKED,
        actor=actor,
        reason=reason,
        since=None if since is None else since.replace(tzinfo=UTC),
    )
    with database.read() as session:
        cases = decided_cases(session, datetime.now(UTC), cameras=camera or ())
    try:
        with progress_bar("reading decisions", console) as (say, progress):
            done = export_decided(
                database,
                EvidenceFiles(settings_of(config).evidence_root),
                cases,
                out,
                asked,
                clock=lambda: datetime.now(UTC),
                progress=by_step(say, progress),
            )
    except EvidenceStoreError as error:
        raise InputError(f"the place of the evidence does not answer: {error}") from None
    table = Table("", *done.data.counts, title=f"{out}: {asked.variant} pictures")
    names = {name for count in done.data.counts.values() for name in count}
    for name in ("pictures", "cameras", *sorted(names - {"pictures", "cameras"})):
        table.add_row(name, *(str(count.get(name, 0)) for count in done.data.counts.values()))
    console.print(table)
    for why, count in done.passed_over.items():
        console.print(f"passed over ({count}): {escape(why)}", highlight=False, soft_wrap=True)


def calibrate(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Reviewed run folders; without any, the service's decisions."),
    ] = None,
    precision: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of candidates that are to be right.")
    ] = 0.8,
    camera: CamerasOption = None,
    certain: Annotated[
        bool,
        typer.Option("--certain", help="Take the threshold that the interval too is sure of."),
    ] = False,
    write: Annotated[
        bool,
        typer.Option("--write", help="Set min_confidence of the service's cameras accordingly."),
    ] = False,
    site: Annotated[
        Path | None, typer.Option(help="Site file in which to set min_confidence accordingly.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    config: ConfigOption = None,
) -> None:
    """Find by reviewers' decisions how sure the model must be for a wanted precision, by kind.

    Nothing is changed without --write or --site, and never the model registry.
    """
    if write and runs:
        raise ConfigError("--write: sets cameras of the service, which has decisions of its own")
    from service.learning.thresholds import set_cameras
    from vision.learn.feedback.calibration import CALIBRATED, proposal
    from vision.learn.feedback.calibration import calibrate as find_thresholds
    from vision.learn.feedback.judged_runs import judged_in_runs
    from vision.learn.feedback.site_thresholds import set_site

    left_out: Counter[str] = Counter()
    database = None if runs else database_of(config)
    if database is None:
        judged = judged_in_runs(runs or (), left_out)
    else:
        judged = _judged_in_store(database, left_out)
    if camera:
        judged = [one for one in judged if one.camera_id in camera]
    for one in judged:
        if one.kind not in CALIBRATED:
            left_out[f"{one.kind}: min_confidence does not ask of what it tells"] += 1
    found = find_thresholds(judged, precision)
    if as_json:
        typer.echo(json.dumps(_document(found, precision, left_out), indent=2, ensure_ascii=False))
    else:
        _show(found, precision, left_out)
    if not (write or site is not None):
        return
    given = (proposal(each, certain=certain) for each in found)
    proposals = [each for each in given if each is not None]
    told = []
    if write and database is not None and proposals:
        told += set_cameras(database, proposals, datetime.now(UTC))
        told.append("A service that runs goes by it when it starts next.")
    if site is not None and proposals:
        told += set_site(site, proposals, camera or ())
    for line in told or ["Nothing to set."]:
        errors.print(line, highlight=False, soft_wrap=True, markup=False)


def _supervisor(database: Database, name: str) -> str:
    """Ask for the password of a supervisor; what the audit calls them."""
    from service import audit
    from service.auth.logins import LoggedIn, LoginTimes, log_in, log_out
    from service.store.tables import Role

    now = datetime.now(UTC)
    password = asked_password(new=False)
    answer = log_in(database, name, password, origin=audit.NOWHERE, now=now, times=LoginTimes())
    if not isinstance(answer, LoggedIn):
        raise ConfigError(
            "--user: name or password is wrong, or the user is locked out or disabled"
        )
    assert answer.principal.session is not None
    with database.write() as session:
        log_out(session, answer.principal.session)
    if not answer.principal.may(Role.SUPERVISOR, None):
        raise ConfigError(f"--user: {name} may not see originals: supervisors may")
    return answer.principal.actor


def _judged_in_store(database: Database, left_out: Counter[str]) -> list[Judged]:
    from service.learning.decided_cases import decided_cases

    with database.read() as session:
        cases = decided_cases(session, datetime.now(UTC))
    judged = []
    for case in cases:
        one = case.judged
        if isinstance(one, str):
            left_out[one] += 1
        else:
            judged.append(one)
    return judged


def _document(
    found: Sequence[Calibration], precision: float, left_out: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "asked_precision": precision,
        "kinds": [
            {
                "kind": one.kind,
                "model": one.model,
                "cameras": list(one.cameras),
                "decisions_on_other_models": one.other_models,
                "shown": _point(one, one.now),
                "likely": _point(one, one.likely),
                "certain": _point(one, one.certain),
                "warnings": one.warnings(),
            }
            for one in found
        ],
        "left_out": dict(left_out),
    }


def _point(one: Calibration, at: Precision | None) -> dict[str, Any] | None:
    if at is None:
        return None
    return {
        "min_confidence": at.threshold,
        "candidates": at.shown,
        "right": at.right,
        "precision": round(at.estimate, 4),
        "interval_95": [round(end, 4) for end in at.interval],
        "kept_of_right": round(one.kept(at), 4),
    }


def _show(found: Sequence[Calibration], precision: float, left_out: Mapping[str, int]) -> None:
    table = Table(
        title=f"min_confidence for a precision of {precision:g}",
        caption="(95 % interval after Wilson); kept: share of the right ones that stays",
    )
    table.add_column("kind", no_wrap=True)
    for heading in ("", "from", "right of", "precision", "kept"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found:
        rows = (("shown", one.now), ("likely", one.likely), ("certain", one.certain))
        for number, (word, at) in enumerate(rows):
            kind = one.kind if number == 0 else ""
            table.add_row(kind, word, *_cells(one, at), end_section=number == len(rows) - 1)
    console.print(table if found else "No decisions to calibrate by.")
    for one in found:
        for warning in one.warnings():
            console.print(f"{one.kind}: {warning}", highlight=False, soft_wrap=True)
        if one.other_models:
            console.print(
                f"{one.kind}: left out ({one.other_models}): not decided on {escape(one.model)} "
                "as it is now",
                highlight=False,
                soft_wrap=True,
            )
    for why, count in left_out.items():
        console.print(f"left out ({count}): {why}", highlight=False, soft_wrap=True)


def _cells(one: Calibration, at: Precision | None) -> list[str]:
    if at is None:
        return ["–"] * 4
    low, high = at.interval
    return [
        f"{at.threshold:.3f}",
        f"{at.right} of {at.shown}",
        f"{at.estimate:.2f} ({low:.2f}–{high:.2f})",
        f"{one.kept(at):.2f}",
    ]
