"""``jiexu serve`` over a folder that was filled, for as long as something is measured."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_S = 120.0


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A service that watches no camera; its address. What it logs stands in ``log`` in the folder.

    Raises:
        SystemExit: It does not answer; the text is the end of its log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--port", str(port)],
            env={**os.environ, "JIEXU_DATA": str(folder), "JIEXU_WATCH": "false"},
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            httpx.get(f"{url}/healthz").raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline_s:
                sys.exit(f"the service does not answer:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
