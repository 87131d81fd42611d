from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from posting import CREATED_AT, FakeClock, picture_of, record
from sqlalchemy import select

from service.cases.intake import Intake
from service.evidence.files import EvidenceFiles
from service.evidence.retention import keep_evidence, kept_bytes
from service.settings import Retention
from service.store.database import Database
from service.store.tables import AuditRow, CaseRow, CaseState, EvidenceRow

RULES = Retention(rejected_hours=72, closed_days=180, superseded_hours=24)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(CREATED_AT)


@pytest.fixture
def files(tmp_path: Path) -> EvidenceFiles:
    return EvidenceFiles(tmp_path / "kept")


class Kept:
    """Cases with one picture each, and what is left of them."""

    def __init__(
        self, database: Database, files: EvidenceFiles, clock: FakeClock, folder: Path
    ) -> None:
        self.database, self.files, self.clock, self.folder = database, files, clock, folder
        self.intake = Intake(database, files, mask=lambda *_: None, clock=clock.now)

    def case(self, number: int, state: CaseState, *, picture: int | None = None) -> None:
        shown = number if picture is None else picture
        path = self.folder / f"{shown}.jpg"
        path.write_bytes(picture_of(shown))
        self.intake.take(record(shown, id=f"violation-{number}"), {"scene": path})
        with self.database.write() as session:
            case = session.get_one(CaseRow, f"violation-{number}")
            case.state, case.updated_at = state, self.clock.now()
        self.clock.sleep(1)

    def keep(self, rules: Retention, *, after: timedelta) -> tuple[int, int]:
        now: datetime = self.clock.now() + after
        done = keep_evidence(self.database, self.files, rules, now)
        return done.removed_files, done.over_quota_bytes

    def left(self) -> list[int]:
        """Numbers of cases of which there is a file, on disk as in the rows."""
        on_disk = set(self.files.keys())
        with self.database.read() as session:
            rows = session.scalars(select(EvidenceRow).order_by(EvidenceRow.case_id)).all()
        for row in rows:
            assert row.removed_at is not None or row.key in on_disk
        assert on_disk == {row.key for row in rows if row.removed_at is None}
        return [int(row.case_id.rpartition("-")[2]) for row in rows if row.removed_at is None]


@pytest.fixture
def kept(database: Database, files: EvidenceFiles, clock: FakeClock, tmp_path: Path) -> Kept:
    return Kept(database, files, clock, tmp_path)


OVER = (CaseState.REJECTED, CaseState.CLOSED, CaseState.CANCELLED)
OPEN = [state for state in CaseState if state not in OVER]


def test_rejected_evidence_goes_after_hours_and_closed_after_days(kept: Kept) -> None:
    kept.case(1, CaseState.REJECTED)
    kept.case(2, CaseState.CLOSED)
    kept.case(3, CaseState.CANDIDATE)
    assert kept.keep(RULES, after=timedelta(hours=71)) == (0, 0)
    assert kept.keep(RULES, after=timedelta(hours=73)) == (1, 0)
    assert kept.left() == [2, 3]
    assert kept.keep(RULES, after=timedelta(days=181)) == (1, 0)
    assert kept.left() == [3]


def test_evidence_of_open_cases_stays_whatever_its_age_and_the_quota(kept: Kept) -> None:
    for number, state in enumerate(OPEN):
        kept.case(number, state)
    size = kept_bytes(kept.database)
    rules = RULES.model_copy(update={"evidence_quota_gb": 1e-9})
    assert kept.keep(rules, after=timedelta(days=3650)) == (0, size - 1)
    assert kept.left() == list(range(len(OPEN)))


def test_beyond_the_quota_the_oldest_of_finished_cases_goes_first(kept: Kept) -> None:
    kept.case(0, CaseState.HANDLING)
    for number in range(1, 5):
        kept.case(number, CaseState.CLOSED)
    one = len(picture_of(0))
    rules = RULES.model_copy(update={"evidence_quota_gb": 3 * one / 1e9})
    assert kept.keep(rules, after=timedelta()) == (2, 0)
    assert kept.left() == [0, 3, 4]
    assert kept_bytes(kept.database) == 3 * one


def test_bytes_that_another_case_needs_stay(kept: Kept) -> None:
    kept.case(1, CaseState.REJECTED, picture=7)
    kept.case(2, CaseState.CANDIDATE, picture=7)
    assert kept.keep(RULES, after=timedelta(days=30)) == (1, 0)
    assert kept.left() == [2]


def test_what_was_taken_away_is_audited(kept: Kept) -> None:
    kept.case(1, CaseState.REJECTED)
    kept.keep(RULES, after=timedelta(days=30))
    with kept.database.read() as session:
        row = session.scalars(select(AuditRow)).one()
    assert (row.actor, row.action, row.details["why"]) == ("system", "evidence.removed", "age")
    assert len(row.details["evidence"]) == 1
