"""A camera really looks again: drawn pictures are judged, and the case follows what was seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from dispatch_rig import name, settings, state_of, webhook
from live_street import START, KeepingSink, taken, watch
from posting import FakeClock
from sqlalchemy import select

from service.cameras.pushed import Snapshot
from service.cameras.sink import Role
from service.cameras.source import decoded_still
from service.cameras.standings import Standings
from service.cameras.watch import CameraWatch
from service.cases.intake import Intake
from service.cases.lifecycle import Action, take_step
from service.cases.verification import Verifier
from service.dispatch.platforms import VerificationSettings
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import CaseRow, EvidenceRow, VerificationRow
from vision.record import ViolationRecord

LEAVES_S = 400.0


class StoringSink(KeepingSink):
    """Keeps violations in the store as well."""

    def __init__(self, intake: Intake) -> None:
        super().__init__()
        self._intake = intake

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        super().violation_changed(record, evidence)
        self._intake.take(record, {str(role): path for role, path in evidence.items()})


class OneCamera:
    """What the verifier asks, of one watched camera."""

    def __init__(self, one: CameraWatch) -> None:
        self._one = one

    def standings(self, camera_id: str) -> Standings | None:
        return self._one.standings

    def snapshot(self, camera_id: str) -> Snapshot | None:
        newest = self._one.newest
        return None if newest is None else Snapshot(decoded_still(newest[0]), newest[1])


def test_still_there_is_reopened_then_gone_is_verified_each_with_a_picture_from_after(
    database: Database, tmp_path: Path
) -> None:
    clock = FakeClock(START)
    dispatch = settings(city=webhook())
    name(database, dispatch)
    files = EvidenceFiles(tmp_path / "kept")
    intake = Intake(database, files, mask=lambda data, _: data, clock=clock.now)
    one = watch(StoringSink(intake), tmp_path / "camera")
    rules = VerificationSettings(looks=3, span_s=60, within_s=600)
    verifier = Verifier(database, intake, OneCamera(one), clock.now, rules, lambda: dispatch)

    def look(from_s: float, until_s: float) -> None:
        time_s = from_s
        while time_s < until_s:
            clock.time = START + timedelta(seconds=time_s)
            one.look(taken(time_s, heap=30 <= time_s < LEAVES_S))
            verifier.look_again()
            time_s += 10

    def step(action: Action) -> None:
        with database.write() as session:
            take_step(session, case_id, action, "platform:city", clock.now())

    look(0, 100)
    with database.read() as session:
        case_id = session.scalars(select(CaseRow.id)).one()
    for action in (Action.CONFIRM, Action.SUBMIT, Action.FINISH):
        step(action)
    look(100, 250)
    assert state_of(database, case_id) == "reopened"
    step(Action.FINISH)
    one.lost(clock.now() + timedelta(seconds=20), 1000.0 + 270)
    verifier.look_again()
    assert one.standings is None, "no picture, no word"
    look(LEAVES_S, 600)
    # Nothing of it was ever sent, so no platform has to say that it is closed.
    assert state_of(database, case_id) == "closed"
    with database.read() as session:
        order = VerificationRow.begun_at
        rows = session.scalars(select(VerificationRow).order_by(order)).all()
        assert [row.result for row in rows] == ["still_there", "gone"]
        after = [session.get_one(EvidenceRow, row.after_id) for row in rows]
        before = [session.get_one(EvidenceRow, row.before_id) for row in rows]
    assert [row.role for row in after] == ["after", "after"]
    assert after[0].taken_at < START + timedelta(seconds=LEAVES_S) <= after[1].taken_at
    assert all(row.taken_at < after[0].taken_at for row in before)
