"""Deliveries, destinations and callbacks through the API."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from dispatch_rig import NOW, TOKEN, confirm, name, panorama, settings, state_of, webhook
from fastapi.testclient import TestClient
from posting import SECRET_TEXT
from serving import Serving
from sqlalchemy import select

from service.cases.intake import Intake
from service.cases.verification import Verifier, begin
from service.dispatch import queue
from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.platforms import VerificationSettings
from service.dispatch.queue import Claimed
from service.dispatch.secret import Secret
from service.evidence.files import key_of
from service.live import Snapshot
from service.settings import ServiceSettings
from service.store.tables import CaseRow, CaseState, Role, Scope, Variant, VerificationRow
from vision.errors import ModelError

SECRET = Secret.parse(SECRET_TEXT, named="the test")
URL = "/api/v1/callbacks"


@pytest.fixture
def told(serving: Serving) -> str:
    """The id of the message about a case that two platforms were told of."""
    dispatch = settings(
        city=webhook(), panorama=panorama(event_types={"street_stall": 1}), gone=webhook()
    )
    serving.service.settings = ServiceSettings(
        data=serving.service.settings.data, public_url="https://jiexu.test", dispatch=dispatch
    )
    name(serving.service.database, dispatch)
    with serving.service.database.write() as session:
        confirm(session)
    claimed = claim(serving, "city")
    with serving.service.database.write() as session:
        row = queue.settle(session, claimed, Attempt(Outcome.DELIVERED, 201, "C1"), NOW)
        assert row is not None
        return row.event_id


def claim(serving: Serving, platform: str) -> Claimed:
    with serving.service.database.write() as session:
        found = queue.claim(session, platform, NOW, lease_s=30, rate_per_s=10)
    assert isinstance(found, Claimed)
    return found


def report(event_id: str, /, **changes: Any) -> dict[str, Any]:
    return {
        "id": "C1-3",
        "event_id": event_id,
        "status": "handled",
        "said_at": "2026-05-04T18:10:00+08:00",
        "operator": "street team 2",
    } | changes


def post_signed(
    serving: Serving,
    body: dict[str, Any],
    *,
    to: str = "city",
    age_s: float = 0,
    wrong: bool = False,
) -> Any:
    data = json.dumps(body).encode()
    at = serving.service.clock() - timedelta(seconds=age_s)
    headers = {
        "webhook-id": "m1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": SECRET.sign("m1", at, data if not wrong else b"other"),
    }
    return serving.anyone().post(f"{URL}/{to}", content=data, headers=headers)


def test_a_platform_that_signs_moves_its_case_once(serving: Serving, told: str) -> None:
    answer = post_signed(serving, report(told))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"outcome": "moved", "case_id": "violation-0", "state": "handled"}
    assert post_signed(serving, report(told)).json()["outcome"] == "repeated"
    history = serving.user(Role.VIEWER).get("/api/v1/cases/violation-0/history").json()
    assert history[-1]["actor"] == "platform:city"
    assert history[-1]["details"]["operator"] == "street team 2"


@pytest.mark.parametrize("how", [{"wrong": True}, {"age_s": 400}, {"to": "panorama"}])
def test_who_does_not_sign_rightly_is_nobody(
    serving: Serving, told: str, how: dict[str, Any]
) -> None:
    answer = post_signed(serving, report(told), **how)
    assert answer.status_code == 401
    assert state_of(serving.service.database) == "confirmed"


def test_a_key_for_callbacks_may_speak_for_a_platform(serving: Serving, told: str) -> None:
    answer = serving.key(Scope.CALLBACK).post(f"{URL}/city", json=report(told))
    assert answer.json()["outcome"] == "moved"
    assert serving.key(Scope.READ).post(f"{URL}/city", json=report(told)).status_code == 403


def test_the_panorama_form_is_answered_in_its_own_words(serving: Serving, told: str) -> None:
    form = {
        "push_id": told,
        "disposal_status": "closed",
        "disposal_result": "已清理",
        "disposal_operator": "张三",
        "disposal_time": "2026-05-04 18:10:00",
    }
    client = serving.anyone()
    assert client.post(f"{URL}/panorama", json=form).status_code == 401
    answer = client.post(f"{URL}/panorama", json=form, headers={"x-callback-token": TOKEN})
    assert answer.json() == {"code": 200, "message": "请求已成功", "data": {}}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"disposal_status": "done"}, "body.disposal_status"),
        ({"disposal_status": "extended"}, "body.disposal_deadline"),
        (
            {"disposal_status": "extended", "disposal_deadline": "2026-05-06 18:00:00"},
            "body.disposal_result",
        ),
    ],
)
def test_what_is_wrong_with_a_panorama_report_is_named(
    serving: Serving, told: str, changes: dict[str, str], named: str
) -> None:
    form = {
        "push_id": told,
        "disposal_status": "suspended",
        "disposal_time": "2026-05-04 18:10:00",
    }
    headers = {"x-callback-token": TOKEN}
    client = serving.anyone()
    assert client.post(f"{URL}/panorama", json=form, headers=headers).status_code == 200
    answer = client.post(f"{URL}/panorama", json=form | changes, headers=headers)
    assert (answer.status_code, named in answer.json()["detail"]) == (422, True), answer.text


def test_a_supervisor_puts_a_deadline_off_with_a_reason(serving: Serving, told: str) -> None:
    with serving.service.database.write() as session:
        case = session.get_one(CaseRow, "violation-0")
        case.deadline_clock, case.deadline_at = "urgent_hour", NOW + timedelta(hours=2)
        tag = f'"{case.version}"'
    client, path = serving.user(Role.SUPERVISOR), "/api/v1/cases/violation-0/extension"
    form = {"deadline_at": "2026-05-06T18:00:00+08:00", "reason": "waits for the owner"}
    assert client.post(path, json=form).status_code == 428
    answer = client.post(path, json=form, headers={"if-match": tag})
    assert answer.json()["deadline_at"] == "2026-05-06T10:00:00Z"
    again = client.post(path, json=form, headers={"if-match": answer.headers["etag"]})
    assert (again.status_code, again.json()["type"].endswith("not_possible")) == (409, True)
    history = client.get("/api/v1/cases/violation-0/history").json()
    assert (history[-1]["action"], history[-1]["details"]["reason"]) == (
        "extended",
        "waits for the owner",
    )
    audit = serving.user(Role.ADMIN).get("/api/v1/audit", params={"action": "case.extended"})
    assert len(audit.json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"event_id": "case_0"}, 404, "no such case"),
        ({"event_id": None}, 422, "body.event_id"),
        ({"status": "done"}, 422, "body.status"),
        ({"said_at": "2026-05-04T18:10:00"}, 422, "body.said_at"),
        ({"note": "x" * 501}, 422, "body.note"),
        ({"status": "extended", "note": "rain"}, 422, "body.deadline_at"),
        ({"status": "extended", "deadline_at": "2026-05-06T18:00:00"}, 422, "body.deadline_at"),
        ({"status": "extended", "deadline_at": "2026-05-06T18:00:00Z"}, 422, "body.note"),
    ],
)
def test_what_is_wrong_with_a_report_is_named(
    serving: Serving, told: str, body: dict[str, Any], status: int, named: str
) -> None:
    answer = post_signed(serving, report(told, **body))
    assert (answer.status_code, named in answer.json()["detail"]) == (status, True), answer.text


def test_a_destination_that_is_not_named_is_not_found(serving: Serving, told: str) -> None:
    answer = serving.key(Scope.CALLBACK).post(f"{URL}/elsewhere", json=report(told))
    assert answer.status_code == 404


def deliveries(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    return list(client.get("/api/v1/deliveries", params=query).json()["items"])


def test_deliveries_are_listed_page_by_page_and_narrowed(serving: Serving, told: str) -> None:
    client = serving.user(Role.VIEWER)
    page = client.get("/api/v1/deliveries", params={"limit": 2}).json()
    rest = client.get("/api/v1/deliveries", params={"cursor": page["next_cursor"]}).json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
    (delivered,) = deliveries(client, state="delivered")
    assert (delivered["event_id"], delivered["reference"]) == (told, "C1")
    assert len(deliveries(client, destination="gone")) == 1
    assert deliveries(client, case_id="other") == []


def test_what_was_given_up_is_sent_again_by_a_supervisor(serving: Serving, told: str) -> None:
    claimed = claim(serving, "panorama")
    with serving.service.database.write() as session:
        queue.settle(session, claimed, Attempt(Outcome.REFUSED, 422, error="no"), NOW)
    (dead,) = deliveries(serving.user(Role.VIEWER), state="dead")
    assert dead["error"] == "no"
    answer = serving.user(Role.SUPERVISOR).post(f"/api/v1/deliveries/{dead['id']}/resend")
    assert answer.json()["state"] == "pending"
    audit = serving.user(Role.ADMIN).get("/api/v1/audit", params={"action": "delivery.resent"})
    assert audit.json()["items"][0]["actor"] == "user:a.supervisor"


def test_destinations_tell_how_they_are_and_are_resumed(serving: Serving, told: str) -> None:
    claimed = claim(serving, "gone")
    with serving.service.database.write() as session:
        queue.settle(session, claimed, Attempt(Outcome.GONE, 410, error="410 Gone"), NOW)
    listed = serving.user(Role.VIEWER).get("/api/v1/destinations").json()
    assert [(one["name"], one["waiting"]) for one in listed] == [
        *(("city", 0), ("panorama", 1), ("gone", 1)),
    ]
    assert listed[2]["gone_at"] is not None
    assert SECRET_TEXT not in json.dumps(listed)
    metrics = serving.user(Role.VIEWER).get("/metrics").text
    assert 'jiexu_destination_left_alone{destination="gone"} 1.0' in metrics
    assert 'jiexu_deliveries_waiting{destination="panorama"} 1.0' in metrics
    answer = serving.user(Role.SUPERVISOR).post("/api/v1/destinations/gone/resume")
    assert answer.json() == {"revived": 0}
    assert isinstance(claim(serving, "gone"), Claimed)


def test_verifications_that_ask_a_person_are_listed(serving: Serving, told: str) -> None:
    client = serving.user(Role.VIEWER)
    assert client.get("/api/v1/verifications").json() == []
    assert client.get("/api/v1/cases/violation-0/verifications").json() == []
    assert client.get("/api/v1/cases/none/verifications").status_code == 404


def asked(
    serving: Serving, mask: Callable[[bytes, str], bytes], seen_at: datetime
) -> tuple[TestClient, str]:
    """A reviewer, and where to answer of a handled case that its camera could not see."""
    service = serving.service
    intake = Intake(service.database, service.files, mask=mask, clock=service.clock)
    rules, dispatch = VerificationSettings(), service.settings.dispatch
    service.verifier = Verifier(
        service.database, intake, None, service.clock, rules, lambda: dispatch
    )
    serving.live.snapshots["gate-3"] = Snapshot(np.full((48, 64, 3), 90, np.uint8), seen_at)
    with service.database.write() as session:
        session.get_one(CaseRow, "violation-0").state = CaseState.HANDLED
        begin(session, "violation-0", "handled", NOW, rules)
        session.scalars(select(VerificationRow)).one().result = "cannot_see"
    client = serving.user(Role.REVIEWER)
    (look,) = client.get("/api/v1/verifications").json()
    return client, f"/api/v1/verifications/{look['id']}/answer"


def test_what_a_person_saw_is_kept_masked_and_sealed(serving: Serving, told: str) -> None:
    kept: list[bytes] = []

    def mask(data: bytes, _media_type: str) -> bytes:
        kept.append(data)
        return b"masked " + data

    seen_at = NOW + timedelta(minutes=7)
    client, path = asked(serving, mask, seen_at)
    assert client.post(path, json={"result": "gone"}).status_code == 200
    assert client.post(path, json={"result": "gone"}).status_code == 409
    assert len(kept) == 1

    (told_,) = client.get("/api/v1/cases/violation-0/verifications").json()
    evidence = client.get("/api/v1/cases/violation-0/evidence").json()
    after = {one["variant"]: one for one in evidence if one["role"] == "after"}
    assert set(after) == {"masked", "sealed"}
    assert after["masked"]["id"] == told_["after_id"]
    assert datetime.fromisoformat(after["masked"]["taken_at"]) == seen_at
    assert (
        serving.service.files.read(key_of(Variant.SEALED, after["sealed"]["sha256"], "image/jpeg"))
        == kept[0]
    )
    assert client.get(after["masked"]["link"]["url"]).content == b"masked " + kept[0]
    history = client.get("/api/v1/cases/violation-0/history").json()
    (verified,) = [step for step in history if step["action"] == "verify"]
    assert verified["details"]["after"] == after["masked"]["id"]


def test_an_answer_holds_where_its_picture_cannot_be_kept(serving: Serving, told: str) -> None:
    def broken(_data: bytes, _media_type: str) -> bytes:
        raise ModelError("the detector does not work")

    client, path = asked(serving, broken, NOW)
    answer = client.post(path, json={"result": "gone"})
    assert answer.status_code == 200
    (told_,) = client.get("/api/v1/cases/violation-0/verifications").json()
    assert told_["after_id"] is None


def test_a_person_who_is_asked_answers_once(serving: Serving, told: str) -> None:
    with serving.service.database.write() as session:
        session.get_one(CaseRow, "violation-0").state = CaseState.HANDLED
        begin(session, "violation-0", "handled", NOW, VerificationSettings())
    client = serving.user(Role.REVIEWER)
    (look,) = client.get("/api/v1/verifications").json()
    path = f"/api/v1/verifications/{look['id']}/answer"
    early = client.post(path, json={"result": "gone"})
    assert (early.status_code, early.json()["type"]) == (409, "urn:jiexu:problem:answered_already")
    with serving.service.database.write() as session:
        session.get_one(VerificationRow, look["id"]).result = "cannot_see"
    assert client.post(path, json={"result": "perhaps"}).status_code == 422
    answer = client.post(path, json={"result": "still_there", "remark": "seen on the spot"})
    assert (answer.status_code, answer.json()["state"]) == (200, "reopened")
    assert client.post(path, json={"result": "gone"}).status_code == 409
    assert (
        client.post("/api/v1/verifications/none/answer", json={"result": "gone"}).status_code == 404
    )
