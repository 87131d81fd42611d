"""The webhook adapter: CloudEvents 1.0 in JSON, signed after Standard Webhooks 1.0.

See ``docs/posting.md`` for what a receiver has to do.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.candidate import SCHEMA_ID, EvidenceRole, candidate_case
from service.dispatch.destination import Destination
from service.dispatch.exchange import Exchange, NoAnswerError, Timeouts, reference_in
from service.dispatch.line import OnLine
from service.dispatch.outbox import Message
from service.dispatch.secret import Secret
from service.reach import AddressPolicy
from vision import __version__
from vision.record import ViolationRecord
from vision.site import Camera

EVENT_TYPE = "org.jiexu.case.candidate.v1"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

_ALREADY_THERE = re.compile(
    r"already[\s_-]*(exists?|created|received|processed|known)|duplicate|已存在|重复", re.IGNORECASE
)


def event_id(record: ViolationRecord) -> str:
    """Idempotency key of a violation: the same for the same violation in the same recording.

    It is ``case_`` and 32 hex digits, free of the ``.`` that Standard Webhooks splits at. The
    recording's hash is part of it, so that equal violation ids of different runs stay apart.
    """
    named = json.dumps([EVENT_TYPE, record.id, record.camera_id, record.source.sha256])
    return f"case_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def candidate_event(
    record: ViolationRecord,
    *,
    camera: Camera | None = None,
    run_dir: Path | None = None,
    embed: Collection[EvidenceRole] = (),
) -> CloudEvent:
    """Build the event that offers a violation as a candidate case.

    The same arguments give the same event: nothing in it depends on when it is built.

    Args:
        record: The violation.
        camera: What the site file says of its camera; adds its name and place.
        run_dir: Folder that the evidence paths are relative to; needed to embed.
        embed: Evidence to send along as base64; else it is listed by path and hash.

    Raises:
        InputError: Evidence to embed is missing or not what its hash says.
    """
    case = candidate_case(record, camera=camera, run_dir=run_dir, embed=embed)
    recording = record.source.sha256[:16]
    return CloudEvent(
        attributes={
            "id": event_id(record),
            "source": f"urn:jiexu:camera:{quote(record.camera_id, safe='')}:recording:{recording}",
            "type": EVENT_TYPE,
            "subject": record.id,
            "time": record.started_at,
            "datacontenttype": "application/json",
            "dataschema": SCHEMA_ID,
        },
        data=case.model_dump(mode="json"),
    )


def message(event: CloudEvent, violation_id: str) -> Message:
    """Put an event into structured mode, ready for the outbox."""
    return Message(event.get_id(), violation_id, JSONFormat().write(event))


def headers(
    event_id: str, body: bytes, secret: Secret | None, timestamp: datetime
) -> dict[str, str]:
    """Headers of one attempt.

    ``webhook-id`` is the event's id and stays the same in each attempt; ``Idempotency-Key`` is the
    same in the quoted form of draft-ietf-httpapi-idempotency-key-header.

    Args:
        event_id: Id of the event.
        body: The raw body.
        secret: Signs; without it there is no ``webhook-signature``.
        timestamp: Aware time of the attempt.
    """
    fields = {
        "content-type": CONTENT_TYPE,
        "accept-encoding": "identity",
        "user-agent": f"jiexu/{__version__}",
        "idempotency-key": f'"{event_id}"',
        "webhook-id": event_id,
        "webhook-timestamp": str(int(timestamp.timestamp())),
    }
    if secret is not None:
        fields["webhook-signature"] = secret.sign(event_id, timestamp, body)
    return fields


class Webhook(OnLine):
    """Sends messages to one destination, one at a time. Use as a context manager.

    Args:
        destination: Where to.
        secret: Signs the messages.
        timeouts: How long the receiver may take.
        policy: Which hosts may be reached.
    """

    def __init__(
        self,
        destination: Destination,
        secret: Secret | None,
        timeouts: Timeouts | None = None,
        *,
        policy: AddressPolicy | None = None,
    ) -> None:
        self._exchange = Exchange(destination, timeouts, policy=policy)
        super().__init__(self._exchange)
        self._secret = secret

    @property
    def timeouts(self) -> Timeouts:
        """How long the receiver may take."""
        return self._exchange.timeouts

    def send(self, message_id: str, body: bytes, now: datetime) -> Attempt:
        """Post one message once.

        Args:
            message_id: Its ``webhook-id``.
            body: Its raw body.
            now: Aware time of the attempt; it is signed.
        """
        exchange = self._exchange
        fields = headers(message_id, body, self._secret, now)
        try:
            answer = exchange.ask("POST", exchange.url, headers=fields, body=body)
        except NoAnswerError as error:
            return error.attempt()
        reference = reference_in(answer.text)
        if answer.is_success:
            reference = reference or answer.headers.get("location")
            outcome = Outcome.DELIVERED
        elif answer.status == 409 and _ALREADY_THERE.search(answer.text):
            outcome = Outcome.DUPLICATE
        else:
            return exchange.unmade(answer, now)
        return Attempt(outcome, answer.status, exchange.clean(reference) if reference else None)
