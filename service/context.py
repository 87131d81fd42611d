"""What all parts of the running service share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from service.auth.logins import LoginTimes
from service.auth.oidc import OidcProvider
from service.cameras.counts import DetectorCounts
from service.cases.catalogue import Filing, load_catalogue
from service.cases.deadlines import WorkTime
from service.cases.review import ReviewRules
from service.cases.verification import Verifier
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.hosts.state import HostsState
from service.live import Inspector, Live
from service.reach import AddressPolicy
from service.replays.jobs import Replays
from service.settings import ServiceSettings
from service.store.database import Database
from vision.calendars import load_calendar
from vision.schedule import SiteClock

if TYPE_CHECKING:
    from service.dispatch.dispatcher import Dispatcher
    from service.reload import Reloader


@dataclass(eq=False)
class Service:
    """The service.

    Attributes:
        settings: Its settings; replaced as a whole when they are read again.
        database: Its store.
        files: Its evidence.
        signer: Signs links to evidence.
        live: Cameras that are watched; ``None`` where none are.
        inspector: Detector for pictures on demand; ``None`` where there is none.
        detector_fault: Says why the detector is not to be trusted now, ``None`` if it is; not
            asked where it is ``None`` itself.
        detector_counts: Tells what detectors have done, by model; ``None`` where there are none.
        hosts: Tells how the hosts are that watch the cameras; ``None`` where this process does.
        verifier: Has cameras look again at cases; ``None`` where none are watched.
        oidc: OpenID provider to log in at; ``None`` where there is none.
        replays: Kept looks, and what they would have given; ``None`` where none are kept.
        reloader: Reads the settings again; ``None`` where they are in no file.
        dispatcher: Sends cases to platforms; ``None`` where nothing is sent.
        clock: Tells aware wall-clock time.
    """

    settings: ServiceSettings
    database: Database
    files: EvidenceFiles
    signer: Signer
    clock: Callable[[], datetime]
    live: Live | None = None
    inspector: Inspector | None = None
    detector_fault: Callable[[], str | None] | None = None
    detector_counts: Callable[[], Mapping[str, DetectorCounts]] | None = None
    hosts: Callable[[], HostsState] | None = None
    verifier: Verifier | None = None
    oidc: OidcProvider | None = None
    replays: Replays | None = None
    reloader: Reloader | None = None
    dispatcher: Dispatcher | None = None

    @property
    def login_times(self) -> LoginTimes:
        """How long logins last."""
        return LoginTimes(self.settings.logins.idle_s, self.settings.logins.whole_s)

    @cached_property
    def filing(self) -> Filing:
        """How confirmed cases get their class and their deadline."""
        zone, calendar = ZoneInfo(self.settings.timezone), load_calendar(self.settings.calendar)
        catalogue = load_catalogue(self.settings.catalogue)
        return Filing(catalogue, WorkTime(SiteClock(zone, calendar), catalogue.hours))

    @property
    def worktime(self) -> WorkTime:
        """When people work here: deadlines are counted by it."""
        return self.filing.worktime

    @property
    def review_rules(self) -> ReviewRules:
        """How candidates are reviewed."""
        given = self.settings.review
        return ReviewRules(given.double_share, given.undo_s, given.lease_s, self.filing)

    @property
    def address_policy(self) -> AddressPolicy:
        """Where cameras may be."""
        return AddressPolicy(
            networks=self.settings.camera_networks, folders=self.settings.camera_folders
        )
