"""The whole loop over real HTTP: sent, handled, called back or asked, verified, closed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from dispatch_rig import (
    API_KEY,
    confirm,
    deliveries,
    free_port,
    listening,
    open311,
    panorama,
    sandbox,
    state_of,
    wait_for,
    webhook,
)
from sqlalchemy import select

from service.app import create_app
from service.cases.lifecycle import Action, take_step
from service.context import Service
from service.dispatch.dispatcher import Dispatcher
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.sandbox.mischief import Mischief
from service.serve import dispatching
from service.settings import ServiceSettings
from service.store.database import Database
from service.store.tables import CaseRow, CaseStepRow


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def running(
    database: Database, folder: Path, *, time_scale: float = 0.001, **sandboxed: object
) -> Iterator[str]:
    """A service that sends to a sandbox, and the sandbox's address."""
    port = free_port()
    service_url = f"http://127.0.0.1:{port}"
    with listening(sandbox(service_url, **sandboxed), free_port()) as url:
        service = Service(
            settings=ServiceSettings.model_validate(
                {
                    "data": folder,
                    "dispatch": {
                        "networks": ["127.0.0.0/8"],
                        "time_scale": time_scale,
                        "destinations": {
                            "city": webhook(f"{url}/webhook/cases", kinds=["street_stall"]),
                            "georeport": open311(
                                f"{url}/open311",
                                services={"abandoned_vehicle": "S02", "hoarding_missing": "S03"},
                                statuses={"suspended": "suspended", "returned": "returned"},
                            ),
                            "panorama": panorama(
                                f"{url}/client/handle_event", event_types={"debris_pile": 12}
                            ),
                        },
                    },
                }
            ),
            database=database,
            files=EvidenceFiles(folder / "evidence"),
            signer=Signer(b"a secret of the tests, 32 bytes.."),
            clock=now,
        )
        dispatcher = Dispatcher(dispatching(service), idle_s=0.05)
        dispatcher.start()
        with listening(create_app(service), port):
            try:
                yield url
            finally:
                dispatcher.stop()


def step(database: Database, case_id: str, action: Action) -> None:
    with database.write() as session:
        take_step(session, case_id, action, "camera:gate-3", now())


def test_a_case_goes_out_by_webhook_is_reopened_once_and_closes(
    database: Database, tmp_path: Path
) -> None:
    with running(database, tmp_path) as url:
        with database.write() as session:
            case_id = confirm(session)
        wait_for(lambda: state_of(database) == "handled")
        step(database, case_id, Action.REOPEN)
        wait_for(lambda: state_of(database) == "handled")
        step(database, case_id, Action.VERIFY)
        wait_for(lambda: state_of(database) == "closed")
        (case,) = httpx.get(f"{url}/cases").json()["cases"]
    assert case["rounds"] == 2
    assert [one["stage"] for one in case["passed"]] == [
        *("accepted", "handling", "handled", "handling", "handled", "closed")
    ]
    assert [(row.subject, row.state, row.reference) for row in deliveries(database)] == [
        (subject, "delivered", "W000001") for subject in ("confirmed", "reopened", "verified")
    ]


@pytest.mark.parametrize("kind", ["abandoned_vehicle", "hoarding_missing"])
def test_a_geo_report_is_asked_for_its_status(
    database: Database, tmp_path: Path, kind: str
) -> None:
    """The second kind is of a service that gives a token at first."""
    with running(database, tmp_path) as url:
        with database.write() as session:
            confirm(session, kind=kind)
        wait_for(lambda: state_of(database) == "handled")
        (case,) = httpx.get(f"{url}/cases").json()["cases"]
    (row,) = deliveries(database)
    assert (row.reference, row.has_token) == (case["reference"], False)
    assert case["key"] == row.event_id


def test_a_panorama_event_comes_back_closed_and_reopened_is_another_event(
    database: Database, tmp_path: Path
) -> None:
    with running(database, tmp_path) as url:
        with database.write() as session:
            case_id = confirm(session, kind="debris_pile")
        wait_for(lambda: state_of(database) == "handled")
        step(database, case_id, Action.REOPEN)
        wait_for(lambda: state_of(database) == "handled")
        (case,) = httpx.get(f"{url}/cases").json()["cases"]
    first, second = deliveries(database)
    assert (case["key"], case["event_id"]) == (first.event_id, second.event_id)
    assert case["rounds"] == 2


def test_a_platform_that_misbehaves_gets_every_case_once(
    database: Database, tmp_path: Path
) -> None:
    mischief = Mischief(fail=0.4, hang_s=0.2, duplicate=0.4, reorder=0.4, wrong_signature=0.2)
    kinds = ("street_stall", "abandoned_vehicle", "hoarding_missing", "debris_pile")
    with running(database, tmp_path, time_scale=0.0001, mischief=mischief) as url:
        with database.write() as session:
            ids = [confirm(session, number, kinds[number % 4]) for number in range(24)]
        wait_for(lambda: all(state_of(database, one) == "handled" for one in ids), 60)
        wait_for(lambda: httpx.get(f"{url}/cases").json()["callbacks_waiting"] == 0)
        told = httpx.get(f"{url}/cases").json()
    assert len(told["cases"]) == 24
    assert {one["key"] for one in told["cases"]} == {row.event_id for row in deliveries(database)}
    assert {one["stage"] for one in told["cases"]} == {"handled"}
    assert told["callbacks"]["forged 401"] > 0
    assert all(state_of(database, one) == "handled" for one in ids)


@pytest.mark.parametrize(
    ("kind", "detour"),
    [
        ("street_stall", "extended"),
        ("abandoned_vehicle", "suspended"),
        ("abandoned_vehicle", "extended"),
        ("debris_pile", "returned"),
    ],
)
def test_detours_on_the_way_are_told_over_every_interface(
    database: Database, tmp_path: Path, kind: str, detour: str
) -> None:
    with running(database, tmp_path, step_s=0) as url:
        with database.write() as session:
            case_id = confirm(session, kind=kind)
            case = session.get_one(CaseRow, case_id)
            case.deadline_clock, case.deadline_at = "natural_day", now() + timedelta(hours=1)
        wait_for(lambda: httpx.get(f"{url}/cases").json()["cases"])
        (held,) = httpx.get(f"{url}/cases").json()["cases"]
        move = f"{url}/cases/{held['reference']}"
        httpx.post(f"{move}/handling")
        wait_for(lambda: len(history(database)) >= 3)
        httpx.post(f"{move}/{detour}")
        word = {"returned": "return", "suspended": "suspend", "extended": "extended"}[detour]
        wait_for(lambda: history(database)[-1] == word)
        httpx.post(f"{move}/handling")
        wait_for(lambda: state_of(database) in ("handling", "accepted"))
        httpx.post(f"{move}/handled")
        wait_for(lambda: state_of(database) == "handled")
    with database.read() as session:
        due = session.get_one(CaseRow, case_id).deadline_at
    assert due is not None
    assert (due > now() + timedelta(hours=20)) == (detour == "extended")


def test_cases_take_detours_by_themselves_and_end_all_the_same(
    database: Database, tmp_path: Path
) -> None:
    kinds = ("street_stall", "abandoned_vehicle", "debris_pile")
    # A stage must last longer than a busy machine takes to hear of it, or it is passed unseen.
    with running(database, tmp_path, detour=1.0, step_s=1.0) as url:
        with database.write() as session:
            ids = [confirm(session, number, kinds[number % 3]) for number in range(12)]
        wait_for(lambda: all(state_of(database, one) == "handled" for one in ids), 60)
        told = httpx.get(f"{url}/cases").json()["cases"]
    stages = {passed["stage"] for case in told for passed in case["passed"]}
    assert stages >= {"returned", "suspended", "extended"}
    assert {"return", "suspend"} <= set(history(database))


def history(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(CaseStepRow.action).order_by(CaseStepRow.id)))


def test_the_page_shows_the_cases_and_controls_can_be_changed() -> None:
    with listening(sandbox(step_s=0), free_port()) as url:
        assert "No case yet" in httpx.get(url).text
        form = {
            "api_key": API_KEY,
            "service_code": "S02",
            "lat": "31.8",
            "long": "119.9",
            "description": "<b>car</b>",
        }
        assert httpx.post(f"{url}/open311/requests.json", data=form).status_code == 201
        page = httpx.get(url).text
        assert "O000001" in page
        assert "&lt;b&gt;car" in page
        moved = httpx.post(f"{url}/cases/O000001/handled").json()
        assert moved["stage"] == "handled"
        assert httpx.put(f"{url}/control", json={"fail": 1}).json()["fail"] == 1
        assert httpx.get(f"{url}/open311/services.xml").status_code >= 429
        assert httpx.put(f"{url}/control", json={"fail": 2}).status_code == 422
