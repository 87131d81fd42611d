"""Metrics for Prometheus."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from service.cameras.counts import DetectorCounts
from service.cameras.sink import SourceState
from service.dispatch.queue_metrics import QueueMetrics
from service.hosts.state import HostsState
from service.live import Live
from service.store.database import Database
from service.store.tables import CameraRow, CaseRow, CaseState, EventRow, EvidenceRow
from vision.observe.look import Health

LAG_CASES = 200
"""So many of the newest cases tell how long storing takes."""

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What is counted, in a registry of its own.

    Args:
        database: Store; what lies in it is counted when the metrics are read.
        clock: Tells aware wall-clock time.
        live: The cameras that are watched, if any are.
        detectors: Tells what the detectors have done, by model, if there are any.
        hosts: Tells how the hosts are that watch the cameras, if others than this process do.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        live: Live | None = None,
        detectors: Callable[[], Mapping[str, DetectorCounts]] | None = None,
        hosts: Callable[[], HostsState] | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "jiexu_http_requests",
            "Requests by route and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "jiexu_http_request_seconds",
            "Time to the beginning of the answer by route",
            ("method", "route"),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(_Stored(database))
        self.registry.register(_IntakeLag(database, clock))
        self.registry.register(QueueMetrics(database, clock))
        if live is not None:
            self.registry.register(_Watched(database, live, clock))
            self.registry.register(_Looks(live))
        if detectors is not None:
            self.registry.register(_Detectors(detectors))
        if hosts is not None:
            self.registry.register(_Hosts(hosts))


class _Stored(Collector):
    """What lies in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: the registry need not ask the database when it is set up."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Count cases by state, cameras, evidence and events."""
        with self._database.read() as session:
            states = dict(
                session.execute(select(CaseRow.state, func.count()).group_by(CaseRow.state)).all()
            )
            cameras = dict(
                session.execute(
                    select(CameraRow.enabled, func.count()).group_by(CameraRow.enabled)
                ).all()
            )
            kept = select(func.coalesce(func.sum(EvidenceRow.bytes), 0)).where(
                EvidenceRow.removed_at.is_(None)
            )
            evidence = session.scalar(kept)
            number = session.scalar(select(func.max(EventRow.id)))
        family = GaugeMetricFamily("jiexu_cases", "Cases by state", labels=["state"])
        for state in CaseState:
            family.add_metric([state], states.get(state, 0))
        yield family
        family = GaugeMetricFamily("jiexu_cameras", "Cameras", labels=["enabled"])
        for enabled in (True, False):
            family.add_metric([str(enabled).lower()], cameras.get(enabled, 0))
        yield family
        yield GaugeMetricFamily(
            "jiexu_evidence_bytes", "Evidence that is kept, by its rows", float(evidence or 0)
        )
        yield GaugeMetricFamily(
            "jiexu_last_event", "Number of the newest event", float(number or 0)
        )


class _IntakeLag(Collector):
    """How long after they were raised violations were stored."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: the registry need not ask the database when it is set up."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Median and longest of the cases raised in the last hour, the newest of them."""
        newest = (
            select(CaseRow.raised_at, CaseRow.created_at)
            .where(CaseRow.raised_at >= self._clock() - timedelta(hours=1))
            .order_by(CaseRow.raised_at.desc(), CaseRow.id.desc())
            .limit(LAG_CASES)
        )
        with self._database.read() as session:
            lags_s = [
                (created_at - raised_at).total_seconds()
                for raised_at, created_at in session.execute(newest)
            ]
        family = GaugeMetricFamily(
            "jiexu_intake_lag_seconds",
            "From raising a violation to storing it, of the newest cases of the last hour",
            labels=["of"],
        )
        if lags_s:
            family.add_metric(["median"], statistics.median(lags_s))
            family.add_metric(["longest"], max(lags_s))
        yield family


class _Looks(Collector):
    """What the cameras' looks come to."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not ask when it is set up."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Looks, skips and decoding of each camera; looks shed and failed, readers restarted."""
        counts = self._live.counts()
        by_camera: tuple[tuple[str, str, Mapping[str, float]], ...] = (
            ("jiexu_camera_looks", "Looks made", counts.looks),
            ("jiexu_camera_gate_skips", "Looks that needed no detector", counts.skipped),
            ("jiexu_camera_decode_seconds", "Decoding the pictures of looks", counts.decode_s),
        )
        for name, text, values in by_camera:
            family = CounterMetricFamily(name, text, labels=["camera"])
            for camera_id, value in sorted(values.items()):
                family.add_metric([camera_id], value)
            yield family
        shed = CounterMetricFamily(
            "jiexu_looks_shed", "Looks due and not made, for there was too much", labels=["pace"]
        )
        shed.add_metric(["rest"], counts.shed.rest)
        shed.add_metric(["closer"], counts.shed.closer)
        yield shed
        yield CounterMetricFamily(
            "jiexu_looks_failed", "Looks that the detector failed", counts.failed
        )
        restarts = CounterMetricFamily(
            "jiexu_reader_restarts", "Reader processes started anew", labels=["reason"]
        )
        for reason, count in sorted(counts.restarts.items()):
            restarts.add_metric([reason], count)
        yield restarts


class _Detectors(Collector):
    """What the detectors do."""

    def __init__(self, counts: Callable[[], Mapping[str, DetectorCounts]]) -> None:
        self._counts = counts

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not ask when it is set up."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Pictures, seconds, batches and queue of each model."""
        found = sorted(self._counts().items())
        counters: tuple[tuple[str, str, Callable[[DetectorCounts], float]], ...] = (
            ("pictures", "Pictures answered", lambda one: one.pictures),
            ("failures", "Pictures failed or refused", lambda one: one.failed),
            ("seconds", "From being given a picture to its answer", lambda one: one.seconds),
            ("batched", "Pictures with it when one was given", lambda one: one.together),
            ("restarts", "Its process replaced", lambda one: one.restarts),
        )
        gauges: tuple[tuple[str, str, Callable[[DetectorCounts], float]], ...] = (
            ("in_flight", "Pictures with it now", lambda one: one.in_flight),
            ("queue", "Callers that wait for a place", lambda one: one.waiting),
        )
        for name, text, value in counters:
            counter = CounterMetricFamily(f"jiexu_detector_{name}", text, labels=["model"])
            for model, one in found:
                counter.add_metric([model], value(one))
            yield counter
        for name, text, value in gauges:
            gauge = GaugeMetricFamily(f"jiexu_detector_{name}", text, labels=["model"])
            for model, one in found:
                gauge.add_metric([model], value(one))
            yield gauge


class _Hosts(Collector):
    """The hosts that share the cameras."""

    def __init__(self, state: Callable[[], HostsState]) -> None:
        self._state = state

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not ask when it is set up."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Cameras and faults of each host, moves and losses."""
        state = self._state()
        cameras = GaugeMetricFamily(
            "jiexu_host_cameras", "Cameras that a host watches", labels=["host", "machine"]
        )
        sound = GaugeMetricFamily(
            "jiexu_host_detectors_ok",
            "Whether a host's detectors passed their last canary",
            labels=["host", "machine"],
        )
        for name, report in sorted(state.reports.items()):
            cameras.add_metric([name, report.machine], len(report.cameras))
            sound.add_metric([name, report.machine], float(report.fault is None))
        yield cameras
        yield sound
        yield CounterMetricFamily(
            "jiexu_camera_moves", "Cameras that moved between hosts", state.moves
        )
        yield CounterMetricFamily("jiexu_hosts_lost", "Hosts that were lost", state.losses)


class _Watched(Collector):
    """How the cameras are."""

    def __init__(self, database: Database, live: Live, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._live = live
        self._clock = clock

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: the registry need not ask when it is set up."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """State, age of the newest frame, failures and reconnects of each camera."""
        with self._database.read() as session:
            ids = session.scalars(select(CameraRow.id).order_by(CameraRow.id)).all()
        now = self._clock()
        up = GaugeMetricFamily(
            "jiexu_camera_live", "Whether pictures come (1) or not (0)", labels=["camera"]
        )
        seeing = GaugeMetricFamily(
            "jiexu_camera_view_ok", "Whether the view can be judged", labels=["camera"]
        )
        age = GaugeMetricFamily(
            "jiexu_camera_last_frame_age_seconds", "Age of the newest frame", labels=["camera"]
        )
        failures = GaugeMetricFamily(
            "jiexu_camera_failures", "Tries in a row that failed", labels=["camera"]
        )
        reconnects = GaugeMetricFamily(
            "jiexu_camera_reconnects", "Reconnects since the start", labels=["camera"]
        )
        for id_ in ids:
            health = self._live.health(id_)
            if health is None:
                continue
            up.add_metric([id_], float(health.state is SourceState.LIVE))
            failures.add_metric([id_], health.failures)
            reconnects.add_metric([id_], health.reconnects)
            if health.view is not None:
                seeing.add_metric([id_], float(health.view is Health.OK))
            if health.last_frame_at is not None:
                age.add_metric([id_], (now - health.last_frame_at).total_seconds())
        yield from (up, seeing, age, failures, reconnects)
