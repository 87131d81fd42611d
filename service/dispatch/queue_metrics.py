"""Metrics of the queues towards the platforms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.dispatch import queue
from service.store.database import Database


class QueueMetrics(Collector):
    """How the queues towards the platforms are."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: the registry need not ask the database when it is set up."""
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """What waits, since when, what was given up, and which platforms are left alone."""
        now = self._clock()
        with self._database.read() as session:
            waits = queue.waiting(session)
            platforms = {row.name: row for row in queue.destinations(session)}
            left_alone = {
                name: row.gone_at is not None or (row.open_until or now) > now
                for name, row in platforms.items()
            }
        waiting = GaugeMetricFamily(
            "jiexu_deliveries_waiting", "Messages still to be delivered", labels=["destination"]
        )
        dead = GaugeMetricFamily(
            "jiexu_deliveries_dead", "Messages that were given up", labels=["destination"]
        )
        lag = GaugeMetricFamily(
            "jiexu_delivery_lag_seconds",
            "Age of the oldest message still to be delivered",
            labels=["destination"],
        )
        circuit = GaugeMetricFamily(
            "jiexu_destination_left_alone",
            "Whether nothing is sent because it fails or is gone",
            labels=["destination"],
        )
        for name, one in waits.items():
            waiting.add_metric([name], one.waiting)
            dead.add_metric([name], one.dead)
            age_s = 0.0 if one.oldest_at is None else (now - one.oldest_at).total_seconds()
            lag.add_metric([name], max(age_s, 0.0))
            circuit.add_metric([name], float(left_alone[name]))
        yield from (waiting, dead, lag, circuit)
