"""What every process that watches cameras, or serves their cases, opens in the same way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.cases.intake import Intake
from service.cases.sameness import Sameness
from service.detecting import OnDemand
from service.evidence.files import EvidenceFiles
from service.evidence.masked_version import EvidenceMask
from service.settings import Duplicates
from service.store.database import Database
from vision.calendars import load_calendar
from vision.errors import ConfigError
from vision.schedule import SiteClock

log = logging.getLogger(__name__)


def now() -> datetime:
    """Aware wall-clock time."""
    return datetime.now(UTC)


def site_clock(timezone: str, calendar: str) -> SiteClock:
    """How the site tells the time.

    Raises:
        ConfigError: There is no such time zone or calendar.
    """
    try:
        return SiteClock(ZoneInfo(timezone), load_calendar(calendar))
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"timezone: unknown time zone {timezone!r}") from None


def open_intake(
    database: Database, files: EvidenceFiles, inspector: OnDemand, duplicates: Duplicates
) -> Intake:
    """What keeps violations; evidence is masked by what the inspector sees."""
    return Intake(
        database,
        files,
        mask=EvidenceMask(inspector.inspect_faintly),
        clock=now,
        same=Sameness(**duplicates.model_dump()),
    )


def every(interval_s: float, work: Callable[[], object], stop: threading.Event) -> None:
    """Do something again and again; a failure is logged and does not end it."""
    while not stop.is_set():
        try:
            work()
        except Exception:
            log.exception("what is done regularly failed")
        stop.wait(interval_s)
