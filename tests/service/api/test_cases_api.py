from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from posting import CREATED_AT, FakeClock, picture_of, record
from serving import Serving

from service.api.evidence import byte_range
from service.api.problem import Problem
from service.cases.intake import Intake
from service.evidence.links import Grant, Signer
from service.store.tables import Role, Scope, Variant, ViolationRow


def masked(data: bytes, _media_type: str) -> bytes:
    return b"masked " + data


@pytest.fixture
def intake(serving: Serving) -> Intake:
    service = serving.service
    return Intake(service.database, service.files, mask=masked, clock=service.clock)


@pytest.fixture
def taken(intake: Intake, tmp_path: Path) -> None:
    """Ten violations of two kinds; the first has a picture."""
    scene = tmp_path / "scene.jpg"
    scene.write_bytes(picture_of(0))
    intake.take(record(0), {"scene": scene})
    for number in range(1, 10):
        at = CREATED_AT + timedelta(minutes=number)
        kind = "debris_pile" if number % 2 else "street_stall"
        intake.take(record(number, kind=kind, started_at=at, last_seen_at=at), {})


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


@pytest.mark.usefixtures("taken")
def test_cases_are_listed_newest_first_page_by_page(serving: Serving) -> None:
    client = serving.key(Scope.READ)
    found: list[str] = []
    cursor: str | None = None
    while True:
        query: dict[str, Any] = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = client.get("/api/v1/cases", params=query)
        found += ids(page)
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert found == [f"violation-{number}" for number in range(9, -1, -1)]


@pytest.mark.usefixtures("taken")
@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"kind": "debris_pile"}, [9, 7, 5, 3, 1]),
        ({"kind": ["debris_pile", "street_stall"], "limit": 3}, [9, 8, 7]),
        ({"state": "candidate", "order": "oldest", "limit": 2}, [0, 1]),
        ({"state": "closed"}, []),
        ({"camera_id": "gate-3", "zone_id": "footway", "limit": 1}, [9]),
        ({"camera_id": "elsewhere"}, []),
        ({"raised_from": "2026-05-04T17:08:00+08:00"}, [9, 8]),
        ({"raised_before": "2026-05-04T09:02:00Z"}, [1, 0]),
        ({"ongoing": "false"}, []),
    ],
)
def test_cases_are_narrowed(serving: Serving, query: dict[str, Any], wanted: list[int]) -> None:
    answer = serving.user(Role.VIEWER).get("/api/v1/cases", params=query)
    assert ids(answer) == [f"violation-{number}" for number in wanted]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 201},
        {"cursor": "nonsense"},
        {"cursor": "WyIyMDI2IiwxXQ"},
        {"state": "lost"},
        {"zone_id": "footway"},
        {"raised_from": "2026-05-04T09:00:00"},
        {"raised_from": "0001-01-01T00:00:00+14:00"},
        {"order": "random"},
        {"kind": "a\tb"},
    ],
)
def test_wrong_queries_are_refused(serving: Serving, query: dict[str, Any]) -> None:
    answer = serving.user(Role.VIEWER).get("/api/v1/cases", params=query)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"].startswith("query.")


@pytest.mark.usefixtures("taken")
def test_a_case_its_history_and_its_violation(serving: Serving) -> None:
    client = serving.user(Role.VIEWER)
    case = client.get("/api/v1/cases/violation-0").json()
    assert (case["state"], case["kind_zh"]) == ("candidate", "占道经营")
    (step,) = client.get("/api/v1/cases/violation-0/history").json()
    assert (step["actor"], step["action"]) == ("camera:gate-3", "raised")
    violation = client.get("/api/v1/violations/violation-0").json()
    assert violation["case_id"] == "violation-0"
    assert violation["record"] == record(0).model_dump(mode="json")
    listed = client.get("/api/v1/violations", params={"kind": "street_stall", "limit": 2}).json()
    assert [one["record"]["id"] for one in listed["items"]] == ["violation-8", "violation-6"]
    for path in ("cases/x", "cases/x/history", "cases/x/evidence", "violations/x"):
        assert client.get(f"/api/v1/{path}").status_code == 404


def files_of(serving: Serving) -> dict[str, dict[str, Any]]:
    answer = serving.user(Role.REVIEWER).get(
        "/api/v1/cases/violation-0/evidence", params={"reason": "review"}
    )
    assert answer.status_code == 200
    return {one["variant"]: one for one in answer.json()}


@pytest.mark.usefixtures("taken")
def test_masked_evidence_is_linked_and_the_original_is_not(serving: Serving) -> None:
    found = files_of(serving)
    assert found["sealed"]["link"] is None
    url = found["masked"]["link"]["url"]
    assert url.startswith("https://jiexu.test/api/v1/evidence/")
    answer = serving.anyone().get(url)
    assert answer.content == masked(picture_of(0), "")
    assert answer.headers["content-type"] == "image/jpeg"
    assert hashlib.sha256(answer.content).hexdigest() == found["masked"]["sha256"]
    (line,) = (
        serving.user(Role.ADMIN)
        .get("/api/v1/audit", params={"action": "evidence.listed"})
        .json()["items"]
    )
    assert (line["actor"], line["reason"]) == ("user:a.reviewer", "review")
    assert line["subject"] == "case:violation-0"


@pytest.mark.usefixtures("taken")
def test_an_original_is_opened_with_a_reason_and_each_read_is_audited(serving: Serving) -> None:
    id_ = files_of(serving)["sealed"]["id"]
    path = f"/api/v1/evidence/{id_}/open"
    assert serving.user(Role.REVIEWER).post(path, json={"reason": "curious"}).status_code == 403
    supervisor = serving.user(Role.SUPERVISOR)
    assert supervisor.post(path, json={}).status_code == 422
    assert supervisor.post(path, json={"reason": "  "}).status_code == 422
    link = supervisor.post(path, json={"reason": "plate for the notice"}).json()["url"]
    for _ in range(2):
        answer = serving.anyone().get(link)
        assert answer.content == picture_of(0)
        assert answer.headers["cache-control"] == "private, no-store"
    lines = (
        serving.user(Role.ADMIN)
        .get("/api/v1/audit", params={"subject": "case:violation-0"})
        .json()["items"]
    )
    told = [(one["action"], one["actor"], one["reason"]) for one in lines]
    assert told[:3] == [
        ("evidence.read", "user:a.supervisor", None),
        ("evidence.read", "user:a.supervisor", None),
        ("evidence.opened", "user:a.supervisor", "plate for the notice"),
    ]


@pytest.mark.usefixtures("taken")
def test_links_hold_for_one_file_and_a_short_time(serving: Serving, clock: FakeClock) -> None:
    found = files_of(serving)
    url = found["masked"]["link"]["url"]
    other = url.replace(found["masked"]["id"], found["sealed"]["id"])
    until = int(clock.now().timestamp()) + 999
    grant = Grant(evidence_id=found["sealed"]["id"], actor="user:x", until=until)
    forged = Signer(b"the secret of someone else, 32 b").token(grant)
    client = serving.anyone()
    assert client.get(other).status_code == 403
    assert client.get(url[:-2]).status_code == 403
    sealed = f"/api/v1/evidence/{found['sealed']['id']}"
    assert client.get(sealed, params={"grant": forged}).status_code == 403
    for nonsense in ("", "a.b", "....", "é", "a" * 1000):
        assert client.get(sealed, params={"grant": nonsense}).status_code == 403
    clock.sleep(serving.service.settings.link_s - 5)
    assert client.get(url).status_code == 200
    clock.sleep(6)
    assert client.get(url).status_code == 403


@pytest.mark.usefixtures("taken")
def test_ranges_of_a_file(serving: Serving) -> None:
    whole = masked(picture_of(0), "")
    found = files_of(serving)["masked"]
    client = serving.anyone()

    def get(range_: str) -> Any:
        return client.get(found["link"]["url"], headers={"range": range_})

    part = get("bytes=2-5")
    assert (part.status_code, part.content) == (206, whole[2:6])
    assert part.headers["content-range"] == f"bytes 2-5/{len(whole)}"
    assert get("bytes=-4").content == whole[-4:]
    assert get("bytes=3-").content == whole[3:]
    assert (get("bytes=0-").status_code, get("bytes=0-").content) == (200, whole)
    beyond = get(f"bytes={len(whole)}-")
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"
    known = client.get(found["link"]["url"], headers={"if-none-match": f'"{found["sha256"]}"'})
    assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, (0, 10)),
        ("bytes=0-0", (0, 1)),
        ("bytes=4-99", (4, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=5-2", (0, 10)),
        ("bytes=0-1,4-5", (0, 10)),
        ("lines=1-2", (0, 10)),
        ("bytes=-", (0, 10)),
    ],
)
def test_byte_ranges_as_rfc_9110_reads_them(header: str | None, wanted: tuple[int, int]) -> None:
    assert byte_range(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_ranges_without_a_byte_are_refused(header: str) -> None:
    with pytest.raises(Problem) as told:
        byte_range(header, 10)
    assert told.value.status == 416


@pytest.mark.usefixtures("taken")
def test_a_file_that_is_gone_is_said_to_be(serving: Serving) -> None:
    found = files_of(serving)["masked"]
    service = serving.service
    service.files.remove(f"{Variant.MASKED}/{found['sha256'][:2]}/{found['sha256']}.jpg")
    assert serving.anyone().get(found["link"]["url"]).status_code == 410


def test_the_violations_of_a_case_tell_how_much_was_seen(serving: Serving, intake: Intake) -> None:
    dwell = {"observed_s": 50.0, "bridged_s": 10.0, "unknown_s": 0.0}
    intake.take(record(0), {})
    intake.take(
        record(1, box=record(0).box, raised_at=CREATED_AT + timedelta(hours=1), dwell=dwell), {}
    )
    answer = serving.user(Role.VIEWER).get("/api/v1/cases/violation-0/violations")
    told = [(one["case_id"], one["record"]["id"], one["record"]["dwell"]) for one in answer.json()]
    assert told == [("violation-0", "violation-0", None), ("violation-0", "violation-1", dwell)]
    assert serving.user(Role.VIEWER).get("/api/v1/cases/none/violations").status_code == 404


def test_a_violation_kept_by_an_older_version_has_no_ledger(
    serving: Serving, intake: Intake
) -> None:
    intake.take(record(0), {})
    with serving.service.database.write() as session:
        row = session.get_one(ViolationRow, "violation-0")
        row.record = {name: value for name, value in row.record.items() if name != "dwell"}
    answer = serving.user(Role.VIEWER).get("/api/v1/violations/violation-0")
    assert answer.json()["record"]["dwell"] is None
