from __future__ import annotations

from typing import Any

import pytest
from serving import Serving
from starlette.testclient import TestClient

from service.store.tables import CaseRow, CaseState, Role

PATH = "/api/v1/cases/case-{}/{}"


@pytest.fixture
def queued(serving: Serving) -> None:
    """Three candidates; the last one has priority."""
    now = serving.service.clock()
    with serving.service.database.write() as session:
        for number in range(3):
            session.add(
                CaseRow(
                    id=f"case-{number}",
                    state=CaseState.CANDIDATE,
                    kind="street_stall",
                    camera_id="gate-3",
                    zone_id="footway",
                    confidence=0.7,
                    experimental=False,
                    started_at=now,
                    raised_at=now,
                    queue_at=now if number < 2 else now.replace(year=now.year - 1),
                    created_at=now,
                    updated_at=now,
                )
            )


def post(
    client: TestClient, number: int, what: str, version: int | None = None, **form: Any
) -> Any:
    headers = {} if version is None else {"if-match": f'"{version}"'}
    return client.post(PATH.format(number, what), json=form or None, headers=headers)


@pytest.mark.usefixtures("queued")
def test_next_is_claimed_decided_and_taken_back(serving: Serving) -> None:
    client, other = serving.user(Role.REVIEWER), serving.user(Role.SUPERVISOR)
    answer = client.post("/api/v1/review/next")
    case = answer.json()
    assert (answer.status_code, case["id"], case["claimed_by"]) == (
        200,
        "case-2",
        "user:a.reviewer",
    )
    assert post(other, 2, "claim").json()["type"] == "urn:jiexu:problem:claimed"
    following = client.post("/api/v1/review/next", params={"skip": "case-2"}).json()
    assert following["id"] == "case-0"

    decided = post(client, 2, "decisions", 1, verdict="confirm", on_screen_s=1.5)
    assert (decided.status_code, decided.headers["etag"]) == (200, '"2"')
    assert decided.json()["state"] == "confirmed"
    (decision,) = other.get(PATH.format(2, "decisions")).json()
    assert (decision["reviewer"], decision["on_screen_s"]) == ("user:a.reviewer", 1.5)
    assert post(other, 2, "undo").json()["type"] == "urn:jiexu:problem:undo_refused"
    undone = post(client, 2, "undo").json()
    assert (undone["state"], undone["claimed_by"]) == ("candidate", "user:a.reviewer")
    assert post(client, 2, "release").json()["claimed_by"] is None


@pytest.mark.usefixtures("queued")
def test_a_decision_says_which_version_it_is_of(serving: Serving) -> None:
    client = serving.user(Role.REVIEWER)
    assert post(client, 0, "decisions", verdict="confirm").status_code == 428
    stale = post(client, 0, "decisions", 7, verdict="confirm")
    assert (stale.status_code, stale.headers["etag"]) == (412, '"1"')
    wrong = post(client, 0, "decisions", 1, verdict="reject", reason="bored")
    assert wrong.json()["errors"][0]["field"] == "body.reason"
    other = post(client, 0, "decisions", 1, verdict="reject", reason="duplicate", duplicate_of="x")
    assert other.json()["errors"][0]["field"] == "body.duplicate_of"
    assert post(client, 0, "decisions", 1, verdict="confirm", box=[1, 2, 3]).status_code == 422
    assert post(client, 9, "decisions", 1, verdict="confirm").status_code == 404


@pytest.mark.usefixtures("queued")
def test_a_decision_that_is_sent_again_is_made_once(serving: Serving) -> None:
    client = serving.user(Role.REVIEWER)
    headers = {"if-match": '"1"', "idempotency-key": "k1"}
    first, again = (
        client.post(PATH.format(0, "decisions"), json={"verdict": "confirm"}, headers=headers)
        for _ in range(2)
    )
    assert (first.json(), first.headers["etag"]) == (again.json(), again.headers["etag"])
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.usefixtures("queued")
def test_several_are_decided_each_by_itself(serving: Serving) -> None:
    client = serving.user(Role.REVIEWER)
    post(serving.user(Role.SUPERVISOR), 1, "claim")
    same = {"verdict": "reject", "reason": "permitted"}
    asked = [
        {"case_id": "case-0", "version": 1, **same},
        {"case_id": "case-1", "version": 1, **same},
        {"case_id": "case-2", "version": 4, **same},
        {"case_id": "nowhere", "version": 1, **same},
        {"case_id": "case-2", "version": 1, "verdict": "reject"},
    ]
    results = client.post("/api/v1/review/decisions", json={"decisions": asked}).json()
    assert [one["status"] for one in results] == [200, 409, 412, 404, 422]
    assert results[0]["case"]["state"] == "rejected"
    assert results[4]["detail"].startswith("body.decisions[4].reason")


@pytest.mark.usefixtures("queued")
def test_the_queue_its_counts_and_reasons(serving: Serving) -> None:
    client = serving.user(Role.REVIEWER)
    queue = client.get("/api/v1/review/queue", params={"limit": 2}).json()
    assert [one["id"] for one in queue["first"]] == ["case-2", "case-0"]
    assert queue["counts"] == [
        {"kind": "street_stall", "stage": "first", "waiting": 3, "claimed": 0}
    ]
    none = client.post("/api/v1/review/next", params={"kind": "debris_pile"})
    assert (none.status_code, none.content) == (204, b"")
    reasons = client.get("/api/v1/review/reasons").json()
    assert len({one["key"] for one in reasons}) == len(reasons)
    supervisor = serving.user(Role.SUPERVISOR)
    assert supervisor.get("/api/v1/review/agreement").json() == {
        "cases": 0,
        "agreed": 0,
        "kappa": None,
    }


@pytest.mark.usefixtures("queued")
def test_supervisors_take_steps_by_hand_and_say_why(serving: Serving) -> None:
    supervisor = serving.user(Role.SUPERVISOR)
    post(supervisor, 0, "decisions", 1, verdict="confirm")
    assert post(supervisor, 0, "steps", 2, action="cancel").status_code == 422
    assert post(supervisor, 0, "steps", action="cancel", reason="a test").status_code == 428
    early = post(supervisor, 0, "steps", 2, action="close", reason="a test")
    assert early.json()["type"] == "urn:jiexu:problem:not_possible"
    assert post(supervisor, 0, "steps", 2, action="submit", reason="a test").status_code == 409
    cancelled = post(supervisor, 0, "steps", 2, action="cancel", reason="a test")
    assert cancelled.json()["state"] == "cancelled"
    (line,) = (
        serving.user(Role.ADMIN)
        .get("/api/v1/audit", params={"action": "case.cancel"})
        .json()["items"]
    )
    assert (line["subject"], line["reason"]) == ("case:case-0", "a test")


@pytest.mark.usefixtures("queued")
def test_the_class_of_a_case_says_what_it_needs(serving: Serving) -> None:
    client = serving.user(Role.VIEWER)
    found = client.get(PATH.format(0, "class")).json()
    assert (found["code_system"], found["code"]) == ("gb30428.2-2013", "0401")
    assert (found["limit_amount"], found["limit_clock"]) == (2.0, "urgent_hour")
    assert found["missing"] == ["scene", "crop"]
    with serving.service.database.write() as session:
        session.get_one(CaseRow, "case-1").kind = "standing_object"
    assert client.get(PATH.format(1, "class")).status_code == 204


@pytest.mark.usefixtures("queued")
def test_a_confirmed_case_has_code_and_deadline(serving: Serving) -> None:
    case = post(serving.user(Role.REVIEWER), 0, "decisions", 1, verdict="confirm").json()
    assert (case["code_system"], case["code"]) == ("gb30428.2-2013", "0401")
    assert case["deadline_at"] is not None


@pytest.mark.usefixtures("queued")
def test_related_cases_are_those_that_are_linked_or_there(serving: Serving) -> None:
    client = serving.user(Role.REVIEWER)
    same = {"verdict": "reject", "reason": "duplicate", "duplicate_of": "case-1"}
    assert post(client, 0, "decisions", 1, **same).status_code == 200
    (related,) = client.get(PATH.format(1, "related")).json()
    assert (related["relation"], related["case"]["id"]) == ("duplicate_of", "case-0")
