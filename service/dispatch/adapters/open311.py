"""Open311 GeoReport v2: a form-encoded request, answered in XML or JSON, its status polled.

The interface has no idempotency key. A request whose answer was lost may have been taken in, so
before it is sent again the platform is asked for the requests since then, and the one that carries
our id in its description is taken for it. A case that is reopened, or put right after it was
declined, is a new request that names the earlier one, for requests cannot be changed. That a case
was verified or withdrawn, and evidence that comes later, cannot be told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.coordinates import Place, PlaceError, converted
from service.dispatch.exchange import Answer, Exchange, NoAnswerError, Timeouts
from service.dispatch.line import OnLine
from service.dispatch.notice import ASKING, EvidenceAccess, Notice, Subject, evidence_links
from service.dispatch.platforms import Open311Platform
from service.reach import AddressPolicy
from vision import __version__
from vision.errors import JiexuError

FIELDS = (
    "event_id",
    "case_id",
    "camera_id",
    "zone_id",
    "kind",
    "kind_zh",
    "confidence",
    "started_at",
    "code_system",
    "code",
)
"""What values of attributes may hold, in braces."""

DESCRIPTION_MAX = 4000
POLL_MAX = 50
"""So many requests are asked for at once."""

TOLD_MAX = 1000
"""Servers tell at most so many requests at once."""

ASKED_AGAIN = 3
LIST_BYTES_MAX = 8 * 1024 * 1024
CLOCKS_APART = timedelta(minutes=10)
"""The platform's clock may differ from ours by so much."""

_DUPLICATE = re.compile(r"duplicate", re.IGNORECASE)


class Open311Error(JiexuError):
    """A platform's answer is not what GeoReport v2 says."""


@dataclass(frozen=True)
class Service:
    """A kind of request that the platform takes.

    Attributes:
        code: Service code.
        name: Its name.
        metadata: Whether it has attributes, told by its definition.
        type: ``realtime``, ``batch`` or ``blackbox``.
    """

    code: str
    name: str
    metadata: bool
    type: str


@dataclass(frozen=True)
class Attribute:
    """An attribute of a service.

    Attributes:
        code: Its code.
        variable: Whether it is asked for.
        datatype: ``string``, ``number``, ``datetime``, ``text``, ``singlevaluelist`` or
            ``multivaluelist``.
        required: Whether a request needs it.
        keys: Keys of the values that a list has.
    """

    code: str
    variable: bool
    datatype: str
    required: bool
    keys: tuple[str, ...]


@dataclass(frozen=True)
class ServiceRequest:
    """A request as the platform tells of it.

    Attributes:
        id: Its id.
        is_open: ``open`` or ``closed`` is all that the specification has.
        word: Its status as it is written: some servers have further ones.
        notes: Why.
        updated_at: When that changed last, if it is told.
        expected_at: Until when it is expected to be handled, if that is told.
        description: What was asked for.
    """

    id: str
    is_open: bool
    notes: str
    updated_at: datetime | None
    description: str
    word: str = ""
    expected_at: datetime | None = None


class Open311Adapter(OnLine):
    """Speaks with one GeoReport server."""

    def __init__(
        self, platform: Open311Platform, access: EvidenceAccess, policy: AddressPolicy
    ) -> None:
        self._platform = platform
        self._access = access
        self._key = platform.api_key.get_secret_value()
        self._exchange = Exchange(
            platform.destination,
            Timeouts(min(5.0, platform.timeout_s), platform.timeout_s),
            policy=policy,
            secrets=[self._key],
        )
        super().__init__(self._exchange)
        self._wanted: dict[str, Sequence[Attribute]] = {}

    def send(
        self,
        notice: Notice,
        now: datetime,
        *,
        reference: str | None,
        maybe_sent_at: datetime | None,
    ) -> Attempt:
        """Post one request, unless an earlier attempt proves to have arrived."""
        if notice.subject not in ASKING:
            return Attempt(Outcome.REFUSED, error="GeoReport v2 cannot tell that of a request")
        try:
            if maybe_sent_at is not None:
                found = self._find(notice, now, maybe_sent_at)
                if found is not None:
                    return Attempt(Outcome.DUPLICATE, 200, found.id)
            return self._post(notice, now, reference)
        except NoAnswerError as error:
            return error.attempt()
        except (PlaceError, Open311Error) as error:
            return Attempt(Outcome.REFUSED, error=self._exchange.clean(str(error)))
        except AskedInVainError as error:
            return error.attempt

    def services(self, now: datetime) -> list[Service]:
        """Kinds of requests that the platform takes.

        Raises:
            NoAnswerError: It does not answer.
            Open311Error: It answers with an error or with what is no list of services.
        """
        return services_of(self._get("services", now), self._platform.format)

    def attributes(self, service_code: str, now: datetime) -> Sequence[Attribute]:
        """Attributes of a service; asked for once.

        Raises:
            NoAnswerError: It does not answer.
            Open311Error: It answers with an error or with what is no definition.
        """
        if service_code not in self._wanted:
            known = {one.code: one for one in self.services(now)}
            if service_code not in known:
                raise Open311Error(f"the platform has no service {service_code}")
            self._wanted[service_code] = (
                attributes_of(self._get(f"services/{service_code}", now), self._platform.format)
                if known[service_code].metadata
                else ()
            )
        return self._wanted[service_code]

    def request_id(self, token: str, now: datetime) -> str | None:
        """Id of the request that a token was given for, ``None`` while there is none.

        Raises:
            NoAnswerError: It does not answer.
            Open311Error: It answers with an error.
        """
        for one in _items(self._get(f"tokens/{token}", now), self._platform.format):
            if one.get("service_request_id"):
                return str(one["service_request_id"])
        return None

    def requests(self, ids: Sequence[str], now: datetime) -> list[ServiceRequest]:
        """How requests are.

        Raises:
            NoAnswerError: It does not answer.
            Open311Error: It answers with an error or with what is no list of requests.
        """
        text = self._get("requests", now, service_request_id=",".join(ids))
        return requests_of(text, self._platform.format)

    def _post(self, notice: Notice, now: datetime, reference: str | None) -> Attempt:
        code = self._platform.services[notice.kind.id]
        form = request_form(
            notice, self._platform, self._access, self.attributes(code, now), reference
        )
        answer = self._exchange.ask(
            "POST",
            self._url("requests"),
            headers=self._headers()
            | {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            body=urlencode([*form, ("api_key", self._key)]).encode(),
        )
        if not answer.is_success:
            said = self._said(answer)
            if answer.status == 400 and _DUPLICATE.search(said):
                found = self._find(notice, now, notice.at)
                if found is not None:
                    return Attempt(Outcome.DUPLICATE, answer.status, found.id)
            return self._exchange.unmade(answer, now, said)
        for one in _items(answer.text, self._platform.format):
            clean = self._exchange.clean
            if one.get("service_request_id"):
                return Attempt(
                    Outcome.DELIVERED, answer.status, clean(str(one["service_request_id"]))
                )
            if one.get("token"):
                return Attempt(
                    Outcome.DELIVERED, answer.status, clean(str(one["token"])), is_token=True
                )
        return Attempt(Outcome.DELIVERED, answer.status)

    def _find(self, notice: Notice, now: datetime, since: datetime) -> ServiceRequest | None:
        """The request that carries our id, if an earlier attempt arrived.

        Servers tell at most the first 1000 of a span of time: a span that is full is halved.
        """
        mark = mark_of(notice)
        spans = [(since - CLOCKS_APART, now + CLOCKS_APART)]
        while spans:
            start, end = spans.pop()
            text = self._get(
                "requests",
                now,
                service_code=self._platform.services[notice.kind.id],
                start_date=start.isoformat(timespec="seconds"),
                end_date=end.isoformat(timespec="seconds"),
            )
            told = requests_of(text, self._platform.format)
            found = next((one for one in told if mark in one.description), None)
            if found is not None:
                return found
            if len(told) >= TOLD_MAX and end - start > timedelta(seconds=2):
                middle = start + (end - start) / 2
                spans += [(start, middle), (middle, end)]
        return None

    def _get(self, resource: str, now: datetime, **query: str) -> str:
        """Ask something; asking again does no harm, so a server that stumbles is asked again."""
        url = self._url(resource, **query)
        for _ in range(ASKED_AGAIN):
            answer = self._exchange.ask(
                "GET", url, headers=self._headers(), answer_bytes=LIST_BYTES_MAX
            )
            if answer.is_success:
                return answer.text
            if answer.status < 500:
                break
        raise AskedInVainError(self._exchange.unmade(answer, now, self._said(answer)))

    def _said(self, answer: Answer) -> str:
        try:
            errors = _items(answer.text, self._platform.format)
        except Open311Error:
            return ""
        return "; ".join(str(one.get("description") or "") for one in errors)

    def _url(self, resource: str, **query: str) -> str:
        base, _, kept = self._exchange.url.partition("?")
        if self._platform.jurisdiction_id is not None:
            query = {"jurisdiction_id": self._platform.jurisdiction_id, **query}
        asked = "&".join(part for part in (kept, urlencode(query)) if part)
        url = f"{base.rstrip('/')}/{resource}.{self._platform.format}"
        return f"{url}?{asked}" if asked else url

    def _headers(self) -> dict[str, str]:
        return {"accept-encoding": "identity", "user-agent": f"jiexu/{__version__}"}


class AskedInVainError(Exception):
    """A question on the way was answered with an error."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.error)
        self.attempt = attempt


def mark_of(notice: Notice) -> str:
    """What finds our request again in what the platform tells of requests."""
    return f"[{notice.id}]"


def request_form(
    notice: Notice,
    platform: Open311Platform,
    access: EvidenceAccess,
    attributes: Sequence[Attribute],
    reference: str | None,
) -> list[tuple[str, str]]:
    """Fields of a request, all but the key.

    Raises:
        PlaceError: The place is not known and there is no address.
        Open311Error: The service wants an attribute for which no value is set, or another one.
    """
    text = notice.sentence
    if notice.subject is not Subject.CONFIRMED and reference is not None:
        text += f" (earlier request {reference})"
    mark = f" {mark_of(notice)}"
    form = [
        ("service_code", platform.services[notice.kind.id]),
        ("description", text[: DESCRIPTION_MAX - len(mark)] + mark),
        ("device_id", notice.camera.id),
    ]
    if platform.jurisdiction_id is not None:
        form.append(("jurisdiction_id", platform.jurisdiction_id))
    location = notice.camera.location
    if location is not None:
        place = converted(Place(location.lon, location.lat, location.coord_sys), "wgs84")
        form += [("lat", f"{place.lat:.7f}"), ("long", f"{place.lon:.7f}")]
    elif notice.place.get("address"):
        form.append(("address_string", notice.place["address"]))
    else:
        raise PlaceError(f"camera {notice.camera.id}: where it stands is not known")
    if platform.evidence == "links":
        links = evidence_links(notice, access)
        if "scene" in links:
            form.append(("media_url", links["scene"]))
    return form + _attribute_fields(notice, platform, attributes)


def services_of(text: str, form: str) -> list[Service]:
    """Services in an answer.

    Raises:
        Open311Error: It is no list of services.
    """
    return [
        Service(
            code=str(one.get("service_code") or ""),
            name=str(one.get("service_name") or ""),
            metadata=_is_true(one.get("metadata")),
            type=str(one.get("type") or "realtime"),
        )
        for one in _items(text, form)
    ]


def attributes_of(text: str, form: str) -> list[Attribute]:
    """Attributes in a service definition.

    Raises:
        Open311Error: It is no definition.
    """
    items = _items(text, form)
    if len(items) != 1 or not isinstance(items[0].get("attributes"), list):
        raise Open311Error("the platform's answer is no service definition")
    return [
        Attribute(
            code=str(one.get("code") or ""),
            variable=_is_true(one.get("variable")),
            datatype=str(one.get("datatype") or "string"),
            required=_is_true(one.get("required")),
            keys=tuple(str(value.get("key")) for value in one.get("values") or ()),
        )
        for one in items[0]["attributes"]
    ]


def requests_of(text: str, form: str) -> list[ServiceRequest]:
    """Requests in an answer; those without an id yet are left out.

    Raises:
        Open311Error: It is no list of requests.
    """
    return [
        ServiceRequest(
            id=str(one["service_request_id"]),
            is_open=str(one.get("status") or "open").strip().lower() != "closed",
            notes=str(one.get("status_notes") or ""),
            updated_at=_time(one.get("updated_datetime") or one.get("requested_datetime")),
            description=str(one.get("description") or ""),
            word=str(one.get("status") or "").strip(),
            expected_at=_time(one.get("expected_datetime")),
        )
        for one in _items(text, form)
        if one.get("service_request_id")
    ]


def _attribute_fields(
    notice: Notice, platform: Open311Platform, attributes: Sequence[Attribute]
) -> list[tuple[str, str]]:
    values = {
        "event_id": notice.id,
        "case_id": notice.case_id,
        "camera_id": notice.camera.id,
        "zone_id": notice.zone_id,
        "kind": notice.kind.id,
        "kind_zh": notice.kind.zh,
        "confidence": f"{notice.confidence:.2f}",
        "started_at": notice.started_at.isoformat(timespec="seconds"),
        "code_system": notice.code_system or "",
        "code": notice.code or "",
    }
    fields = []
    for one in attributes:
        if not one.variable:
            continue
        wanted = platform.attributes.get(one.code)
        if wanted is None:
            if one.required:
                raise Open311Error(
                    f"the service wants attribute {one.code}; attributes.{one.code} is not set"
                )
            continue
        value = re.sub(
            r"\{(\w+)\}", lambda found: values.get(found.group(1), found.group()), wanted
        )
        if one.keys and value not in one.keys:
            raise Open311Error(
                f"attribute {one.code}: {value!r} is none of {', '.join(one.keys[:20])}"
            )
        fields.append((f"attribute[{one.code}]", value))
    return fields


def _items(text: str, form: str) -> list[Mapping[str, Any]]:
    """Things in an answer: of JSON its array, of XML the children of its root."""
    found = _json_items(text) if form == "json" else _xml_items(text)
    if not all(isinstance(one, Mapping) for one in found):
        raise Open311Error("the platform's answer is not what GeoReport v2 says")
    return found


def _json_items(text: str) -> list[Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        raise Open311Error("the platform's answer is no JSON") from None
    return parsed if isinstance(parsed, list) else [parsed]


def _xml_items(text: str) -> list[Any]:
    try:
        root: Element = fromstring(text.strip().encode())
    except (ParseError, DefusedXmlException, ValueError):
        raise Open311Error("the platform's answer is no XML") from None
    if _name(root) == "service_definition":
        return [_plain(root)]
    return [_plain(child) for child in root]


def _plain(element: Element) -> Any:
    """An element as the Spark convention writes it in JSON, all values as text."""
    children = list(element)
    if not children:
        if _name(element) in ("attributes", "values"):
            return []
        return (element.text or "").strip() or None
    if _name(element) in ("attributes", "values"):
        return [_plain(child) for child in children]
    return {_name(child): _plain(child) for child in children}


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() == "true"


def _time(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value).strip())
    except ValueError:
        return None
    return at if at.utcoffset() is not None else None
