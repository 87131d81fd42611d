"""Metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from service.cameras.sink import SourceState
from service.live import Live
from service.store.database import Database
from service.store.tables import CameraRow, CaseRow, CaseState, EventRow, EvidenceRow
from vision.observe.look import Health

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """What is counted, in a registry of its own.

    Args:
        database: Store; what lies in it is counted when the metrics are read.
        clock: Tells aware wall-clock time.
        live: The cameras that are watched, if any are.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], live: Live | None = None
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
        if live is not None:
            self.registry.register(_Watched(database, live, clock))


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
