"""What the webhook and the panorama interface are sent, and how their answers are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dispatch_rig import NOW, TOKEN, free_port, listening, notice, panorama, settings, webhook
from fastapi import FastAPI, Request, Response
from posting import SECRET_TEXT
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook as StandardWebhook

from service.dispatch.adapters.panorama import PanoramaAdapter, event_body, from_shanghai
from service.dispatch.adapters.webhook import WebhookAdapter, case_event
from service.dispatch.attempt import Outcome
from service.dispatch.candidate import CaseCamera, CaseLocation
from service.dispatch.coordinates import PlaceError
from service.dispatch.notice import EvidenceAccess, Subject
from service.dispatch.platforms import PanoramaPlatform, WebhookPlatform
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.reach import AddressPolicy
from service.settings import load_settings
from service.store.tables import Variant
from vision.errors import ConfigError

LOCAL = AddressPolicy(networks=settings(city=webhook()).networks)


@dataclass
class Receiver:
    """Answers what a test says and keeps what it was sent."""

    answer: tuple[int, str] = (200, '{"code": 200, "message": "请求已成功", "data": {}}')
    sent: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/take")
        async def take(request: Request) -> Response:
            self.sent.append((dict(request.headers), await request.body()))
            status, text = self.answer
            return Response(text, status, media_type="application/json")

        return app


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[Receiver, str]]:
    one = Receiver()
    with listening(one.app(), free_port()) as url:
        yield one, f"{url}/take"


@pytest.fixture
def taker(listener: tuple[Receiver, str]) -> Receiver:
    one, _ = listener
    one.answer, one.sent = Receiver.answer, []
    return one


def access(folder: Path) -> EvidenceAccess:
    files = EvidenceFiles(folder / "evidence")
    signer = Signer(b"a secret of the tests, 32 bytes..")
    return EvidenceAccess(files, signer, "https://jiexu.test", "city")


def of_webhook(url: str = "http://127.0.0.1:9/", **changes: Any) -> WebhookPlatform:
    found = settings(city=webhook(url, **changes)).destinations["city"]
    assert isinstance(found, WebhookPlatform)
    return found


def of_panorama(url: str = "http://127.0.0.1:9/", **changes: Any) -> PanoramaPlatform:
    found = settings(city=panorama(url, **changes)).destinations["city"]
    assert isinstance(found, PanoramaPlatform)
    return found


def test_an_event_is_signed_idempotent_and_the_same_in_every_attempt(
    taker: Receiver, listener: tuple[Receiver, str], tmp_path: Path
) -> None:
    taker.answer = (201, '{"reference": "C7"}')
    one = WebhookAdapter(of_webhook(listener[1], evidence="links"), access(tmp_path), LOCAL)
    with one:
        for minutes in (0, 5):
            at = NOW + timedelta(minutes=minutes)
            attempt = one.send(notice(), at, reference=None, maybe_sent_at=None)
            assert (attempt.outcome, attempt.reference) == (Outcome.DELIVERED, "C7")
    (first, body), (second, again) = taker.sent
    assert body == again
    assert first["webhook-id"] == second["webhook-id"] == f"case_{'0' * 32}"
    assert first["webhook-signature"] != second["webhook-signature"]
    event = json.loads(body)
    assert (event["specversion"], event["type"]) == ("1.0", "org.jiexu.case.confirmed.v1")
    assert event["data"]["evidence"][0]["url"].startswith("https://jiexu.test/api/v1/evidence/e1")
    assert "key" not in event["data"]["evidence"][0], "where it lies is ours"


def test_the_signature_is_one_that_the_standard_library_accepts(
    taker: Receiver, listener: tuple[Receiver, str], tmp_path: Path
) -> None:
    with WebhookAdapter(of_webhook(listener[1]), access(tmp_path), LOCAL) as one:
        one.send(notice(), datetime.now(UTC), reference=None, maybe_sent_at=None)
    headers, body = taker.sent[0]
    assert StandardWebhook(SECRET_TEXT).verify(body, headers)


def test_places_are_told_in_the_system_that_the_platform_wants(tmp_path: Path) -> None:
    for system, lon in (("gcj02", 119.97875), ("wgs84", 119.974), ("cgcs2000", 119.974)):
        event = case_event(notice(), of_webhook(coord_sys=system), access(tmp_path), None)
        location = event.get_data()["camera"]["location"]  # type: ignore[index]
        assert location["coord_sys"] == system
        assert location["lon"] == pytest.approx(lon, abs=1e-5)


def test_evidence_is_uploaded_where_that_is_wanted(tmp_path: Path) -> None:
    given = access(tmp_path)
    key = given.files.keep(Variant.MASKED, b"masked picture", "image/jpeg")
    (one,) = notice().evidence
    told = notice(evidence=(one.model_copy(update={"key": key}),))
    event = case_event(told, of_webhook(evidence="upload"), given, None)
    data: Any = event.get_data()
    assert data["evidence"][0]["content_base64"] == "bWFza2VkIHBpY3R1cmU="


def test_a_panorama_event(tmp_path: Path) -> None:
    body = event_body(notice(), of_panorama(evidence="links"), access(tmp_path))
    assert body["eventId"] == body["processEventId"] == f"case_{'0' * 32}"
    assert body["eventTime"] == "2026-05-04 18:00:00", "Shanghai's, without a zone"
    assert (body["eventType"], body["confirm"], body["processEventStatus"]) == (99, 1, 1)
    assert body["longitude"] == pytest.approx(119.974, abs=1e-5)
    assert body["latitude"] == pytest.approx(31.811, abs=1e-5)
    assert body["eventImgBig"].startswith("https://jiexu.test/api/v1/evidence/e1")


@pytest.mark.parametrize(
    ("subject", "seen"), [(Subject.REOPENED, 1), (Subject.VERIFIED, 0), (Subject.CANCELLED, 0)]
)
def test_what_follows_names_the_first_event_and_whether_it_is_seen(
    tmp_path: Path, subject: Subject, seen: int
) -> None:
    told = notice(id="case_" + "1" * 32, number=2, subject=subject)
    body = event_body(told, of_panorama(), access(tmp_path))
    assert (body["eventId"], body["processEventId"]) == (told.id, told.first_id)
    assert body["processEventStatus"] == seen


def test_swapped_longitude_and_latitude_never_leave_the_house(tmp_path: Path) -> None:
    swapped = CaseLocation(lon=31.811, lat=119.974 - 60, coord_sys="wgs84")
    camera = CaseCamera(id="gate-3", location=swapped)
    with pytest.raises(PlaceError):
        event_body(notice(camera=camera), of_panorama(), access(tmp_path))
    with pytest.raises(PlaceError, match="not known"):
        event_body(notice(camera=CaseCamera(id="x")), of_panorama(), access(tmp_path))


@pytest.mark.parametrize(
    ("answer", "outcome", "concerns_all"),
    [
        ('{"code": 200, "message": "ok", "data": {"id": "E1"}}', Outcome.DELIVERED, False),
        ('{"code": 400, "message": "参数错误"}', Outcome.REFUSED, False),
        ('{"code": 401, "message": "未授权"}', Outcome.REFUSED, True),
        ('{"code": 500, "message": "系统错误"}', Outcome.FAILED, False),
        ("<html>login</html>", Outcome.FAILED, False),
    ],
)
def test_the_code_in_an_answer_counts_not_its_status(
    taker: Receiver,
    listener: tuple[Receiver, str],
    tmp_path: Path,
    *,
    answer: str,
    outcome: Outcome,
    concerns_all: bool,
) -> None:
    taker.answer = (200, answer)
    with PanoramaAdapter(of_panorama(listener[1]), access(tmp_path), LOCAL) as one:
        attempt = one.send(notice(), NOW, reference=None, maybe_sent_at=None)
    assert (attempt.outcome, attempt.concerns_all) == (outcome, concerns_all)


def test_times_of_callbacks_are_shanghais() -> None:
    assert from_shanghai("2026-05-04 18:00:00") == NOW
    with pytest.raises(ValueError, match="does not match"):
        from_shanghai("2026-05-04T18:00:00Z")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"url": "ftp://x"}, "http"),
        ({"kinds": ["stall"]}, "unknown kinds: stall"),
        ({"secret": "whsec_short"}, "secret"),
        ({"rate": 3}, "rate"),
    ],
)
def test_wrong_settings_name_the_field_and_show_no_secret(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(city=webhook(**changes))
    assert named in str(caught.value.errors(include_input=False))


def test_settings_in_a_file_and_secrets_in_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "service.yaml"
    path.write_text(
        "dispatch:\n  destinations:\n    city:\n      interface: webhook\n"
        "      url: https://city.test/cases\n      evidence: none\n"
    )
    with pytest.raises(ConfigError, match=r"dispatch\.destinations\.city"):
        load_settings(path)
    monkeypatch.setenv("JIEXU_DISPATCH__DESTINATIONS__CITY__SECRET", SECRET_TEXT)
    found = load_settings(path)
    assert SECRET_TEXT not in repr(found)
    assert isinstance(found.dispatch.destinations["city"], WebhookPlatform)


def test_links_to_evidence_need_an_address_that_platforms_reach(tmp_path: Path) -> None:
    path = tmp_path / "service.yaml"
    path.write_text(
        "dispatch:\n  destinations:\n    city:\n      interface: panorama\n"
        f"      url: https://city.test/x\n      coord_sys: gcj02\n      callback_token: {TOKEN}\n"
        "      event_types: {debris_pile: 12}\n"
    )
    with pytest.raises(ConfigError, match="public_url"):
        load_settings(path)
