"""GeoReport v2 against the documented examples of the specification, in XML and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from dispatch_rig import API_KEY, NOW, free_port, listening, notice, open311
from fastapi import FastAPI, Request, Response

from service.dispatch.adapters.open311 import (
    Attribute,
    Open311Adapter,
    Open311Error,
    attributes_of,
    requests_of,
    services_of,
)
from service.dispatch.attempt import Outcome
from service.dispatch.candidate import CaseCamera
from service.dispatch.notice import EvidenceAccess, Notice
from service.dispatch.platforms import DispatchSettings, Open311Platform
from service.evidence.links import Signer
from service.reach import AddressPolicy

SERVICES_XML = """<?xml version="1.0" encoding="utf-8"?>
<services>
  <service>
    <service_code>001</service_code>
    <service_name>Cans left out 24x7</service_name>
    <description>Garbage or recycling cans that have been left out.</description>
    <metadata>true</metadata>
    <type>realtime</type>
    <keywords>lorem, ipsum, dolor</keywords>
    <group>sanitation</group>
  </service>
  <service>
    <service_code>002</service_code>
    <metadata>false</metadata>
    <type>batch</type>
    <keywords>lorem, ipsum, dolor</keywords>
    <group>street</group>
    <service_name>Construction plate shifted</service_name>
    <description>Metal plate has been moved.</description>
  </service>
</services>"""
SERVICES_JSON = """[
  {"service_code": "001", "service_name": "Cans left out 24x7", "metadata": true,
   "type": "realtime", "keywords": "lorem, ipsum, dolor", "group": "sanitation"},
  {"service_code": "002", "service_name": "Construction plate shifted", "metadata": false,
   "type": "batch", "keywords": "lorem, ipsum, dolor", "group": "street"}
]"""
DEFINITION_XML = """<?xml version="1.0" encoding="utf-8"?>
<service_definition>
  <service_code>DMV66</service_code>
  <attributes>
    <attribute>
      <variable>true</variable>
      <code>WHISHETN</code>
      <datatype>singlevaluelist</datatype>
      <required>true</required>
      <datatype_description></datatype_description>
      <order>1</order>
      <description>What is the ticket/tag/DL number?</description>
      <values>
        <value><key>123</key><name>Ford</name></value>
        <value><key>124</key><name>Chrysler</name></value>
      </values>
    </attribute>
  </attributes>
</service_definition>"""
DEFINITION_JSON = """{
  "service_code": "DMV66",
  "attributes": [
    {"variable": true, "code": "WHISHETN", "datatype": "singlevaluelist", "required": true,
     "datatype_description": null, "order": 1,
     "description": "What is the ticket/tag/DL number?",
     "values": [{"key": 123, "name": "Ford"}, {"key": 124, "name": "Chrysler"}]}
  ]
}"""
CREATED_XML = """<?xml version="1.0" encoding="utf-8"?>
<service_requests>
  <request>
    <service_request_id>293944</service_request_id>
    <service_notice>The City will inspect.</service_notice>
    <account_id/>
  </request>
</service_requests>"""
CREATED_JSON = '[{"service_request_id": 293944, "service_notice": "x", "account_id": null}]'
TOKEN_XML = """<?xml version="1.0" encoding="utf-8"?>
<service_requests><request><token>12345</token><account_id/></request></service_requests>"""
REQUESTS_XML = """<?xml version="1.0" encoding="utf-8"?>
<service_requests>
  <request>
    <service_request_id>638344</service_request_id>
    <status>closed</status>
    <status_notes>Duplicate request.</status_notes>
    <service_name>Sidewalk and Curb Issues</service_name>
    <service_code>006</service_code>
    <description></description>
    <agency_responsible></agency_responsible>
    <service_notice></service_notice>
    <requested_datetime>2010-04-14T06:37:38-08:00</requested_datetime>
    <updated_datetime>2010-04-14T06:37:38-08:00</updated_datetime>
    <expected_datetime>2010-04-15T06:37:38-08:00</expected_datetime>
    <address>8TH AVE and JUDAH ST</address>
    <address_id>545483</address_id>
    <zipcode>94122</zipcode>
    <lat>37.762221815</lat>
    <long>-122.4651145</long>
    <media_url>http://city.gov.s3.amazonaws.com/requests/media/638344.jpg</media_url>
  </request>
  <request>
    <service_request_id>638349</service_request_id>
    <status>open</status>
    <status_notes></status_notes>
    <requested_datetime>2010-04-19T06:37:38-08:00</requested_datetime>
    <updated_datetime></updated_datetime>
  </request>
</service_requests>"""
REQUESTS_JSON = """[
  {"service_request_id": 638344, "status": "closed", "status_notes": "Duplicate request.",
   "description": null, "requested_datetime": "2010-04-14T06:37:38-08:00",
   "updated_datetime": "2010-04-14T06:37:38-08:00"},
  {"service_request_id": 638349, "status": "open", "status_notes": null,
   "requested_datetime": "2010-04-19T06:37:38-08:00"}
]"""
BAD_KEY_XML = """<?xml version="1.0" encoding="utf-8"?>
<errors>
  <error>
    <code>403</code>
    <description>Invalid api_key received -- can't proceed with create_request.</description>
  </error>
</errors>"""


@dataclass
class Server:
    """A GeoReport server that answers what a test says, and remembers what it was asked."""

    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    posted: list[dict[str, list[str]]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.api_route("/v2/{rest:path}", methods=["GET", "POST"])
        async def answer(rest: str, request: Request) -> Response:
            self.asked.append(f"{request.method} {rest}?{request.url.query}".rstrip("?"))
            if request.method == "POST":
                kind = request.headers["content-type"]
                assert kind == "application/x-www-form-urlencoded; charset=utf-8"
                self.posted.append(parse_qs((await request.body()).decode(), strict_parsing=True))
            status, text = self.answers[f"{request.method} {rest}"]
            return Response(text, status, media_type="text/xml")

        return app


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Server, str]]:
    server = Server()
    with listening(server.app(), free_port()) as url:
        yield server, f"{url}/v2"


@pytest.fixture
def server(served: tuple[Server, str]) -> Server:
    found, _ = served
    found.answers = {
        "GET services.xml": (200, SERVICES_XML),
        "GET services/001.xml": (200, DEFINITION_XML),
        "POST requests.xml": (201, CREATED_XML),
    }
    found.posted, found.asked = [], []
    return found


def adapter(url: str, **changes: Any) -> Open311Adapter:
    given = {"services": {"street_stall": "002"}, "attributes": {}, "jurisdiction_id": "city.gov"}
    wanted = DispatchSettings.model_validate(
        {"destinations": {"georeport": open311(url, **(given | changes))}, "networks": []}
    )
    platform = wanted.destinations["georeport"]
    assert isinstance(platform, Open311Platform)
    files: Any = None
    access = EvidenceAccess(
        files, Signer(b"a secret of the tests, 32 bytes.."), "https://jiexu.test", "georeport"
    )
    policy = AddressPolicy(networks=DispatchSettings(networks=("127.0.0.0/8",)).networks)
    return Open311Adapter(platform, access, policy)


def send(one: Open311Adapter, told: Notice, maybe_sent_at: datetime | None = None) -> Any:
    with one:
        return one.send(told, NOW, reference=None, maybe_sent_at=maybe_sent_at)


@pytest.mark.parametrize(("text", "form"), [(SERVICES_XML, "xml"), (SERVICES_JSON, "json")])
def test_the_list_of_services(text: str, form: str) -> None:
    first, second = services_of(text, form)
    assert (first.code, first.name, first.metadata) == ("001", "Cans left out 24x7", True)
    assert (second.code, second.metadata, second.type) == ("002", False, "batch")


@pytest.mark.parametrize(("text", "form"), [(DEFINITION_XML, "xml"), (DEFINITION_JSON, "json")])
def test_a_service_definition(text: str, form: str) -> None:
    wanted = Attribute("WHISHETN", True, "singlevaluelist", True, ("123", "124"))
    assert attributes_of(text, form) == [wanted]


@pytest.mark.parametrize(("text", "form"), [(REQUESTS_XML, "xml"), (REQUESTS_JSON, "json")])
def test_requests_and_their_status(text: str, form: str) -> None:
    closed, still_open = requests_of(text, form)
    assert (closed.id, closed.is_open, closed.notes) == ("638344", False, "Duplicate request.")
    assert closed.updated_at == datetime(2010, 4, 14, 14, 37, 38, tzinfo=UTC)
    assert (still_open.id, still_open.is_open) == ("638349", True)
    assert still_open.updated_at == datetime(2010, 4, 19, 14, 37, 38, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "xml"),
        ("<services", "xml"),
        ("[1, 2]", "json"),
        ("{", "json"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><services>&b;</services>', "xml"),
    ],
)
def test_what_is_no_answer_is_refused(text: str, form: str) -> None:
    with pytest.raises(Open311Error):
        services_of(text, form)


def test_a_request_has_every_field_that_the_specification_requires(
    server: Server, served: tuple[Server, str]
) -> None:
    attempt = send(adapter(served[1], evidence="links"), notice())
    assert (attempt.outcome, attempt.reference) == (Outcome.DELIVERED, "293944")
    (form,) = server.posted
    assert form["api_key"] == [API_KEY]
    assert form["jurisdiction_id"] == ["city.gov"]
    assert form["service_code"] == ["002"]
    assert float(form["lat"][0]) == pytest.approx(31.811, abs=1e-5), "WGS-84"
    assert float(form["long"][0]) == pytest.approx(119.974, abs=1e-5)
    assert form["description"][0].endswith(f"[case_{'0' * 32}]")
    assert form["media_url"][0].startswith("https://jiexu.test/api/v1/evidence/e1?grant=")
    assert server.asked[0] == "GET services.xml?jurisdiction_id=city.gov"


def test_answers_in_json(server: Server, served: tuple[Server, str]) -> None:
    server.answers = {
        "GET services.json": (200, SERVICES_JSON),
        "POST requests.json": (201, CREATED_JSON),
    }
    attempt = send(adapter(served[1], format="json"), notice())
    assert attempt.reference == "293944"


def test_a_token_is_redeemed_for_the_id(server: Server, served: tuple[Server, str]) -> None:
    server.answers["POST requests.xml"] = (200, TOKEN_XML)
    server.answers["GET tokens/12345.xml"] = (200, REQUESTS_XML)
    attempt = send(adapter(served[1]), notice())
    assert (attempt.outcome, attempt.reference, attempt.is_token) == (
        *(Outcome.DELIVERED, "12345", True),
    )
    with adapter(served[1]) as asked:
        assert asked.request_id("12345", NOW) == "638344"


def test_attributes_of_the_service_are_filled_from_the_settings(
    server: Server, served: tuple[Server, str]
) -> None:
    services = {"street_stall": "001"}
    sent = adapter(served[1], services=services, attributes={"WHISHETN": "124"})
    assert send(sent, notice()).outcome is Outcome.DELIVERED
    assert server.posted[0]["attribute[WHISHETN]"] == ["124"]
    missing = send(adapter(served[1], services=services), notice())
    assert missing.outcome is Outcome.REFUSED
    assert "WHISHETN" in missing.error
    wrong = send(adapter(served[1], services=services, attributes={"WHISHETN": "{kind}"}), notice())
    assert "none of 123, 124" in wrong.error
    assert len(server.posted) == 1, "nothing was sent that the server would refuse"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (400, Outcome.REFUSED),
        (403, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (500, Outcome.FAILED),
        (503, Outcome.FAILED),
        (410, Outcome.GONE),
    ],
)
def test_status_codes_of_the_specification(
    server: Server, served: tuple[Server, str], status: int, outcome: Outcome
) -> None:
    server.answers["POST requests.xml"] = (status, BAD_KEY_XML)
    attempt = send(adapter(served[1]), notice())
    assert attempt.outcome is outcome
    assert "Invalid api_key received" in attempt.error
    assert API_KEY not in attempt.error


def test_a_request_that_perhaps_arrived_is_looked_for_before_it_is_sent_again(
    server: Server, served: tuple[Server, str]
) -> None:
    marked = f"<description>stall [case_{'0' * 32}]</description>"
    there = REQUESTS_XML.replace("<description></description>", marked)
    server.answers["GET requests.xml"] = (200, there)
    attempt = send(adapter(served[1]), notice(), NOW - timedelta(minutes=3))
    assert (attempt.outcome, attempt.reference) == (Outcome.DUPLICATE, "638344")
    assert server.posted == []
    (query,) = [one for one in server.asked if one.startswith("GET requests.xml")]
    assert "service_code=002" in query
    server.answers["GET requests.xml"] = (200, REQUESTS_XML)
    attempt = send(adapter(served[1]), notice(), NOW - timedelta(minutes=3))
    assert (attempt.outcome, len(server.posted)) == (Outcome.DELIVERED, 1)


def test_a_place_that_is_not_known_is_not_guessed(
    server: Server, served: tuple[Server, str]
) -> None:
    unplaced = CaseCamera(id="gate-3")
    refused = send(adapter(served[1]), notice(camera=unplaced))
    assert (refused.outcome, server.posted) == (Outcome.REFUSED, [])
    assert "where it stands is not known" in refused.error
    told = notice(camera=unplaced, place={"address": "和平北路 1 号"})
    assert send(adapter(served[1]), told).outcome is Outcome.DELIVERED
    assert server.posted[0]["address_string"] == ["和平北路 1 号"]


def test_a_host_that_may_not_be_reached_is_not_asked(served: tuple[Server, str]) -> None:
    one = adapter(served[1])
    one._exchange._policy = AddressPolicy(setting="dispatch.networks")
    attempt = send(one, notice())
    assert attempt.outcome is Outcome.FAILED
    assert "dispatch.networks" in attempt.error
    assert attempt.unsent
