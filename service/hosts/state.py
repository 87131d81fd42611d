"""How the hosts are, for whoever wants to know it without Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.cameras.counts import DetectorCounts, LiveCounts
from service.cameras.sink import CameraHealth


@dataclass(frozen=True)
class HostReport:
    """How a host is.

    Attributes:
        machine: Name of its machine.
        cameras: How each camera is that it watches.
        counts: What its cameras have done.
        detectors: What its detectors have done, by model.
        fault: Why its detectors are not to be trusted, ``None`` if they are.
    """

    machine: str
    cameras: Mapping[str, CameraHealth]
    counts: LiveCounts
    detectors: Mapping[str, DetectorCounts]
    fault: str | None


@dataclass(frozen=True)
class HostsState:
    """How all hosts are.

    Attributes:
        reports: What each said last, by its name.
        moves: Cameras that moved from one host to another since the coordinator started.
        losses: Hosts that were lost since then.
    """

    reports: Mapping[str, HostReport] = field(default_factory=dict)
    moves: int = 0
    losses: int = 0
