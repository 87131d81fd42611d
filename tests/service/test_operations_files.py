"""What operators are given: every query, setting and command in it is one that exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import promql_parser
import pytest
import yaml
from fastapi.testclient import TestClient
from posting import CREATED_AT, record
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from service.app import create_app
from service.cameras.counts import DetectorCounts, LiveCounts
from service.cameras.sink import CameraHealth, SourceState
from service.cases.intake import Intake
from service.cli import app as commands
from service.context import Service
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.live import Live
from service.settings import ServiceSettings
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.migrate import upgrade
from vision.observe.look import Health
from vision.site import Camera

FOLDER = Path(__file__).parents[2] / "docs" / "operations"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text())
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())

FROM_PROMETHEUS = {"up"}


class OneCamera:
    """A camera of which pictures come."""

    def health(self, camera_id: str) -> CameraHealth:
        return CameraHealth(
            camera_id,
            SourceState.LIVE,
            since=CREATED_AT,
            last_frame_at=CREATED_AT,
            view=Health.OK,
        )

    def counts(self) -> LiveCounts:
        return LiveCounts(looks={"gate-3": 1}, skipped={"gate-3": 1}, decode_s={"gate-3": 0.1})


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Names of all samples that a running service tells, each with the names of its labels."""
    tmp_path = tmp_path_factory.mktemp("told")
    database = Database(f"sqlite:///{tmp_path / 'jiexu.db'}")
    upgrade(database)
    with database.write() as session:
        add_camera(session, Camera(id="gate-3"), CREATED_AT, enabled=True)
    files = EvidenceFiles(tmp_path / "evidence")
    intake = Intake(database, files, mask=lambda *_: None, clock=lambda: datetime.now(UTC))
    intake.take(record(0).model_copy(update={"raised_at": datetime.now(UTC)}), {})
    service = Service(
        settings=ServiceSettings(data=tmp_path),
        database=database,
        files=files,
        signer=Signer(b"a secret of the tests, 32 bytes.."),
        clock=lambda: datetime.now(UTC),
        live=cast(Live, OneCamera()),
        detector_counts=lambda: {"jiexu-street": DetectorCounts()},
    )
    app = create_app(service)
    TestClient(app).get("/healthz")
    text = generate_latest(app.state.metrics.registry).decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    database.close()
    return found


def queries() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def selectors(node: Any) -> Iterator[Any]:
    """All selectors of metrics in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector", "vs"):
        part = getattr(node, name, None)
        if part is not None and part is not node:
            yield from selectors(part)
    for part in getattr(node, "args", None) or ():
        yield from selectors(part)


@pytest.mark.parametrize(("title", "query"), list(queries()))
def test_every_query_asks_for_what_the_service_tells(
    title: str, query: str, told: dict[str, set[str]]
) -> None:
    asked = list(selectors(promql_parser.parse(query.replace("$job", "jiexu"))))
    assert asked, "asks for nothing"
    for one in asked:
        assert one.name in told.keys() | FROM_PROMETHEUS
        named = {matcher.name for matcher in one.matchers.matchers} - {"job"}
        assert named <= told.get(one.name, set())


def test_panels_neither_overlap_nor_share_an_id() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    for number, one in enumerate(places):
        assert one["x"] + one["w"] <= 24
        for other in places[:number]:
            apart = (
                one["x"] >= other["x"] + other["w"]
                or other["x"] >= one["x"] + one["w"]
                or one["y"] >= other["y"] + other["h"]
                or other["y"] >= one["y"] + one["h"]
            )
            assert apart, (one, other)


def test_the_containers_are_given_settings_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    containerfile = (FOLDER / "Containerfile").read_text()
    given = dict(re.findall(r"(JIEXU_\w+)=(\S+)", containerfile))
    for name, value in COMPOSE["services"]["jiexu"]["environment"].items():
        given[name] = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
    assert set(given) > {"JIEXU_DATA", "JIEXU_DATABASE"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = ServiceSettings()
    assert settings.host == "0.0.0.0"
    assert settings.data == Path("/var/lib/jiexu")
    assert settings.retention.evidence_quota_gb == 200
    known = set(ServiceSettings.model_fields)
    parts = [name.removeprefix("JIEXU_").lower().partition("__")[0] for name in given]
    assert set(parts) <= known


def test_the_command_that_is_started_exists() -> None:
    names = {command.name for command in commands.registered_commands}
    unit = (FOLDER / "jiexu.service").read_text()
    started = re.findall(r"^ExecStart=/opt/jiexu/bin/jiexu (\w+)", unit, re.MULTILINE)
    started += re.findall(r'^CMD \["jiexu", "(\w+)"', (FOLDER / "Containerfile").read_text(), re.M)
    assert started == ["serve", "serve"]
    assert "serve" in names


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "jiexu.service"
    text = (FOLDER / "jiexu.service").read_text()
    unit.write_text(text.replace("/opt/jiexu/bin/jiexu", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
