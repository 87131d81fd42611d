"""The command as a person starts it: a process, its port, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

PASSWORD = "a long way home"


def run(*arguments: str, data: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env={**os.environ, "JIEXU_DATA": str(data)},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "service.yaml"
    config.write_text("link_s: 60\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "service", "serve", "--port", str(port), "-c", str(config)],
        env={**os.environ, "JIEXU_DATA": str(tmp_path / "data")},
        stderr=subprocess.PIPE,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    try:
        while True:
            try:
                httpx.get(f"{url}/healthz")
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline, "it does not listen"
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
        yield url, process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_from_nothing_to_the_first_admin_and_a_quiet_end(
    served: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    url, process = served
    assert httpx.get(f"{url}/readyz").json() == {"status": "ready"}
    token = (tmp_path / "data" / "first-run-token").read_text().strip()
    form = {"token": token, "name": "boss", "password": PASSWORD}
    with httpx.Client(base_url=url) as client:
        made = client.post("/api/v1/setup", json=form)
        assert made.status_code == 201, made.text
        assert client.get("/api/v1/session").json()["role"] == "admin"
        with client.stream("GET", "/api/v1/events") as stream:
            assert stream.status_code == 200
            (tmp_path / "service.yaml").write_text("link_s: 30\nhost: 127.0.0.2\n")
            process.send_signal(signal.SIGHUP)
            until_audited(client, "settings.reloaded")
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, logged = process.communicate(timeout=60)
            assert time.monotonic() - begun < 10
    assert process.returncode == 0
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    assert any("first-run-token" in line["message"] for line in lines)
    assert "settings read again; changed: link_s; from the next start: host" in [
        line["message"] for line in lines
    ]
    assert any(line.get("path") == "/api/v1/setup" and line["status"] == 201 for line in lines)
    assert token not in logged
    assert PASSWORD not in logged


def until_audited(client: httpx.Client, action: str) -> None:
    deadline = time.monotonic() + 30
    while action not in client.get("/api/v1/audit").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_users_are_made_listed_and_changed_at_the_command_line(tmp_path: Path) -> None:
    made = run("user", "add", "li.na", "--role", "admin", data=tmp_path, given=PASSWORD + "\n")
    assert made.returncode == 0, made.stderr
    assert "li.na" in run("user", "list", data=tmp_path).stdout
    unfit = run("user", "add", "wang", data=tmp_path, given="short\n")
    assert (unfit.returncode, "12 characters" in unfit.stderr) == (2, True)
    last = run("user", "change", "li.na", "--disable", data=tmp_path)
    assert (last.returncode, "only admin" in last.stderr) == (2, True)
    backup = run("backup", str(tmp_path / "backup"), data=tmp_path)
    assert backup.returncode == 0, backup.stderr
    restored = run("restore", str(tmp_path / "backup"), data=tmp_path / "new")
    assert restored.returncode == 0, restored.stderr
    assert "li.na" in run("user", "list", data=tmp_path / "new").stdout
