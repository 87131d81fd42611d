"""A scan that nobody watches."""

from __future__ import annotations

from typing import Any

SECONDS = 30


class Quiet:
    """Progress that nobody watches."""

    def input_started(self, name: str, number: int, of: int) -> None: ...

    def opened(self, duration_s: float | None) -> None: ...

    def looked(self, time_s: float, violations: int) -> None: ...

    def drawing(self, name: str, duration_s: float) -> None: ...

    def input_ended(self, report: dict[str, Any]) -> None: ...
