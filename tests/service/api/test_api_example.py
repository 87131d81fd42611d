from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from posting import record
from serving import Serving

from service.cases.intake import Intake
from service.store.tables import Scope

DOCS = Path(__file__).parents[3] / "docs"


def test_the_client_of_the_docs_reads_every_page(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = serving.service
    intake = Intake(service.database, service.files, mask=lambda *_: None, clock=service.clock)
    for number in range(5):
        intake.take(record(number), {})
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "api.md").read_text("utf-8"), re.DOTALL)
    key = serving.key(Scope.READ).headers["authorization"]
    assert "Bearer jxk_..." in code
    code = code.replace("Bearer jxk_...", key).replace('"limit": 100', '"limit": 2')

    def client(**options: Any) -> TestClient:
        return TestClient(serving.app, **options)

    monkeypatch.setattr(httpx, "Client", client)
    exec(compile(code, "docs/api.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert all("gate-3 Street stall" in line for line in lines)
