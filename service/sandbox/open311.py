"""The sandbox's GeoReport v2 server, in XML and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter, Request, Response

from service.sandbox.platform import HeldCase, SandboxPlatform, Stage

SERVICES: Sequence[Mapping[str, Any]] = (
    {
        "service_code": "S01",
        "service_name": "Street stall",
        "description": "Trading on the carriageway or the footway",
        "metadata": True,
        "type": "realtime",
        "keywords": "stall, vendor",
        "group": "street",
    },
    {
        "service_code": "S02",
        "service_name": "Abandoned vehicle",
        "description": "A vehicle that nobody uses",
        "metadata": False,
        "type": "realtime",
        "keywords": "vehicle",
        "group": "street",
    },
    {
        "service_code": "S03",
        "service_name": "Debris",
        "description": "Piled goods, rubbish, muck",
        "metadata": False,
        "type": "batch",
        "keywords": "rubbish",
        "group": "sanitation",
    },
)
ATTRIBUTES: Sequence[Mapping[str, Any]] = (
    {
        "variable": True,
        "code": "CAMERA",
        "datatype": "string",
        "required": True,
        "datatype_description": None,
        "order": 1,
        "description": "Which camera saw it?",
        "values": [],
    },
    {
        "variable": True,
        "code": "KIND",
        "datatype": "singlevaluelist",
        "required": False,
        "datatype_description": None,
        "order": 2,
        "description": "What kind of stall?",
        "values": [
            {"key": "street_stall", "name": "Stall"},
            {"key": "other", "name": "Something else"},
        ],
    },
)
TOLD_MAX = 1000
_ITEM = {"services": "service", "service_requests": "request", "errors": "error"}
_EVENT_ID = re.compile(r"\[(case_[0-9a-f]{32})\]")


def open311_router(platform: SandboxPlatform, api_key: str) -> APIRouter:
    """Routes of the server, under ``/open311``."""
    router = APIRouter(prefix="/open311")

    @router.get("/services.{form}")
    def services(form: str) -> Response:
        return _told(form, "services", SERVICES)

    @router.get("/services/{code}.{form}")
    def definition(code: str, form: str) -> Response:
        if all(one["service_code"] != code for one in SERVICES):
            return _errors(form, 404, "service_code was not found")
        attributes = ATTRIBUTES if code == "S01" else ()
        return _told_one(
            form, "service_definition", {"service_code": code, "attributes": attributes}
        )

    @router.post("/requests.{form}")
    async def create(form: str, request: Request) -> Response:
        fields = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        fault = _fault(fields, api_key)
        if fault is not None:
            return _errors(form, *fault)
        mark = _EVENT_ID.search(fields.get("description", ""))
        case = platform.take("open311", None, mark.group(1) if mark else "", fields)
        assert case is not None
        batch = _service(fields["service_code"])["type"] == "batch"
        told = {"token": f"T{case.reference}"} if batch else {"service_request_id": case.reference}
        return _told(
            form, "service_requests", [told | {"service_notice": None, "account_id": None}], 201
        )

    @router.get("/requests.{form}")
    def requests(
        form: str,
        *,
        service_request_id: str | None = None,
        service_code: str | None = None,
        start_date: str | None = None,
        end_date: str | None = None,
        status: str | None = None,
    ) -> Response:
        if service_request_id:
            wanted = (platform.case(one) for one in dict.fromkeys(service_request_id.split(",")))
            cases = [one for one in wanted if one is not None and one.interface == "open311"]
        else:
            try:
                since = datetime.fromisoformat(start_date) if start_date else None
                until = datetime.fromisoformat(end_date) if end_date else None
            except ValueError:
                return _errors(form, 400, "start_date and end_date must be W3C dates")
            cases = [
                one
                for one in platform.cases()
                if one.interface == "open311"
                and (since is None or one.passed[0].at >= since)
                and (until is None or one.passed[0].at <= until)
                and (service_code is None or one.facts["service_code"] == service_code)
                and (status is None or _status(one) in status.split(","))
            ]
        return _told(form, "service_requests", [_request(one) for one in cases[:TOLD_MAX]])

    @router.get("/requests/{reference}.{form}")
    def one_request(reference: str, form: str) -> Response:
        case = platform.case(reference)
        if case is None or case.interface != "open311":
            return _errors(form, 404, "service_request_id was not found")
        return _told(form, "service_requests", [_request(case)])

    @router.get("/tokens/{token}.{form}")
    def token(token: str, form: str) -> Response:
        case = platform.case(token.removeprefix("T"))
        if case is None or not token.startswith("T"):
            return _errors(form, 404, "token was not found")
        told = {"service_request_id": case.reference, "token": token}
        return _told(form, "service_requests", [told])

    return router


def _fault(fields: Mapping[str, str], api_key: str) -> tuple[int, str] | None:
    """What is wrong with a request, if anything is."""
    if fields.get("api_key") != api_key:
        return 403, "Invalid api_key received -- can't proceed with create_request."
    code = fields.get("service_code", "")
    if not code:
        return 400, "service_code was not provided"
    if all(one["service_code"] != code for one in SERVICES):
        return 404, "service_code was not found"
    placed = ("lat" in fields and "long" in fields) or fields.get("address_string")
    if not placed:
        return 400, "lat and long, or address_string, or address_id is required"
    if code == "S01":
        for one in ATTRIBUTES:
            if one["required"] and not fields.get(f"attribute[{one['code']}]"):
                return 400, f"attribute {one['code']} is required"
    return None


def _service(code: str) -> Mapping[str, Any]:
    return next(one for one in SERVICES if one["service_code"] == code)


def _status(case: HeldCase) -> str:
    done = {Stage.HANDLED, Stage.CLOSED, Stage.DECLINED, Stage.CANCELLED}
    return "closed" if case.stage in done else "open"


def _request(case: HeldCase) -> dict[str, Any]:
    facts = case.facts
    return {
        "service_request_id": case.reference,
        "status": _status(case),
        "status_notes": case.stage.value,
        "service_name": _service(facts["service_code"])["service_name"],
        "service_code": facts["service_code"],
        "description": facts.get("description"),
        "agency_responsible": None,
        "service_notice": None,
        "requested_datetime": case.passed[0].at.astimezone(UTC).isoformat(),
        "updated_datetime": case.passed[-1].at.astimezone(UTC).isoformat(),
        "expected_datetime": case.expected_at.astimezone(UTC).isoformat(),
        "address": facts.get("address_string"),
        "address_id": None,
        "zipcode": None,
        "lat": facts.get("lat"),
        "long": facts.get("long"),
        "media_url": facts.get("media_url"),
    }


def _errors(form: str, code: int, description: str) -> Response:
    return _told(form, "errors", [{"code": code, "description": description}], code)


def _told(form: str, name: str, items: Sequence[Mapping[str, Any]], status: int = 200) -> Response:
    if form == "json":
        return _json(items, status)
    root = Element(name)
    for item in items:
        _fill(SubElement(root, _ITEM[name]), item)
    return _xml(root, status)


def _told_one(form: str, name: str, item: Mapping[str, Any]) -> Response:
    if form == "json":
        return _json(item, 200)
    root = Element(name)
    _fill(root, item)
    return _xml(root, 200)


def _fill(element: Element, item: Mapping[str, Any]) -> None:
    for key, value in item.items():
        child = SubElement(element, key)
        if isinstance(value, list | tuple):
            for one in value:
                _fill(SubElement(child, key.removesuffix("s")), one)
        elif value is not None:
            child.text = str(value).lower() if isinstance(value, bool) else str(value)


def _json(content: Any, status: int) -> Response:
    return Response(
        json.dumps(content, ensure_ascii=False),
        status,
        media_type="application/json; charset=utf-8",
    )


def _xml(root: Element, status: int) -> Response:
    return Response(
        tostring(root, encoding="utf-8", xml_declaration=True),
        status,
        media_type="text/xml; charset=utf-8",
    )
