"""The webhook adapter: CloudEvents 1.0 in JSON, signed after Standard Webhooks 1.0.

See ``docs/posting.md`` for what a receiver has to do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

import httpx
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.candidate import SCHEMA_ID, EvidenceRole, candidate_case
from service.dispatch.destination import Destination
from service.dispatch.outbox import Message
from service.dispatch.secret import Secret
from vision import __version__
from vision.record import ViolationRecord
from vision.site import Camera

EVENT_TYPE = "org.jiexu.case.candidate.v1"
CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

RETRY_AFTER_CAP_S = 24 * 3600.0
_TRY_AGAIN_LATER = frozenset({408, 409, 425, 429})
# Wrong address, wrong secret or no permission: the next message would be answered alike.
_CONCERNS_ALL = frozenset({401, 403, 404, 405, 407})
_ALREADY_THERE = re.compile(
    r"already[\s_-]*(exists?|created|received|processed|known)|duplicate|已存在|重复", re.IGNORECASE
)
_REDIRECTS_MAX = 3
_ANSWER_BYTES_MAX = 64 * 1024
_ANSWER_BODY_S = 5.0
_TEXT_MAX = 200


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


@dataclass(frozen=True)
class Timeouts:
    """How long a receiver may take, in seconds.

    Attributes:
        connect_s: To take the connection.
        total_s: For the whole attempt, however slowly bytes keep coming.
    """

    connect_s: float = 5.0
    total_s: float = 20.0


class Webhook:
    """Sends messages to one destination, one at a time, over a connection that is kept open.

    Use as a context manager. TLS certificates are verified; ``SSL_CERT_FILE`` and the proxy
    variables of the environment are honoured. In asynchronous code it belongs into a thread of its
    own, since it runs an event loop for deadlines that hold however slowly bytes come.
    """

    def __init__(
        self, destination: Destination, secret: Secret | None, timeouts: Timeouts | None = None
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._destination = destination
        self._secret = secret
        parts = urlsplit(destination.url)
        self._url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._auth = (
            httpx.BasicAuth(unquote(parts.username or ""), unquote(parts.password or ""))
            if "@" in parts.netloc
            else None
        )
        self._credentials = _credentials(destination.url)
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(self.timeouts.total_s, connect=self.timeouts.connect_s),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        self._runner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._runner.run(self._client.aclose())
        finally:
            self._runner.__exit__(kind, error, trace)

    def send(self, message_id: str, body: bytes, now: datetime) -> Attempt:
        """Post one message once.

        Args:
            message_id: Its ``webhook-id``.
            body: Its raw body.
            now: Aware time of the attempt; it is signed.
        """
        with _urls_kept_out_of_logs():
            try:
                return self._runner.run(self._send(message_id, body, now))
            except TimeoutError:
                return _failed(f"no answer within {self.timeouts.total_s:g} s")
            except httpx.ConnectTimeout:
                return _failed(f"no connection within {self.timeouts.connect_s:g} s")
            except httpx.TimeoutException:
                return _failed(f"no answer within {self.timeouts.total_s:g} s")
            except (httpx.RequestError, httpx.InvalidURL) as error:
                return _failed(self._clean(f"{type(error).__name__}: {error}"))

    async def _send(self, message_id: str, body: bytes, now: datetime) -> Attempt:
        url = self._url
        fields = headers(message_id, body, self._secret, now)
        async with asyncio.timeout(self.timeouts.total_s):
            for _ in range(_REDIRECTS_MAX + 1):
                request = self._client.build_request("POST", url, content=body, headers=fields)
                answer = await self._client.send(request, auth=self._auth, stream=True)
                try:
                    if answer.status_code not in (307, 308):
                        return self._judge(answer, await _text(answer), now)
                    target = str(answer.url.join(answer.headers.get("location", "")))
                finally:
                    await answer.aclose()
                if not self._destination.may_redirect_to(target):
                    host = urlsplit(target).netloc.rpartition("@")[2]
                    return _failed(
                        f"redirects to another server ({self._clean(host)}); not followed",
                        answer.status_code,
                        concerns_all=True,
                    )
                url = target
        return _failed("redirects without end", answer.status_code, concerns_all=True)

    def _judge(self, answer: httpx.Response, text: str, now: datetime) -> Attempt:
        code = answer.status_code
        if answer.is_success:
            reference = _reference(text) or answer.headers.get("location")
            return Attempt(Outcome.DELIVERED, code, self._clean(reference) if reference else None)
        if code == 409 and _ALREADY_THERE.search(text):
            reference = _reference(text)
            return Attempt(Outcome.DUPLICATE, code, self._clean(reference) if reference else None)
        said = self._clean(_complaint(text))
        error = f"{code} {answer.reason_phrase}" + (f": {said}" if said else "")
        if code == 410:
            return Attempt(Outcome.GONE, code, error=error, concerns_all=True)
        if code in _TRY_AGAIN_LATER or code >= 500:
            after_s = retry_after_s(answer.headers.get("retry-after"), now)
            return _failed(error, code, retry_after_s=after_s)
        if code < 400:
            return _failed(f"{error}; redirects are not followed", code, concerns_all=True)
        return Attempt(Outcome.REFUSED, code, error=error, concerns_all=code in _CONCERNS_ALL)

    def _clean(self, text: str) -> str:
        for word in self._credentials:
            text = text.replace(word, "***")
        return " ".join(re.sub(r"[^\S ]|[\x00-\x1f\x7f]", " ", text).split())[:_TEXT_MAX]


def _failed(
    error: str,
    status_code: int | None = None,
    *,
    retry_after_s: float | None = None,
    concerns_all: bool = False,
) -> Attempt:
    return Attempt(
        Outcome.FAILED,
        status_code,
        error=error,
        retry_after_s=retry_after_s,
        concerns_all=concerns_all,
    )


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, at most a day.

    Args:
        value: Seconds or an HTTP date (RFC 9110, 10.2.3); what is neither is passed over.
        now: Aware current time.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,18}", text):
        seconds = float(text)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), RETRY_AFTER_CAP_S)


async def _text(answer: httpx.Response) -> str:
    """Begin of an answer's body. The status has come: a body that breaks off changes nothing."""
    data = b""
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_ANSWER_BODY_S):
            async for chunk in answer.aiter_raw():
                data += chunk
                if len(data) >= _ANSWER_BYTES_MAX:
                    break
    return data[:_ANSWER_BYTES_MAX].decode(errors="replace")


def _fields(text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return {}
    inner = parsed.get("data")
    return {**inner, **parsed} if isinstance(inner, dict) else parsed


def _reference(text: str) -> str | None:
    fields = _fields(text)
    for name in ("reference", "case_id", "service_request_id", "task_num", "id"):
        value = fields.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value)
    return None


def _complaint(text: str) -> str:
    fields = _fields(text)
    for name in ("detail", "message", "description", "error", "title"):
        if isinstance(fields.get(name), str):
            return str(fields[name])
    return "" if text.lstrip().startswith(("{", "[", "<")) else text


def _credentials(url: str) -> tuple[str, ...]:
    """Parts of a URL that an error text or an echoing receiver must not carry into the ledger."""
    parts = urlsplit(url)
    words = [value or key for key, value in parse_qsl(parts.query, keep_blank_values=True)]
    if parts.password:
        words += [parts.password, unquote(parts.password)]
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
        words.append(base64.b64encode(pair.encode()).decode())
    words += [part for part in parts.path.split("/") if part not in Destination.parse(url).shown]
    return tuple(sorted({word for word in words if len(word) >= 4}, key=len, reverse=True))


@contextmanager
def _urls_kept_out_of_logs() -> Iterator[None]:
    """Silence httpx's line for each request: it holds the URL with its query."""
    logger = logging.getLogger("httpx")

    def drop(record: logging.LogRecord) -> bool:
        return not any(isinstance(arg, httpx.URL) for arg in record.args or ())

    logger.addFilter(drop)
    try:
        yield
    finally:
        logger.removeFilter(drop)
