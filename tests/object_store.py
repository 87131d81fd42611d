"""A server that speaks S3, one for all tests: its buckets belong to the process, not the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAJIEXUTESTS000000",
    "AWS_SECRET_ACCESS_KEY": "s3-secret-of-the-tests/that+nobody=sees",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """URL of the server; each test names buckets of its own in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
