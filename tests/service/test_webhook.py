"""A violation becomes a signed event, and an answer becomes a verdict."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from hypothesis import strategies as st
from posting import CREATED_AT, SECRET_TEXT, MakeRun, Receiver, Reply, picture_of, record

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.candidate import CandidateCase
from service.dispatch.destination import Destination
from service.dispatch.exchange import Timeouts, retry_after_s
from service.dispatch.secret import Secret
from service.dispatch.webhook import (
    Webhook,
    candidate_event,
    event_id,
    message,
)
from vision.errors import InputError
from vision.site import Camera

BODY = b'{"specversion": "1.0"}'


@pytest.fixture
def webhook(receiver: Receiver, secret: Secret) -> Iterator[Webhook]:
    with Webhook(Destination.parse(receiver.url), secret) as webhook:
        yield webhook


def post(webhook: Webhook) -> Attempt:
    return webhook.send("case_1", BODY, datetime.now(UTC))


def test_an_event_tells_of_the_violation_in_words() -> None:
    event = candidate_event(record())
    assert event.get_specversion() == "1.0"
    assert event.get_type() == "org.jiexu.case.candidate.v1"
    assert event.get_source() == f"urn:jiexu:camera:gate-3:recording:{'b' * 16}"
    assert event.get_subject() == "violation-0"
    assert event.get_time() == CREATED_AT
    case = CandidateCase.model_validate(event.get_data())
    assert (case.kind.id, case.kind.zh) == ("street_stall", "占道经营")
    assert case.evidence["scene"] is not None
    assert case.evidence["scene"].content_base64 is None
    assert case.evidence["clip"] is None
    assert case.camera.location is None
    assert (case.signs, case.rule.settings) == (("umbrella",), {"dwell_s": 60})


def test_an_event_survives_structured_mode() -> None:
    event = candidate_event(record())
    sent = message(event, "violation-0")
    parsed = from_http_event(
        HTTPMessage({"content-type": "application/cloudevents+json; charset=utf-8"}, sent.body)
    )
    assert sent.event_id == parsed.get_id() == event.get_id()
    assert parsed.get_attributes() == event.get_attributes()
    assert parsed.get_data() == event.get_data()


def test_the_site_file_adds_name_and_place() -> None:
    camera = Camera(id="gate-3", name="东门", lon=119.97, lat=31.81, coord_sys="gcj02")
    case = CandidateCase.model_validate(candidate_event(record(), camera=camera).get_data())
    assert case.camera.name == "东门"
    assert case.camera.location is not None
    assert case.camera.location.model_dump() == {"lon": 119.97, "lat": 31.81, "coord_sys": "gcj02"}


def test_a_kind_without_a_row_keeps_its_word() -> None:
    case = CandidateCase.model_validate(candidate_event(record(kind="bare_soil")).get_data())
    assert case.kind.model_dump() == {"id": "bare_soil", "en": "bare_soil", "zh": "bare_soil"}


def test_evidence_is_embedded_where_asked_for(make_run: MakeRun) -> None:
    event = candidate_event(record(), run_dir=make_run(1), embed=("scene", "clip"))
    scene = CandidateCase.model_validate(event.get_data()).evidence["scene"]
    assert scene is not None
    assert scene.content_base64 is not None
    assert base64.b64decode(scene.content_base64) == picture_of(0)


def test_evidence_that_is_not_what_was_recorded_is_not_sent(make_run: MakeRun) -> None:
    run_dir = make_run(1)
    (run_dir / "evidence/0-scene.jpg").write_bytes(b"another picture")
    with pytest.raises(InputError, match=r"0-scene\.jpg: is not the file"):
        candidate_event(record(), run_dir=run_dir, embed=("scene",))
    (run_dir / "evidence/0-scene.jpg").unlink()
    with pytest.raises(InputError, match=r"0-scene\.jpg: cannot be read"):
        candidate_event(record(), run_dir=run_dir, embed=("scene",))


@given(
    first=st.tuples(st.text(), st.text(), st.sampled_from("ab")),
    second=st.tuples(st.text(), st.text(), st.sampled_from("ab")),
)
def test_the_id_is_equal_for_equal_violations_only(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    def named(parts: tuple[str, str, str]) -> str:
        source = {"name": "x.mp4", "sha256": parts[2] * 64}
        return event_id(record(id=parts[0], camera_id=parts[1], source=source))

    assert (named(first) == named(second)) == (first == second)
    assert "." not in named(first)
    assert named(first).isascii()


def test_later_looks_at_a_violation_do_not_change_its_id() -> None:
    later = CREATED_AT + timedelta(hours=1)
    assert event_id(record()) == event_id(record(last_seen_at=later, ended_at=later, end_s=3600))


def test_a_receiver_can_verify_the_signature_and_sees_the_key(
    webhook: Webhook, receiver: Receiver
) -> None:
    attempt = post(webhook)
    assert attempt == Attempt(Outcome.DELIVERED, 201, reference="C1")
    headers, body = receiver.requests[0]
    assert body == BODY
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert (headers["webhook-id"], headers["idempotency-key"]) == ("case_1", '"case_1"')


def test_another_secret_is_refused(receiver: Receiver) -> None:
    wrong = Secret.parse("whsec_" + base64.b64encode(b"w" * 32).decode(), named="t")
    with Webhook(Destination.parse(receiver.url), wrong) as webhook:
        attempt = post(webhook)
    assert (attempt.outcome, attempt.status_code) == (Outcome.REFUSED, 401)
    assert attempt.concerns_all
    assert receiver.created == []


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(200), Outcome.DELIVERED),
        (Reply(202), Outcome.DELIVERED),
        (Reply(204), Outcome.DELIVERED),
        (Reply(409, "This case already exists"), Outcome.DUPLICATE),
        (Reply(409, '{"code": "ALREADY_EXISTS"}'), Outcome.DUPLICATE),
        (Reply(409, '{"message": "案件已存在"}'), Outcome.DUPLICATE),
        (Reply(409, "a request with this key is in progress"), Outcome.FAILED),
        (Reply(408), Outcome.FAILED),
        (Reply(425), Outcome.FAILED),
        (Reply(429), Outcome.FAILED),
        (Reply(500), Outcome.FAILED),
        (Reply(501), Outcome.FAILED),
        (Reply(503), Outcome.FAILED),
        (Reply(301, headers={"location": "/elsewhere"}), Outcome.FAILED),
        (Reply(303, headers={"location": "/elsewhere"}), Outcome.FAILED),
        (Reply(400), Outcome.REFUSED),
        (Reply(401), Outcome.REFUSED),
        (Reply(404), Outcome.REFUSED),
        (Reply(413), Outcome.REFUSED),
        (Reply(422), Outcome.REFUSED),
        (Reply(410), Outcome.GONE),
        (Reply(hangs_up=True), Outcome.FAILED),
    ],
    ids=lambda value: f"{value.status}{value.text}" if isinstance(value, Reply) else value.value,
)
def test_how_answers_are_read(
    webhook: Webhook, receiver: Receiver, reply: Reply, outcome: Outcome
) -> None:
    receiver.script.append(reply)
    attempt = post(webhook)
    assert attempt.outcome is outcome
    assert (attempt.error is None) == (outcome in (Outcome.DELIVERED, Outcome.DUPLICATE))
    assert len(receiver.requests) == 1


def test_nobody_there(stopped_receiver: Receiver, secret: Secret) -> None:
    with Webhook(Destination.parse(stopped_receiver.url), secret) as webhook:
        attempt = post(webhook)
    assert (attempt.outcome, attempt.status_code) == (Outcome.FAILED, None)
    assert attempt.error is not None
    assert "Connect" in attempt.error


def test_no_answer_in_time_says_so(receiver: Receiver, secret: Secret) -> None:
    receiver.script.append(Reply(delay_s=30))
    with Webhook(Destination.parse(receiver.url), secret, Timeouts(0.5, 0.5)) as webhook:
        attempt = post(webhook)
    assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "no answer within 0.5 s")


def test_an_answer_that_drips_for_ever_does_not_hold_us(secret: Secret) -> None:
    """A read timeout alone starts anew with each byte."""
    import socket
    import threading
    import time

    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        started = time.monotonic()
        with Webhook(Destination.parse(url), secret, Timeouts(0.5, 0.5)) as webhook:
            attempt = post(webhook)
        took_s = time.monotonic() - started
        over.set()
        thread.join()
    assert attempt.outcome is Outcome.FAILED
    assert took_s < 5


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_on_the_same_host_is_followed_with_the_same_id(
    webhook: Webhook, receiver: Receiver, status: int
) -> None:
    receiver.script.append(Reply(status, headers={"location": "/cases?moved=1"}))
    assert post(webhook).outcome is Outcome.DELIVERED
    assert receiver.ids == ["case_1", "case_1"]
    assert receiver.created == ["case_1"]


def test_a_redirect_to_another_server_is_not_followed(webhook: Webhook, receiver: Receiver) -> None:
    other = Receiver()
    other.start()
    try:
        receiver.script.append(Reply(307, headers={"location": other.url}))
        attempt = post(webhook)
    finally:
        other.stop()
    assert attempt.outcome is Outcome.FAILED
    assert attempt.error == f"redirects to another server (127.0.0.1:{other.port}); not followed"
    assert other.requests == []


def test_redirects_in_a_circle_come_to_an_end(webhook: Webhook, receiver: Receiver) -> None:
    receiver.always = Reply(307, headers={"location": "/cases"})
    attempt = post(webhook)
    assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "redirects without end")
    assert len(receiver.requests) == 4


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ('{"reference": "2026-7"}', "2026-7"),
        ('{"code": 200, "data": {"id": 17}}', "17"),
        ('[{"service_request_id": "638344"}]', "638344"),
        ('{"id": true}', None),
        ("OK", None),
        ("", None),
    ],
)
def test_the_reference_of_the_receiver_is_kept(
    webhook: Webhook, receiver: Receiver, text: str, reference: str | None
) -> None:
    receiver.script.append(Reply(200, text))
    assert post(webhook).reference == reference


def test_what_the_receiver_complains_of_is_told(webhook: Webhook, receiver: Receiver) -> None:
    receiver.script.append(Reply(422, '{"detail": "zone_id is\\n unknown"}'))
    assert post(webhook).error == "422 Unprocessable Entity: zone_id is unknown"


def test_neither_errors_nor_logs_repeat_credentials(
    receiver: Receiver, secret: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = receiver.url.replace("http://", "http://bureau:hunter2@") + "?token=opensesame"
    echo = "you are bureau:hunter2 " + base64.b64encode(b"bureau:hunter2").decode()
    receiver.script.append(Reply(400, f"{echo} with opensesame"))
    with Webhook(Destination.parse(url), secret) as webhook:
        attempt = post(webhook)
    assert "authorization" in receiver.requests[0][0]
    written = f"{attempt} {caplog.text} {secret!r}"
    key = SECRET_TEXT.removeprefix("whsec_")
    for word in ("hunter2", "opensesame", base64.b64encode(b"bureau:hunter2").decode(), key):
        assert word not in written


NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 04 May 2026 12:01:30 GMT", 90.0),
        ("Mon, 04 May 2026 11:00:00 GMT", 0.0),
        ("Tue, 05 May 2099 12:00:00 GMT", 86400.0),
        ("999999999999999999", 86400.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOON) == seconds


@given(st.text())
def test_any_retry_after_is_read_without_harm(value: str) -> None:
    seconds = retry_after_s(value, NOON)
    assert seconds is None or 0 <= seconds <= 86400


def test_the_published_schema_is_that_of_the_code() -> None:
    file = Path(__file__).parents[2] / "docs/case.candidate.v1.schema.json"
    published = json.loads(file.read_text("utf-8"))
    assert published.pop("$id") == candidate_event(record()).get_dataschema()
    assert published.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert published == CandidateCase.model_json_schema(mode="serialization")
