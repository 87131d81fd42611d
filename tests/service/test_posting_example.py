"""The receiver printed in docs/posting.md works as it stands there."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from posting import SECRET_TEXT, MakeRun, record

from service.dispatch.delivery import deliver
from service.dispatch.secret import Secret
from service.dispatch.webhook import event_id


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("JIEXU_POST_SECRET", SECRET_TEXT)
    monkeypatch.setenv("CASES_DB", str(tmp_path / "cases.db"))
    text = (Path(__file__).parents[2] / "docs/posting.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code.replace("from __future__", ""), "docs/posting.md", "exec"), names)
    return names


def test_the_example_creates_each_case_once(
    example: dict[str, Any], make_run: MakeRun, secret: Secret
) -> None:
    server = uvicorn.Server(uvicorn.Config(example["app"], port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/cases"
        wrong = deliver(make_run(2, "wrong"), url, Secret((b"w" * 32,)), wait_s=0)
        assert wrong.dead == 2
        assert deliver(make_run(2), url, secret).delivered == 2
        assert deliver(make_run(2, "again"), url, secret).delivered == 2
    finally:
        server.should_exit = True
        thread.join(20)
    rows = example["store"].execute("SELECT number, id FROM cases ORDER BY number").fetchall()
    example["store"].close()
    assert rows == [(1, event_id(record(0))), (2, event_id(record(1)))]
