"""``jiexu serve`` over a data folder that tests may write to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from dispatch_rig import free_port
from playwright.sync_api import BrowserContext

from service.auth.users import add_user, find_user
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import Role

PASSWORD = "a long way home"


@dataclass(frozen=True)
class ServedPages:
    """A running service.

    Attributes:
        url: Where it is.
        data: Its data folder.
        database: Its database.
        files: Its evidence.
    """

    url: str
    data: Path
    database: Database
    files: EvidenceFiles

    def add_user(self, name: str, role: Role) -> None:
        """Make a user, if there is none of that name yet."""
        with self.database.write() as session:
            if find_user(session, name) is None:
                add_user(session, name, role, datetime.now(UTC), password=PASSWORD)

    def log_in(self, window: BrowserContext, role: Role, name: str | None = None) -> None:
        """Log a user in whose name is that of the role, without the page to log in."""
        name = name or f"a.{role}"
        self.add_user(name, role)
        answer = window.request.post("/api/v1/session", data={"name": name, "password": PASSWORD})
        assert answer.status == 201, answer.text()


@contextmanager
def serving_pages(
    folder: Path, *, port: int | None = None, **settings: str
) -> Iterator[ServedPages]:
    """Start the service, and stop it at the end.

    Args:
        folder: Data folder.
        port: Where it listens; a free one without it.
        settings: Further settings, by the names of their variables without ``JIEXU_``.
    """
    port = port or free_port()
    variables = {f"JIEXU_{name.upper()}": value for name, value in settings.items()}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", str(port)],
            env={**os.environ, "JIEXU_DATA": str(folder), "JIEXU_WATCH": "false", **variables},
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.1)
        database = Database(f"sqlite:///{folder / 'jiexu.db'}")
        yield ServedPages(url, folder, database, EvidenceFiles(folder / "evidence"))
        database.close()
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()


def _answers(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz").status_code == 200
    return False
