from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cameras.address import Address, SourceKind, Transport, parse_address
from vision.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "kind", "host", "port"),
    [
        ("rtsp://10.0.0.7/stream1", SourceKind.RTSP, "10.0.0.7", 554),
        ("rtsps://cam.example:8322/s", SourceKind.RTSP, "cam.example", 8322),
        ("RTSP://u:p@[fd00::7]:554/s", SourceKind.RTSP, "fd00::7", 554),
        ("http://zlm/live/34020000001320000001.live.flv", SourceKind.STREAM, "zlm", 80),
        ("https://nvr/hls/7/index.m3u8?sign=a", SourceKind.STREAM, "nvr", 443),
        ("http://cam/mjpg/video.mjpg", SourceKind.STREAM, "cam", 80),
        ("http://go2rtc:1984/api/frame.jpeg?src=gate", SourceKind.SNAPSHOT, "go2rtc", 1984),
        ("http://cam/ISAPI/Streaming/channels/101/picture", SourceKind.SNAPSHOT, "cam", 80),
        ("http://cam/cgi-bin/snapshot.cgi?channel=1", SourceKind.SNAPSHOT, "cam", 80),
        ("file:///srv/clips/gate.mp4", SourceKind.FILE, "", 0),
    ],
)
def test_says_how_pictures_are_got(text: str, kind: SourceKind, host: str, port: int) -> None:
    address = parse_address(text)
    assert (address.kind, address.host, address.port) == (kind, host, port)


def test_an_http_address_may_be_told_what_it_is() -> None:
    assert parse_address("http://cam/x", kind=SourceKind.SNAPSHOT).kind is SourceKind.SNAPSHOT
    assert parse_address("http://cam/a.jpg", kind=SourceKind.STREAM).kind is SourceKind.STREAM


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.0.0.7/stream",
        "ftp://host/x",
        "gopher://host",
        "concat:/etc/passwd",
        "rtsp://",
        "rtsp://host:0/x",
        "rtsp://host:99999/x",
        "rtsp://host/a b",
        "rtsp://host/\r\nX: y",
        "rtsp://admin:pa/ss@host/x",
        "file://server/share.mp4",
        "file:relative.mp4",
        "file:///srv/../etc/passwd",
        "rtsp://host/" + "a" * 3000,
    ],
)
def test_refuses_what_is_no_address_without_quoting_it(text: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_address(text)
    for part in ("pa/ss", "pa", "passwd", "aaaa"):
        assert part not in str(refusal.value).replace("password", "").replace("spaces", "")


def test_a_kind_that_the_scheme_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigError):
        parse_address("rtsp://cam/x", kind=SourceKind.SNAPSHOT)
    with pytest.raises(ConfigError):
        parse_address("http://cam/x", kind=SourceKind.FILE)


secrets = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#%[]\\"),
    min_size=6,
    max_size=20,
).map(lambda text: "Zq" + text)


@given(user=secrets, password=secrets, token=st.text("abcdef0123456789", min_size=12, max_size=32))
def test_secrets_are_never_shown_and_always_sent(user: str, password: str, token: str) -> None:
    text = f"rtsp://{user.replace(':', '')}:{password}@cam.example/live?token={token}&n=1"
    address = parse_address(text, transport=Transport.UDP)
    told = f"{address} {address!r} {address.redact('at ' + text)} {[address]}"
    told += address.redact(f"tried {address.with_secrets()} with {address.password}")
    assert password not in told
    assert token not in told
    assert "cam.example" in told
    sent = parse_address(address.with_secrets())
    assert (sent.user, sent.password) == (user.replace(":", ""), password)
    assert token in sent.url


def test_connects_to_the_address_that_was_checked() -> None:
    address = parse_address("rtsp://u:p%40ss@cam.example:8554/live?x=1")
    assert address.with_secrets("10.0.0.7") == "rtsp://u:p%40ss@10.0.0.7:8554/live?x=1"
    assert address.with_secrets("fd00::7") == "rtsp://u:p%40ss@[fd00::7]:8554/live?x=1"


def test_short_passwords_do_not_garble_every_text() -> None:
    address = Address("rtsp://cam/x", SourceKind.RTSP, user="a", password="a")
    assert address.redact("a camera") == "a camera"
