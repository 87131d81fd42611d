"""What live cameras and detectors have done since they started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.cameras.schedule import Shed


@dataclass(frozen=True)
class LiveCounts:
    """What has happened since the start.

    Attributes:
        looks: Looks made, by camera.
        skipped: Those of them that the change gate spared the detector, by camera.
        decode_s: Seconds that decoding their pictures took, by camera.
        failed: Looks that the detector failed.
        shed: Looks that were due and not made.
        restarts: Reader processes that were started anew, by reason.
    """

    looks: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    decode_s: Mapping[str, float] = field(default_factory=dict)
    failed: int = 0
    shed: Shed = field(default_factory=Shed)
    restarts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DetectorCounts:
    """What a detector has done since it was opened.

    Attributes:
        pictures: Pictures that it answered.
        failed: Pictures that it failed, refused ones included.
        seconds: Seconds from being given a picture to its answer, summed over those answered.
        together: Pictures that were with it when one was given, itself counted, summed.
        in_flight: Pictures that are with it now.
        waiting: Callers that wait now for a picture before theirs to be done.
        restarts: How often its process was replaced.
    """

    pictures: int = 0
    failed: int = 0
    seconds: float = 0.0
    together: int = 0
    in_flight: int = 0
    waiting: int = 0
    restarts: int = 0
