from __future__ import annotations

import base64
import hashlib
import io
import re
import uuid
from pathlib import Path

import cv2
import numpy as np
import pytest
from may_2026 import ZONE, at, fill
from openpyxl import load_workbook
from sqlalchemy import select
from typer.testing import CliRunner

from service import audit
from service.cli import app
from service.evidence.files import EvidenceFiles
from service.reports.gallery import PRINTED_BYTES, looked_again, printed
from service.reports.html import write_html
from service.reports.report import Report, make_report
from service.reports.window import window_of
from service.reports.wording import Language
from service.reports.xlsx import write_xlsx
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import AuditRow, EvidenceRow, Variant, VerificationRow
from vision.errors import ConfigError

LATER = at("06-10 12:00")


def report(database: Database, period: str = "2026-05") -> Report:
    with database.read() as session:
        return make_report(session, window_of(period, ZONE), LATER)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_asks_nothing_of_the_network(database: Database, language: Language) -> None:
    fill(database)
    page = write_html(report(database), language)
    assert not re.search(r"(src|href)=|https?://|@import|url\(", page)
    assert "60.0 %" in page
    assert "3 / 5" in page
    assert ("按期处置率" in page) == (language == "zh")
    assert ("Handled in time" in page) == (language == "en")


def test_before_and_after_stand_in_the_page_itself_small_masked_and_audited(
    database: Database, tmp_path: Path
) -> None:
    fill(database)
    files = EvidenceFiles(tmp_path)
    for number, variant in enumerate((Variant.MASKED, Variant.SEALED)):
        look_again(database, files, f"violation-{number}", variant)
    may = window_of("2026-05", ZONE)
    with database.write() as session:
        places = looked_again(session, may, 12, actor="user:li", origin=audit.NOWHERE, now=LATER)
    assert [one.case_id for one in places] == ["violation-0"], "originals are never printed"
    with database.read() as session:
        (row,) = session.scalars(select(AuditRow))
    assert (row.actor, row.action, row.subject) == (
        "user:li",
        "evidence.listed",
        "case:violation-0",
    )
    page = write_html(report(database), "en", printed(places, files))
    assert not re.search(r"https?://|@import|url\(", page)
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == page.count("src=") == 2
    for picture in pictures:
        data = base64.b64decode(picture)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (270, 480, 3)
        assert len(data) <= PRINTED_BYTES
    files.remove(places[0].before.key)
    assert printed(places, files) == [], "what is lost is left out"


def look_again(database: Database, files: EvidenceFiles, case_id: str, variant: Variant) -> None:
    """The camera looked again; two noisy pictures of 1280×720 show it."""
    noise = np.random.default_rng(1)
    ids = []
    with database.write() as session:
        for role in ("before", "after"):
            image = noise.integers(0, 255, (720, 1280, 3), np.uint8)
            data = cv2.imencode(".jpg", image)[1].tobytes()
            ids.append(str(uuid.uuid4()))
            session.add(
                EvidenceRow(
                    id=ids[-1],
                    violation_id=case_id,
                    case_id=case_id,
                    role=role,
                    variant=variant,
                    sha256=hashlib.sha256(data).hexdigest(),
                    bytes=len(data),
                    width=1280,
                    height=720,
                    media_type="image/jpeg",
                    taken_at=at("05-04 11:00"),
                    key=files.keep(variant, data, "image/jpeg"),
                    created_at=at("05-04 11:00"),
                )
            )
        session.flush()
        session.add(
            VerificationRow(
                id=str(uuid.uuid4()),
                case_id=case_id,
                why="handled",
                begun_at=at("05-04 10:40"),
                until=at("05-04 11:40"),
                result="gone",
                decided_at=at("05-04 11:00"),
                decided_by="camera:cam-1",
                before_id=ids[0],
                after_id=ids[1],
            )
        )


def test_names_are_text_in_the_page(database: Database) -> None:
    fill(database)
    with database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE cases SET zone_id = '<script>alert(1)</script>' WHERE camera_id = 'cam-1'"
        )
    page = write_html(report(database), "en")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_empty_month_prints_dashes(database: Database) -> None:
    page = write_html(report(database, "2026-01"), "zh")
    assert "0.0 %" not in page
    assert page.count("–") > 8


def test_the_workbook_holds_numbers_dashes_and_no_formulas(database: Database) -> None:
    fill(database)
    book = load_workbook(io.BytesIO(write_xlsx(report(database), "zh")))
    assert book.sheetnames == [
        "总表", "按区县", "按街道", "按单元网格", "按责任单位", "按类别", "按摄像机",
        "易反复点位", "超期未处置",
    ]  # fmt: skip
    rows = {row[0].value: row for row in book["总表"].iter_rows()}
    in_time = rows["按期处置率"]
    assert [cell.value for cell in in_time[1:4]] == [0.6, 3, 5]
    assert in_time[1].number_format == "0.0%"
    assert in_time[4].value == "按期处置 / 应处置"
    assert rows["复查看不清"][1].value == 1
    cameras = list(book["按摄像机"].iter_rows())
    # A camera is called "=1+1": that is its name, not a sum.
    assert (cameras[1][0].value, cameras[1][0].data_type) == ("=1+1 (cam-1)", "s")
    column = [cell.value for cell in cameras[0]].index("整改率")
    assert [row[column].value for row in cameras[1:]] == [0.75, "–", "–"]
    assert book["易反复点位"].max_row == 2
    assert [row[0].value for row in book["超期未处置"].iter_rows(min_row=2)] == [
        "violation-5",
        "violation-6",
    ]


def test_the_command_writes_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIEXU_DATA", str(tmp_path))
    database = Database(f"sqlite:///{tmp_path / 'jiexu.db'}")
    empty = CliRunner().invoke(app, ["report", "figures", "--month", "2026-05"])
    assert isinstance(empty.exception, ConfigError)
    upgrade(database)
    fill(database)
    database.close()
    out = tmp_path / "out"
    run = CliRunner().invoke(
        app, ["report", "figures", "--month", "2026-05", "--out", str(out), "--language", "en"]
    )
    assert run.exit_code == 0, run.output
    assert "Handled in time: 60.0 % (3 / 5)" in run.output
    assert sorted(path.name for path in out.iterdir()) == [
        "figures-2026-05.html",
        "figures-2026-05.xlsx",
    ]
    for wrong in ([], ["--month", "2026-05", "--day", "2026-05-04"]):
        refused = CliRunner().invoke(app, ["report", "figures", *wrong])
        assert isinstance(refused.exception, ConfigError)
