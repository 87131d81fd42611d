"""A destination is checked, known again, and shown without its credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dispatch.destination import Destination
from vision.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://platform.example/cases", "'ftp'"),
        ("file:///etc/passwd", "'file'"),
        ("platform.example/cases", "none"),
        ("", "none"),
        ("http://", "no host"),
        ("https:///cases", "no host"),
        ("http://host:99999/", "malformed"),
        ("http://[::1", "malformed"),
        ("http://host/a b", "blanks"),
    ],
)
def test_what_is_no_web_address_is_refused_and_told_why(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Destination.parse(url)


def test_an_error_text_does_not_repeat_a_password_that_breaks_the_url() -> None:
    with pytest.raises(ConfigError) as caught:
        Destination.parse("http://user:hunter2/x@host/")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/cases", "https://a.example/cases"),
        ("https://u:pw@a.example:8443/cases", "https://***@a.example:8443/cases"),
        ("https://token@a.example/", "https://***@a.example/"),
        ("https://a.example/in?key=abc&tenant=5", "https://a.example/in?key=***&tenant=***"),
        ("https://a.example/in?abcdef", "https://a.example/in?***"),
        ("https://a.example/hook/T0A1B2C3D4E5F6G7H8/in", "https://a.example/hook/***/in"),
        ("http://[::1]:80/x#part", "http://[::1]:80/x"),
    ],
)
def test_the_shown_form_leaves_credentials_out(url: str, shown: str) -> None:
    destination = Destination.parse(url)
    assert destination.shown == shown
    assert destination.hides_nothing == (destination.url == shown)
    assert "pw" not in repr(destination)


words = st.text(st.sampled_from("abcdefXYZ0189"), min_size=12, max_size=30)


@given(user=words, password=words, value=words)
def test_no_credential_is_ever_shown(user: str, password: str, value: str) -> None:
    destination = Destination.parse(f"https://{user}:{password}@a.example/cases?key={value}")
    for word in (user, password, value):
        assert word not in destination.shown + repr(destination)


def test_a_new_password_is_no_new_destination_but_another_path_is() -> None:
    known = Destination.parse("https://u:old@A.example/cases").id
    assert Destination.parse("https://u:new@a.example:443/cases#x").id == known
    others = ["http://a.example/cases", "https://a.example/other", "https://a.example/cases?t=1"]
    assert len({known, *(Destination.parse(url).id for url in others)}) == 4


@pytest.mark.parametrize(
    ("target", "may"),
    [
        ("http://a.example/elsewhere", True),
        ("http://a.example:80/elsewhere", True),
        ("https://a.example/elsewhere", True),
        ("http://b.example/cases", False),
        ("http://a.example:8080/cases", False),
        ("https://a.example:8443/cases", False),
        ("ftp://a.example/cases", False),
        ("http://a.example:x/", False),
    ],
)
def test_redirects_stay_with_the_receiver(target: str, may: bool) -> None:
    assert Destination.parse("http://a.example/cases").may_redirect_to(target) is may


def test_a_redirect_never_leaves_tls() -> None:
    assert not Destination.parse("https://a.example/").may_redirect_to("http://a.example/")
