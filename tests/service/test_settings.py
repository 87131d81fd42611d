from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import load_settings
from vision.errors import ConfigError


def test_without_a_file_everything_lies_in_one_folder() -> None:
    settings = load_settings(None)
    assert settings.database_url.endswith("/jiexu-data/jiexu.db")
    assert settings.evidence_root == "jiexu-data/evidence"
    assert not settings.secure_cookies


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "service.yaml"
    path.write_text("port: 9000\nhost: 0.0.0.0\nlimits:\n  picture_mb: 8\n")
    monkeypatch.setenv("JIEXU_PORT", "9001")
    monkeypatch.setenv("JIEXU_LIMITS__CLIP_MB", "32")
    settings = load_settings(path)
    assert (settings.port, settings.host) == (9001, "0.0.0.0")
    assert (settings.limits.picture_mb, settings.limits.clip_mb) == (8, 32)


def test_variables_of_other_parts_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIEXU_POST_SECRET", "whsec_x")
    monkeypatch.setenv("JIEXU_SHARED_DATA", "/somewhere")
    load_settings(None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("prot: 1", "prot"),
        ("port: 99999", "port"),
        ("limits: {picture_mb: -1}", "limits.picture_mb"),
        ("public_url: jiexu.test", "public_url"),
        ("camera_networks: [10.0.0.1/8]", "camera_networks.0"),
        ("oidc: {issuer: 'https://x', client_id: a, client_secret: b, roles: {}}", "oidc.roles"),
        (
            "oidc: {issuer: 'https://x', client_id: a, client_secret: b, roles: {c: viewer}}",
            "needs public_url",
        ),
        ("hosts: {}\nevidence: s3://b/e", "hosts: needs database: postgresql"),
        ("hosts: {}\ndatabase: postgresql://h/d", "hosts: needs evidence"),
        ("hosts: {address: 'ray://h:1'}", "hosts.address"),
        ("- a", "mapping"),
        ("a: [", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "service.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load_settings(path)


def test_secrets_are_shown_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "service.yaml"
    path.write_text("database: postgresql://u:hunter2@h/d\nsigning_secret: [hunter2]\n")
    with pytest.raises(ConfigError) as told:
        load_settings(path)
    assert "hunter2" not in str(told.value)
    path.write_text("database: postgresql://u:hunter2@h/d\nsigning_secret: hunter2\n")
    settings = load_settings(path)
    assert "hunter2" not in repr(settings)
    assert "hunter2" in settings.database_url
