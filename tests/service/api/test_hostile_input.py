"""What someone sends who means harm: refused, or kept as the data that it is."""

from __future__ import annotations

import copy
import io
import resource
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from fractions import Fraction
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from posting import Receiver, Reply
from schemathesis import GenerationMode
from serving import Serving, camera, picture
from sqlalchemy import func, select

from service.cameras.address import parse_address
from service.cameras.failure import CameraError
from service.cameras.states import FailureKind
from service.cameras.web import Web
from service.dispatch.destination import Destination
from service.dispatch.exchange import Exchange, NoAnswerError, Timeouts
from service.reach import AddressPolicy
from service.store.tables import AuditRow, Base, CameraRow, Role, Scope
from vision.errors import ConfigError

ONLY_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

# Pictures and clips that are larger than they look.


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that says it is so large, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack("!I", len(data)) + body + struct.pack("!I", zlib.crc32(body))

    head = chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100_000, 9))
    rest = b"".join(chunk(data[:4], data[4:]) for data in chunks)
    return b"\x89PNG\r\n\x1a\n" + head + rest + pixels + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """A JPEG that says it is so large."""
    data = bytearray(picture())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack("!HH", height, width)
    return bytes(data)


def large_clip(width: int, height: int) -> bytes:
    """A clip of one empty picture: of many pixels and few bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=1, options={"preset": "ultrafast"})
        stream.width, stream.height = width, height
        frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="bgr24")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


BOMBS = {
    "a PNG of 2.5 gigapixels": (png(50_000, 50_000), "image/png"),
    "a PNG of the largest sides there are": (png(2**31 - 1, 2**31 - 1), "image/png"),
    "a PNG whose text unpacks to 200 MB": (
        png(64, 64, b"zTXta\0\0" + zlib.compress(b"a" * 200_000_000, 9)),
        "image/png",
    ),
    "a PNG whose colour profile unpacks to 200 MB": (
        png(64, 64, b"iCCPa\0\0" + zlib.compress(b"a" * 200_000_000, 9)),
        "image/png",
    ),
    "a JPEG of 4.2 gigapixels": (jpeg(65_500, 65_500), "image/jpeg"),
    "a BMP of 4 gigapixels": (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 2**16, 2**16, 1, 24, 0, 0, 0, 0, 0, 0),
        "image/bmp",
    ),
}


@ONLY_SQLITE
@pytest.mark.parametrize("name", BOMBS)
def test_pictures_that_unpack_to_too_much_do_not_go_off(serving: Serving, name: str) -> None:
    data, type_ = BOMBS[name]
    pushed = camera("pushed", source=None)
    serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=pushed)
    client = serving.key(Scope.INGEST)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in ("/api/v1/detect", "/api/v1/frames"):
        answer = client.post(path, data={"camera_id": "pushed"}, files={"file": ("x", data, type_)})
        assert answer.status_code in (413, 415), answer.text
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 300
    assert serving.live.pushed == []


@ONLY_SQLITE
def test_a_clip_of_too_many_pixels_is_not_decoded(serving: Serving) -> None:
    data = large_clip(8192, 5120)
    assert len(data) < 1_000_000
    answer = serving.key(Scope.INGEST).post(
        "/api/v1/detect", files={"file": ("x.mp4", data, "video/mp4")}
    )
    assert (answer.status_code, answer.json()["type"]) == (
        413,
        "urn:jiexu:problem:too_many_pixels",
    )


# Uploads without end.


@ONLY_SQLITE
def test_every_route_refuses_100_mb_before_it_asks_who_sends_them(serving: Serving) -> None:
    taken = []
    for path, operations in serving.app.openapi()["paths"].items():
        for method in operations:
            answer = serving.anyone().request(
                method.upper(),
                path.replace("{", "").replace("}", ""),
                content=b"{}",
                headers={"content-length": "100000000", "content-type": "application/json"},
            )
            if answer.status_code != 413:
                taken.append((method, path, answer.status_code))
    assert taken == []


@ONLY_SQLITE
@pytest.mark.parametrize("path", ["/api/v1/cameras", "/api/v1/frames", "/api/v1/session"])
def test_a_body_of_unsaid_length_is_cut_off(serving: Serving, path: str) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1_000_000
            yield b'"' + b"a" * 999_999

    headers = {"content-type": "application/json"}
    if path.endswith("frames"):
        headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = serving.user(Role.ADMIN).post(path, content=endless(), headers=headers)
    assert answer.status_code == 413, answer.text


@ONLY_SQLITE
def test_deep_and_wide_documents_are_refused_in_time(serving: Serving) -> None:
    client = serving.user(Role.ADMIN)
    for body in (b'{"id":' + b"[" * 100_000, b'{"a":' * 50_000, b"[" + b"1," * 400_000 + b"1]"):
        answer = client.post(
            "/api/v1/cameras", content=body, headers={"content-type": "application/json"}
        )
        assert answer.status_code in (400, 422)


# Names that lead elsewhere.

LEADING_OUT = [
    "..",
    ".",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "..\\..\\windows",
    "/etc/passwd",
    "a/../../b",
    "file:///etc/passwd",
    "%00",
    "....//....//etc",
]


@ONLY_SQLITE
@pytest.mark.parametrize("name", LEADING_OUT)
def test_names_lead_to_no_file(serving: Serving, name: str, tmp_path: Path) -> None:
    outside = {path for path in tmp_path.parent.glob("*") if path != tmp_path}
    client = serving.user(Role.ADMIN)
    made = client.post("/api/v1/cameras", json=camera(name))
    assert made.status_code == 422, made.text
    for model in (name, f"../{name}"):
        answer = client.post("/api/v1/cameras", json=camera("c", source=None, model=model))
        assert answer.status_code in (201, 409, 422)
    for path in ("cameras", "cases", "evidence", "violations", "replays", "docs"):
        # Clients resolve dots themselves: what is asked for is the path before.
        answer = client.get(f"/api/v1/{path}/x{name}")
        assert answer.status_code in (404, 405, 422), (path, answer.status_code)
        assert "root:" not in answer.text
    answer = serving.key(Scope.INGEST).post(
        "/api/v1/detect", files={"file": (name, picture(), "image/jpeg")}
    )
    assert answer.status_code == 200
    assert {path for path in tmp_path.parent.glob("*") if path != tmp_path} == outside
    with pytest.raises(ValueError, match="no key"):
        serving.service.files.read(name)


# Addresses that lead to what only this machine can reach.


@pytest.fixture
def inside() -> Iterator[tuple[int, list[bytes]]]:
    """A service of this machine that nobody outside may reach; notes what is asked of it."""
    asked: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(100))
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield listening.getsockname()[1], asked
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "user:pw@127.0.0.1",
    "camera.example@127.0.0.1",
]
EVERYTHING = AddressPolicy(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))


@ONLY_SQLITE
@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_this_machine_is_reached(
    serving: Serving, host: str, inside: tuple[int, list[bytes]]
) -> None:
    port, asked = inside
    url = f"http://{host}:{port}/snapshot"
    made = serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=camera(source=url))
    assert made.status_code in (201, 422)
    if made.status_code == 201:
        # A name: only when it is connected to is it known where it leads.
        address = parse_address(url)
        with pytest.raises(CameraError) as refused:
            Web(address, EVERYTHING, open_s=2, read_s=2).picture(1000)
        assert refused.value.kind in (
            FailureKind.FORBIDDEN_ADDRESS,
            FailureKind.UNKNOWN_HOST,
            FailureKind.GARBAGE,  # no address at all, to the client
        )
    assert asked == []


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_case_is_posted_to_a_spelling_of_this_machine(
    host: str, inside: tuple[int, list[bytes]]
) -> None:
    port, asked = inside
    try:
        platform = Destination.parse(f"http://{host}:{port}/cases")
    except ConfigError:
        return
    with (
        Exchange(platform, Timeouts(2, 4), policy=EVERYTHING) as exchange,
        pytest.raises(NoAnswerError) as refused,
    ):
        exchange.ask("POST", exchange.url, headers={}, body=b"{}")
    assert "may not be reached" in refused.value.error or "name" in refused.value.error
    assert asked == []


def test_no_platform_redirects_a_case_to_another_service(inside: tuple[int, list[bytes]]) -> None:
    port, asked = inside
    receiver = Receiver(secret=None)
    receiver.start()
    here = AddressPolicy(networks=(ip_network("127.0.0.0/8"),))
    try:
        for target in (f"http://127.0.0.1:{port}/x", f"http://localhost:{port}/", "file:///etc"):
            for status in (301, 302, 303, 307, 308):
                receiver.script.append(Reply(status, headers={"location": target}))
                with Exchange(Destination.parse(receiver.url), policy=here) as exchange:
                    try:
                        answer = exchange.ask(
                            "POST", exchange.url, headers={"webhook-id": "1"}, body=b"{}"
                        )
                    except NoAnswerError:
                        continue
                    assert answer.status == status
    finally:
        receiver.stop()
    assert asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.7"],
        ["fd00:ec2::254"],
        ["::ffff:10.0.0.7"],
        ["93.184.215.14", "127.0.0.1"],
    ],
)
def test_no_name_leads_to_a_private_address(
    addresses: list[str], inside: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("service.reach.socket.getaddrinfo", resolve)
    port, asked = inside
    address = parse_address(f"http://camera.example:{port}/snapshot")
    with pytest.raises(CameraError) as refused:
        Web(address, AddressPolicy(), open_s=2, read_s=2).picture(1000)
    assert refused.value.kind is FailureKind.FORBIDDEN_ADDRESS
    assert asked == []


# Text that would be something else where it is not data.

HOSTILE = (
    "'; DROP TABLE cases; --",
    '<script>alert(1)</script><img src=x onerror="alert(1)">',
    "{{7*7}} ${7*7} %(x)s %n",
)


def texts(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of all texts in a document."""
    if isinstance(document, str):
        yield place
    if isinstance(document, dict):
        for key, value in document.items():
            yield from texts(value, (*place, key))
    if isinstance(document, list):
        for number, value in enumerate(document):
            yield from texts(value, (*place, number))


def with_text(document: Any, place: tuple[Any, ...], text: str) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    return changed


@pytest.mark.slow
def test_text_in_any_field_of_any_route_is_data(serving: Serving) -> None:
    client = serving.user(Role.ADMIN)
    serving.user(Role.SUPERVISOR).post("/api/v1/cameras", json=camera())
    serving.app.state.event_streams.update(object() for _ in range(64))
    sent: dict[str, Any] = {
        "cookies": dict(client.cookies),
        "headers": {"x-csrf-token": client.headers["x-csrf-token"]},
    }
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", serving.app)
    asked = 0

    def ask(case: schemathesis.Case) -> None:
        nonlocal asked
        asked += 1
        answer = case.call(**sent)
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        kind = answer.headers.get("content-type", ["application/json"])[0]
        assert not kind.startswith("text/html"), (case.method, case.path)
        assert answer.headers["x-content-type-options"] == ["nosniff"]

    for result in schema.get_all_operations():
        operation = result.ok()
        if (operation.method.upper(), operation.path) == ("DELETE", "/api/v1/session"):
            continue  # logs out; it takes no text

        @settings(
            max_examples=2,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(GenerationMode.POSITIVE))
        def put_everywhere(case: schemathesis.Case) -> None:
            for part in ("path_parameters", "query", "body"):
                document = getattr(case, part)
                if not isinstance(document, dict):
                    continue
                for place in texts(dict(document)):
                    for text in HOSTILE:
                        setattr(case, part, with_text(dict(document), place, text))
                        ask(case)
                setattr(case, part, document)

        put_everywhere()
    assert asked > 300
    with serving.service.database.read() as session:
        for table in Base.metadata.tables.values():
            session.execute(select(func.count()).select_from(table))
        assert session.scalar(select(func.count()).select_from(CameraRow))
        assert session.scalar(select(func.count()).select_from(AuditRow))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_kept_comes_back_as_it_was_said(serving: Serving, text: str) -> None:
    client = serving.user(Role.ADMIN)
    made = client.post("/api/v1/cameras", json=camera(name=text, source=None))
    assert made.status_code == 201
    assert client.get("/api/v1/cameras/gate-3").json()["name"] == text
    key = client.post("/api/v1/keys", json={"name": text, "scopes": ["read"]})
    assert key.status_code == 201
    assert text in [one["name"] for one in client.get("/api/v1/keys").json()]
    user = client.post(
        "/api/v1/users",
        json={
            "name": "li.na",
            "role": "viewer",
            "display_name": text,
            "password": "a long way home",
        },
    )
    assert user.status_code == 201, user.text
    assert text in [one["display_name"] for one in client.get("/api/v1/users").json()]
