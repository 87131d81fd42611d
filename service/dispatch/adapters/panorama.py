"""The form of panorama-video platforms (全景影像视频平台接口规范 V1.0): JSON, answered in a code.

``POST {url}`` with one event; the answer is HTTP 200 with ``{"code": 200}`` when it was taken, and
``eventId`` is idempotent. A clip that comes later goes to ``handle_event_other`` beside it, with
the ids of the events that it shows. Times are Shanghai's without a zone. The specification swaps
the meaning of longitude and latitude in one place, so both are range-checked before they leave the
house. What became of an event comes back as a callback with its ``push_id``, which is our
``eventId``.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.coordinates import Place, PlaceError, converted
from service.dispatch.exchange import (
    Exchange,
    NoAnswerError,
    Timeouts,
    complaint,
    json_fields,
    reference_in,
)
from service.dispatch.line import OnLine
from service.dispatch.notice import EvidenceAccess, Notice, Subject, evidence_links
from service.dispatch.platforms import PanoramaPlatform
from service.reach import AddressPolicy
from vision import __version__

SHANGHAI = ZoneInfo("Asia/Shanghai")
_GONE = (Subject.VERIFIED, Subject.CANCELLED)
_TRY_AGAIN = frozenset({408, 429})


class PanoramaAdapter(OnLine):
    """Speaks with one panorama-video platform."""

    def __init__(
        self, platform: PanoramaPlatform, access: EvidenceAccess, policy: AddressPolicy
    ) -> None:
        self._platform = platform
        self._access = access
        token = platform.api_token
        self._token = None if token is None else token.get_secret_value()
        self._exchange = Exchange(
            platform.destination,
            Timeouts(min(5.0, platform.timeout_s), platform.timeout_s),
            policy=policy,
            secrets=[self._token] if self._token else [],
        )
        super().__init__(self._exchange)

    def send(
        self,
        notice: Notice,
        now: datetime,
        *,
        reference: str | None,
        maybe_sent_at: datetime | None,  # noqa: ARG002 - and takes each once
    ) -> Attempt:
        """Post one event."""
        exchange, url = self._exchange, self._exchange.url
        try:
            if notice.subject is Subject.EVIDENCE:
                url, body = other_url(url), clip_body(notice, self._access)
            else:
                body = event_body(notice, self._platform, self._access)
        except PlaceError as error:
            return Attempt(Outcome.REFUSED, error=str(error))
        headers = {
            "content-type": "application/json; charset=utf-8",
            "accept-encoding": "identity",
            "user-agent": f"jiexu/{__version__}",
            "x-push-id": notice.id,
        }
        if self._token is not None:
            headers["x-callback-token"] = self._token
        try:
            answer = exchange.ask(
                "POST",
                url,
                headers=headers,
                body=json.dumps(body, ensure_ascii=False).encode(),
            )
        except NoAnswerError as error:
            return error.attempt()
        if not answer.is_success:
            return exchange.unmade(answer, now)
        code = json_fields(answer.text).get("code")
        if code in (200, "200"):
            reference = reference_in(answer.text)
            return Attempt(
                Outcome.DELIVERED, answer.status, exchange.clean(reference) if reference else None
            )
        error_text = exchange.clean(f"code {code}: {complaint(answer.text)}")
        if not isinstance(code, int) or code in _TRY_AGAIN or code >= 500:
            return Attempt(Outcome.FAILED, answer.status, error=error_text)
        return Attempt(
            Outcome.REFUSED,
            answer.status,
            error=error_text,
            concerns_all=code in (401, 403, 404),
        )


def event_body(
    notice: Notice, platform: PanoramaPlatform, access: EvidenceAccess
) -> dict[str, Any]:
    """One event in the platform's words.

    Raises:
        PlaceError: The camera's place is not known, or not where it can be.
    """
    location = notice.camera.location
    if location is None:
        raise PlaceError(f"camera {notice.camera.id}: where it stands is not known")
    place = converted(Place(location.lon, location.lat, location.coord_sys), platform.coord_sys)
    links = evidence_links(notice, access) if platform.evidence == "links" else {}
    body: dict[str, Any] = {
        "eventId": notice.id,
        "eventTime": shanghai(notice.raised_at),
        "cameraId": notice.camera.id,
        "eventType": platform.event_types[notice.kind.id],
        "subType": notice.kind.zh,
        "confirm": 1,
        "longitude": place.lon,
        "latitude": place.lat,
        "processEventId": notice.first_id,
        "processEventStatus": 0 if notice.subject in _GONE else 1,
        "remark": notice.sentence,
    }
    named = {
        "eventImgBig": links.get("scene"),
        "eventImgSmall": links.get("crop"),
        "address": notice.place.get("address") or notice.camera.name or None,
        "districtName": notice.place.get("district"),
        "townName": notice.place.get("street"),
        "presetPosName": notice.zone_id,
    }
    return body | {name: value for name, value in named.items() if value}


def clip_body(notice: Notice, access: EvidenceAccess) -> dict[str, Any]:
    """A clip that came after its event was told of."""
    return {
        "eventIds": notice.first_id,
        "fileUrl": evidence_links(notice, access).get("clip", ""),
        "cameraId": notice.camera.id,
    }


def other_url(url: str) -> str:
    """Where clips go: beside the resource that takes events."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path}_other"))


def shanghai(at: datetime) -> str:
    """A time as this interface writes it: Shanghai's, without a zone."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def from_shanghai(text: str) -> datetime:
    """The instant that this interface means.

    Raises:
        ValueError: It is no time of that form.
    """
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
