"""Webhook: CloudEvents 1.0 in JSON, signed after Standard Webhooks 1.0.

The same envelope as ``jiexu scan --post`` sends, with other types of events; ``docs/dispatch.md``
says what is in them and what comes back.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any
from urllib.parse import quote

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.coordinates import Place, PlaceError, converted
from service.dispatch.exchange import Timeouts
from service.dispatch.line import OnLine
from service.dispatch.notice import EvidenceAccess, Notice
from service.dispatch.platforms import WebhookPlatform
from service.dispatch.webhook import Webhook
from service.reach import AddressPolicy


class WebhookAdapter(OnLine):
    """Speaks with one receiver of webhooks."""

    def __init__(
        self, platform: WebhookPlatform, access: EvidenceAccess, policy: AddressPolicy
    ) -> None:
        self._platform = platform
        self._access = access
        self._webhook = Webhook(
            platform.destination,
            platform.signing,
            Timeouts(min(5.0, platform.timeout_s), platform.timeout_s),
            policy=policy,
        )
        super().__init__(self._webhook)

    def send(
        self,
        notice: Notice,
        now: datetime,
        *,
        reference: str | None,
        maybe_sent_at: datetime | None,  # noqa: ARG002 - the receiver knows the id
    ) -> Attempt:
        """Post one event; its bytes are the same in every attempt."""
        try:
            event = case_event(notice, self._platform, self._access, reference)
        except PlaceError as error:
            return Attempt(Outcome.REFUSED, error=str(error))
        return self._webhook.send(notice.id, JSONFormat().write(event), now)


def case_event(
    notice: Notice, platform: WebhookPlatform, access: EvidenceAccess, reference: str | None
) -> CloudEvent:
    """The event that tells a notice.

    Raises:
        PlaceError: The camera's place cannot be told in the platform's coordinate system.
    """
    data: dict[str, Any] = notice.model_dump(
        mode="json", exclude={"id", "subject", "at", "evidence", "links_until", "camera"}
    )
    location = notice.camera.location
    if location is not None:
        place = converted(Place(location.lon, location.lat, location.coord_sys), platform.coord_sys)
        location = location.model_copy(update=vars(place))
    data["camera"] = notice.camera.model_copy(update={"location": location}).model_dump(mode="json")
    data["description"] = notice.sentence
    data["reference"] = reference
    data["evidence"] = [
        one.model_dump(mode="json", exclude={"key"}) | _bytes_of(one, notice, platform, access)
        for one in (notice.evidence if platform.evidence != "none" else ())
    ]
    return CloudEvent(
        attributes={
            "id": notice.id,
            "source": f"urn:jiexu:camera:{quote(notice.camera.id, safe='')}",
            "type": f"org.jiexu.case.{notice.subject}.v1",
            "subject": notice.case_id,
            "time": notice.at,
            "datacontenttype": "application/json",
        },
        data=data,
    )


def _bytes_of(
    evidence: Any, notice: Notice, platform: WebhookPlatform, access: EvidenceAccess
) -> dict[str, Any]:
    if platform.evidence == "links":
        return {
            "url": access.link(evidence, notice.links_until),
            "url_holds_until": notice.links_until.isoformat(),
        }
    # Messages are read whole: a clip in one is more than receivers take.
    content = None if evidence.role == "clip" else access.content(evidence)
    return {"content_base64": None if content is None else base64.b64encode(content).decode()}
