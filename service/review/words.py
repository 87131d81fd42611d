"""Times and amounts in the words of a language."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from service.review.wording import Wording

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))


def moment(say: Wording, at: datetime, timezone: str) -> str:
    """A time of day and its date at the site.

    Args:
        say: The texts of the language.
        at: Aware time.
        timezone: IANA name of the site's time zone.
    """
    return f"{at.astimezone(ZoneInfo(timezone)):{say('words.moment')}}"


def age(say: Wording, seconds: float) -> str:
    """How long something lasts, in its largest whole unit."""
    for unit, size in _UNITS:
        if seconds >= size:
            return say(f"words.{unit}", count=int(seconds // size))
    return say("words.now")
