from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from posting import FakeClock, record
from serving import Serving, camera
from sqlalchemy.exc import OperationalError

from service.api.idempotency import ABANDONED_S
from service.cameras.counts import DetectorCounts
from service.cases.intake import Intake
from service.live import Snapshot
from service.store.tables import IdempotencyRow, Role, Scope

CAMERAS = "/api/v1/cameras"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("PATCH", "/api/v1/cases", 405),
        ("GET", "/api/v1/cases?limit=x", 422),
        ("GET", "/api/v1/cases/a%00b", 422),
        ("GET", "/api/v1/cases?camera_id=a%00b", 422),
        ("GET", "/api/v1/cameras/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/api/v1/cameras/%2e%2e", 404),
        ("GET", "/api/v1/cases/' OR 1=1 --", 422),
    ],
)
def test_every_error_is_a_problem(serving: Serving, method: str, path: str, status: int) -> None:
    answer = serving.user(Role.ADMIN).request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"].startswith("urn:jiexu:problem:")
    assert told["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff\xfe", b"9" * 10000])
def test_a_body_that_is_no_form_is_refused(serving: Serving, body: bytes) -> None:
    answer = serving.user(Role.ADMIN).post(
        CAMERAS, content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_was_sent_is_not_sent_back(serving: Serving) -> None:
    form = {"name": "x", "password": {"secret": "hunter2hunter2"}}
    answer = serving.anyone().post("/api/v1/session", json=form)
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


def test_an_error_of_ours_tells_nothing_but_its_id(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    client = serving.user(Role.VIEWER)
    monkeypatch.setattr("service.api.cases.case_page", broken)
    answer = client.get("/api/v1/cases")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    counted = 'route="/api/v1/cases",status="500"} 1.0'
    assert counted in serving.user(Role.VIEWER).get("/metrics").text


def test_a_database_that_is_away_is_told_as_such(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT secret", {}, Exception("gone"))

    client = serving.user(Role.VIEWER)
    monkeypatch.setattr("service.api.cases.case_page", away)
    answer = client.get("/api/v1/cases")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "SELECT" not in answer.text


def test_large_bodies_are_refused_where_none_are_needed(serving: Serving) -> None:
    answer = serving.user(Role.ADMIN).post(CAMERAS, json=camera(name="x" * 2_000_000))
    assert answer.status_code == 413


def test_a_request_keeps_the_id_that_it_came_with(serving: Serving) -> None:
    client = serving.anyone()
    answer = client.get("/healthz", headers={"x-request-id": "trace-12345678"})
    assert answer.headers["x-request-id"] == "trace-12345678"
    other = client.get("/healthz", headers={"x-request-id": "<script>"})
    assert "script" not in other.headers["x-request-id"]


class TestIdempotency:
    def make(self, serving: Serving, key: str = "k1", **changes: Any) -> Any:
        return serving.user(Role.SUPERVISOR).post(
            CAMERAS, json=camera(**changes), headers={"idempotency-key": key}
        )

    def test_the_first_answer_is_given_again(self, serving: Serving) -> None:
        first, second = self.make(serving), self.make(serving)
        assert first.status_code == second.status_code == 201
        assert first.content == second.content
        assert second.headers["etag"] == first.headers["etag"]
        assert second.headers["location"] == "/api/v1/cameras/gate-3"
        assert second.headers["idempotent-replayed"] == "true"
        assert serving.live.changed == ["gate-3"]

    def test_another_request_under_the_same_key_is_refused(self, serving: Serving) -> None:
        self.make(serving)
        answer = self.make(serving, name="other")
        assert (answer.status_code, answer.json()["type"]) == (
            422,
            "urn:jiexu:problem:idempotency_key_reused",
        )

    def test_keys_of_others_are_others(self, serving: Serving) -> None:
        self.make(serving)
        other = serving.user(Role.ADMIN).post(
            CAMERAS, json=camera(), headers={"idempotency-key": "k1"}
        )
        assert other.status_code == 409
        assert "idempotent-replayed" not in other.headers

    def test_a_refusal_that_may_pass_is_not_kept(self, serving: Serving) -> None:
        wrong = {"idempotency-key": "k2", "x-csrf-token": "wrong"}
        client = serving.user(Role.SUPERVISOR)
        assert client.post(CAMERAS, json=camera(), headers=wrong).status_code == 403
        assert self.make(serving, "k2").status_code == 201

    def test_while_the_first_is_being_answered_the_second_waits(
        self, serving: Serving, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def slowly(_id: str) -> None:
            begun.set()
            assert go_on.wait(30)

        serving.user(Role.SUPERVISOR)
        monkeypatch.setattr(serving.live, "settings_changed", slowly)
        answers: list[Any] = []
        first = threading.Thread(target=lambda: answers.append(self.make(serving)))
        first.start()
        assert begun.wait(30)
        second = self.make(serving)
        assert (second.status_code, second.headers["retry-after"]) == (409, "2")
        go_on.set()
        first.join()
        assert answers[0].status_code == 201

    def test_a_key_whose_worker_died_is_free_again(
        self, serving: Serving, clock: FakeClock
    ) -> None:
        self.make(serving)
        with serving.service.database.write() as session:
            session.query(IdempotencyRow).update({"status": None})
        assert self.make(serving).status_code == 409
        clock.sleep(ABANDONED_S + 1)
        # The camera is there: the work is done again, and finds it.
        assert self.make(serving).json()["type"] == "urn:jiexu:problem:exists"


def test_operations_ask_without_a_login_and_metrics_with_one(serving: Serving) -> None:
    client = serving.anyone()
    assert client.get("/healthz").json()["status"] == "alive"
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/metrics").status_code == 401
    serving.user(Role.SUPERVISOR).post(CAMERAS, json=camera())
    text = serving.key(Scope.READ).get("/metrics").text
    assert 'jiexu_cameras{enabled="true"} 1.0' in text
    assert 'jiexu_cases{state="candidate"} 0.0' in text
    posted = 'method="POST",route="/api/v1/cameras",status="201"'
    assert f"jiexu_http_requests_total{{{posted}}} 1.0" in text


def test_metrics_say_how_each_camera_is(serving: Serving, clock: FakeClock) -> None:
    serving.user(Role.SUPERVISOR).post(CAMERAS, json=camera())
    assert "jiexu_camera_live{" not in serving.key(Scope.READ).get("/metrics").text
    picture = np.zeros((4, 4, 3), np.uint8)
    serving.live.snapshots["gate-3"] = Snapshot(picture, clock.now() - timedelta(seconds=7))
    text = serving.key(Scope.READ).get("/metrics").text
    assert 'jiexu_camera_live{camera="gate-3"} 1.0' in text
    assert 'jiexu_camera_last_frame_age_seconds{camera="gate-3"} 7.0' in text
    assert 'jiexu_camera_reconnects{camera="gate-3"} 0.0' in text


def test_metrics_say_what_looks_and_detectors_come_to(serving: Serving) -> None:
    counts = DetectorCounts(pictures=10, seconds=0.5, together=25, in_flight=2, waiting=1)
    counting = Serving(replace(serving.service, detector_counts=lambda: {"street": counts}))
    text = counting.key(Scope.READ).get("/metrics").text
    for line in (
        'jiexu_camera_looks_total{camera="gate-3"} 12.0',
        'jiexu_camera_gate_skips_total{camera="gate-3"} 5.0',
        'jiexu_camera_decode_seconds_total{camera="gate-3"} 0.25',
        'jiexu_looks_shed_total{pace="closer"} 3.0',
        "jiexu_looks_failed_total 1.0",
        'jiexu_reader_restarts_total{reason="hung"} 4.0',
        'jiexu_detector_pictures_total{model="street"} 10.0',
        'jiexu_detector_seconds_total{model="street"} 0.5',
        'jiexu_detector_batched_total{model="street"} 25.0',
        'jiexu_detector_in_flight{model="street"} 2.0',
        'jiexu_detector_queue{model="street"} 1.0',
    ):
        assert line in text
    assert "jiexu_intake_lag_seconds{" not in text


def test_metrics_say_how_long_storing_a_violation_takes(serving: Serving, clock: FakeClock) -> None:
    intake = Intake(serving.service.database, serving.service.files, mask=no_mask, clock=clock.now)
    for number, lag_s in enumerate((2, 3, 40, 7200)):
        raised_at = clock.now() - timedelta(seconds=lag_s)
        known = record(number).model_copy(update={"raised_at": raised_at})
        intake.take(known, {})
    text = serving.key(Scope.READ).get("/metrics").text
    assert 'jiexu_intake_lag_seconds{of="median"} 3.0' in text
    assert 'jiexu_intake_lag_seconds{of="longest"} 40.0' in text


def no_mask(data: bytes, media_type: str) -> bytes | None:
    return None


def test_not_ready_is_said_with_its_reason(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(serving.service, "detector_fault", lambda: "the canary was not seen")
    answer = serving.anyone().get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the canary was not seen")
