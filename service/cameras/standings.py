"""What the newest look of a camera says of the violations that it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vision.rules.finding import Verification


@dataclass(frozen=True)
class Standings:
    """What a healthy look says of the violations that last.

    Attributes:
        at: Aware time of the look.
        said: ``still_there`` or ``cannot_see``, by id of the violation; what is over is left out.
    """

    at: datetime
    said: Mapping[str, Verification]
