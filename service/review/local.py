"""Times and numbers as people here read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from service.context import Service
from service.review.wording import Wording


def local_time(service: Service, at: datetime | None, *, seconds: bool = False) -> str:
    """A time on the clocks of the place; empty for none."""
    if at is None:
        return ""
    there = at.astimezone(ZoneInfo(service.settings.timezone))
    return there.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def how_long(say: Wording, seconds: float) -> str:
    """A duration in its largest unit."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return say.texts[f"long.{unit}"].format(count=int(seconds // size))
    return say("long.second", count=max(0, int(seconds)))
