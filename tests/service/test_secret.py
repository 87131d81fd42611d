"""The secret is read from places that others cannot see, and signs as receivers expect."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from posting import SECRET_TEXT
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.dispatch.secret import SECRET_VARIABLE, Secret, load_secret
from vision.errors import ConfigError


def test_a_receiver_verifies_what_was_signed_in_any_time_zone(secret: Secret) -> None:
    now = datetime.now(timezone(timedelta(hours=8)))
    body = '{"data": "占道经营"}'.encode()
    headers = {
        "webhook-id": "case_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": secret.sign("case_1", now, body),
    }
    assert Webhook(SECRET_TEXT).verify(body, headers) == {"data": "占道经营"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET_TEXT).verify(body + b" ", headers)


def test_the_signature_is_that_of_the_specification() -> None:
    # Example of the Standard Webhooks reference implementations.
    secret = Secret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", named="the test")
    signature = secret.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_both_secrets_sign_while_one_replaces_the_other() -> None:
    new = "whsec_" + base64.b64encode(b"n" * 32).decode()
    now = datetime.now(UTC)
    headers = {
        "webhook-id": "case_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Secret.parse(f"{new} {SECRET_TEXT}", named="t").sign(
            "case_1", now, b"{}"
        ),
    }
    for text in (new, SECRET_TEXT):
        Webhook(text).verify(b"{}", headers)


@pytest.mark.parametrize(
    "text",
    [
        "hunter2hunter2hunter2hunter2hunter2",
        "whsec_not!base64",
        "whsec_" + base64.b64encode(b"short").decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        SECRET_TEXT + " hunter2",
    ],
)
def test_what_is_no_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="the test") as caught:
        Secret.parse(text, named="the test")
    for word in text.split():
        assert word not in str(caught.value)


def test_a_secret_does_not_show_itself(secret: Secret) -> None:
    assert repr(secret) == "Secret()"
    assert "key of the tests" not in f"{secret}"


def test_it_comes_from_a_file_or_the_environment(tmp_path: Path, secret: Secret) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET_TEXT + "\n")
    assert load_secret(file, {}) == secret
    assert load_secret(None, {SECRET_VARIABLE: SECRET_TEXT}) == secret
    assert load_secret(None, {SECRET_VARIABLE: " "}) is None
    assert load_secret(None, {}) is None


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_secret(tmp_path / "nowhere", {})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="empty holds no secret"):
        load_secret(tmp_path / "empty", {})
