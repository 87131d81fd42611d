"""What hosts said, as the rest of the service is told it; no cluster is needed for that."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from posting import CREATED_AT
from prometheus_client import generate_latest

from service.cameras.counts import DetectorCounts, LiveCounts
from service.cameras.schedule import Shed
from service.cameras.sink import CameraHealth, SourceState
from service.hosts.host import HostSettings
from service.hosts.live import OLD_S, HostedCameras, _Heard
from service.hosts.state import HostReport
from service.live import Pushed, Snapshot
from service.metrics import Metrics
from service.settings import Duplicates
from service.store.database import Database


def hosted(**heard: _Heard) -> HostedCameras:
    settings = HostSettings(
        data=Path("data"),
        database_url="postgresql://u:hunter2@h/d",
        evidence="s3://b/e",
        networks=(),
        folders=(),
        models=None,
        timezone="Asia/Shanghai",
        calendar="cn",
        duplicates=Duplicates(),
    )
    assert "hunter2" not in repr(settings)
    made = HostedCameras("auto", settings)
    made._heard.update(heard)
    return made


def said(ago_s: float, fault: str | None = None, **cameras: SourceState) -> _Heard:
    report = HostReport(
        machine="m1",
        cameras={name: CameraHealth(name, state, CREATED_AT) for name, state in cameras.items()},
        counts=LiveCounts(
            looks=dict.fromkeys(cameras, 2), decode_s=dict.fromkeys(cameras, 0.5), shed=Shed(1, 2)
        ),
        detectors={"street": DetectorCounts(pictures=3, seconds=0.5)},
        fault=fault,
    )
    return _Heard(report, time.monotonic() - ago_s)


def test_of_a_camera_that_moved_the_newer_word_counts() -> None:
    live = hosted(
        a=said(5.0, c1=SourceState.LIVE),
        b=said(1.0, c1=SourceState.CONNECTING, c2=SourceState.LIVE),
    )
    health = live.health("c1")
    assert health is not None
    assert health.state is SourceState.CONNECTING
    assert live.health("c3") is None


def test_what_a_host_said_long_ago_is_not_told_any_more() -> None:
    live = hosted(a=said(OLD_S + 1, c1=SourceState.LIVE))
    assert live.health("c1") is None
    assert live.counts() == LiveCounts()
    assert live.snapshot("c1") is None
    picture = np.zeros((90, 160, 3), np.uint8)
    assert live.push("c1", Snapshot(picture, CREATED_AT)) is Pushed.NOT_WATCHED


def test_what_hosts_did_is_summed_and_told_as_metrics(database: Database) -> None:
    live = hosted(
        a=said(1.0, c1=SourceState.LIVE),
        b=said(1.0, "model street: blind", c1=SourceState.LIVE, c2=SourceState.LIVE),
    )
    counts = live.counts()
    assert (counts.looks, counts.decode_s) == ({"c1": 4, "c2": 2}, {"c1": 1.0, "c2": 0.5})
    assert counts.shed == Shed(2, 4)
    assert live.detector_counts() == {"street": DetectorCounts(pictures=6, seconds=1.0)}
    metrics = Metrics(database, lambda: CREATED_AT, live, live.detector_counts, live.state)
    told = generate_latest(metrics.registry).decode()
    assert 'jiexu_host_cameras{host="b",machine="m1"} 2.0' in told
    assert 'jiexu_host_detectors_ok{host="b",machine="m1"} 0.0' in told
    assert "jiexu_hosts_lost_total 0.0" in told
