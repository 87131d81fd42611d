"""The workers that bring cases to platforms, and what follows when one has arrived."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service import audit
from service.cases.deadlines import WorkTime
from service.cases.lifecycle import Action, take_step
from service.dispatch import queue
from service.dispatch.adapters.adapter import Adapter, adapter_for
from service.dispatch.adapters.open311 import Open311Adapter
from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.notice import EvidenceAccess, Notice, Subject, notice_of
from service.dispatch.platforms import (
    DispatchSettings,
    Open311Platform,
)
from service.dispatch.polling import poll_once
from service.dispatch.queue import Claimed
from service.dispatch.schedule import Jitter, State, chance
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.reach import AddressPolicy
from service.store.database import Database
from service.store.tables import CaseRow, CaseState, DeliveryRow

log = logging.getLogger(__name__)

IDLE_S = 1.0
"""Pause when nothing is due."""

SETTLE_PAUSES_S = (0.1, 0.5, 1.0, 2.0)

LEASE_SPARE_S = 10.0
"""A delivery is held for so long beyond the deadline of all requests of an attempt."""


@dataclass(frozen=True)
class Dispatching:
    """What the workers work with.

    Attributes:
        settings: Where cases go.
        database: The store.
        files: Its evidence.
        signer: Signs links to evidence.
        public_url: Where platforms reach this service.
        clock: Tells aware wall-clock time.
        worktime: When people work, for cases that are suspended.
        jitter: Source of chance for pauses.
    """

    settings: DispatchSettings
    database: Database
    files: EvidenceFiles
    signer: Signer
    public_url: str | None
    clock: Callable[[], datetime]
    worktime: WorkTime | None = None
    jitter: Jitter = chance

    def adapter(self, name: str) -> Adapter:
        """The adapter that speaks with a platform."""
        platform = self.settings.destinations[name]
        return adapter_for(platform, self.access(name), self.policy)

    def access(self, name: str) -> EvidenceAccess:
        """How a platform gets at evidence."""
        return EvidenceAccess(self.files, self.signer, self.public_url, name)

    @property
    def policy(self) -> AddressPolicy:
        """Where platforms may be."""
        return AddressPolicy(networks=self.settings.networks, setting="dispatch.networks")


class Dispatcher:
    """Sends what is due, to each platform by threads of its own: a slow one keeps none waiting.

    Args:
        work: What the workers work with.
        idle_s: Pause when nothing is due.
    """

    def __init__(self, work: Dispatching, *, idle_s: float = IDLE_S) -> None:
        self._work = work
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin."""
        work = self._work
        with self._lock:
            with work.database.write() as session:
                queue.name_destinations(session, work.settings)
            for name in work.settings.destinations:
                self._begin(name, work)

    def change(self, settings: DispatchSettings) -> None:
        """Go on with other settings.

        Platforms that they have otherwise are sent to anew; an attempt that is under way ends as it
        began, held by its lease. Others are left alone.
        """
        with self._lock:
            old, work = self._work, replace(self._work, settings=settings)
            with work.database.write() as session:
                queue.name_destinations(session, settings)
            self._work = work
            before, after = old.settings.destinations, settings.destinations
            alike = (old.settings.networks, old.settings.time_scale) == (
                settings.networks,
                settings.time_scale,
            )
            for name in before.keys() | after.keys():
                if alike and before.get(name) == after.get(name):
                    continue
                if name in self._stops:
                    self._stops.pop(name).set()
                if name in after:
                    self._begin(name, work)
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def stop(self, wait_s: float = 2.0) -> None:
        """End; attempts that are still under way then are made again when their leases end."""
        with self._lock:
            for stop in self._stops.values():
                stop.set()
            threads = list(self._threads)
        deadline_s = time.monotonic() + wait_s
        for thread in threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _begin(self, name: str, work: Dispatching) -> None:
        """Begin to send to a platform, and to ask it where it does not call back."""
        platform = work.settings.destinations[name]
        stop = self._stops[name] = threading.Event()
        tasks: list[Callable[[str, Dispatching, threading.Event], None]] = [
            self._send
        ] * platform.workers
        if isinstance(platform, Open311Platform):
            tasks.append(self._poll)
        for number, task in enumerate(tasks):
            thread = threading.Thread(
                target=task, args=(name, work, stop), name=f"dispatch-{name}-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _send(self, name: str, work: Dispatching, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with work.adapter(name) as adapter:
                    while not stop.is_set():
                        if not deliver_next(work, name, adapter, stop):
                            stop.wait(self._idle_s)
            except Exception:
                log.exception("delivering to %s failed; it goes on", name)
                stop.wait(self._idle_s)

    def _poll(self, name: str, work: Dispatching, stop: threading.Event) -> None:
        platform = work.settings.destinations[name]
        assert isinstance(platform, Open311Platform)
        while not stop.is_set():
            try:
                with Open311Adapter(platform, work.access(name), work.policy) as adapter:
                    while not stop.is_set():
                        poll_once(
                            work.database,
                            name,
                            platform,
                            adapter,
                            work.clock,
                            worktime=work.worktime,
                        )
                        stop.wait(platform.poll_s)
            except Exception:
                log.exception("asking %s failed; it goes on", name)
                stop.wait(platform.poll_s)


def deliver_next(
    work: Dispatching, name: str, adapter: Adapter, stop: threading.Event | None = None
) -> bool:
    """Make the attempt that is due next, if there is one.

    Args:
        work: What to work with.
        name: The platform.
        adapter: Speaks with it.
        stop: Ends the wait for the platform's rate limit.

    Returns:
        Whether there was an attempt to make.
    """
    platform = work.settings.destinations[name]
    now = work.clock()
    with work.database.read() as session:
        if not queue.is_due(session, name, now):
            return False
    with work.database.write() as session:
        claimed = queue.claim(
            session,
            name,
            now,
            lease_s=platform.requests_max * platform.timeout_s + LEASE_SPARE_S,
            rate_per_s=platform.rate_per_s,
        )
        if not isinstance(claimed, Claimed):
            return False
        notice, reference = _frozen(session, work, claimed, now)
    pause_s = (claimed.begin_at - now).total_seconds()
    if pause_s > 0 and (stop or threading.Event()).wait(pause_s):
        with work.database.write() as session:
            queue.release(session, claimed)
        return False
    attempt = _attempted(work, adapter, notice, claimed, reference)
    _settled(work, claimed, attempt, work.clock())
    return True


def _settled(work: Dispatching, claimed: Claimed, attempt: Attempt, at: datetime) -> None:
    """Write down what came of an attempt; a store that is away for a moment is waited for."""
    for pause_s in (*SETTLE_PAUSES_S, None):
        try:
            with work.database.write() as session:
                row = queue.settle(
                    session,
                    claimed,
                    attempt,
                    at,
                    jitter=work.jitter,
                    time_scale=work.settings.time_scale,
                )
                if row is not None and row.state == State.DELIVERED:
                    arrived(session, row, at)
            break
        except OperationalError:
            if pause_s is None:
                raise
            time.sleep(pause_s)
    if row is None:
        log.warning("delivery %s was taken over while it was made", claimed.id)
    elif row.state == State.DEAD:
        log.error("delivery %s to %s was given up: %s", row.id, row.destination, row.error)


def arrived(session: Session, row: DeliveryRow, at: datetime) -> None:
    """Move a case that has reached the platform whose word counts for it."""
    asks = row.subject in (Subject.CONFIRMED, Subject.CORRECTED)
    if not asks or queue.leading(session, row.case_id) != row.destination:
        return
    case = session.get_one(CaseRow, row.case_id)
    if case.state == CaseState.CONFIRMED:
        take_step(
            session,
            case.id,
            Action.SUBMIT,
            f"platform:{row.destination}",
            at,
            details={"delivery": row.id, "reference": row.reference},
        )


def _frozen(
    session: Session, work: Dispatching, claimed: Claimed, now: datetime
) -> tuple[Notice, str | None]:
    """What a delivery tells, written down before the first attempt, and the case's id there."""
    row = session.get_one(DeliveryRow, claimed.id)
    reference = queue.reference_before(session, row)
    if row.notice is not None:
        return Notice.model_validate(row.notice), reference
    platform = work.settings.destinations[row.destination]
    notice = notice_of(
        session,
        row,
        session.get_one(CaseRow, row.case_id),
        now,
        link_days=platform.link_days,
        with_evidence=platform.evidence != "none",
    )
    row.notice = notice.model_dump(mode="json")
    if notice.evidence:
        audit.write(
            session,
            now,
            audit.NOWHERE,
            f"platform:{row.destination}",
            "evidence.listed",
            subject=f"case:{row.case_id}",
            details={"evidence": [one.id for one in notice.evidence], "delivery": row.id},
        )
    return notice, reference


def _attempted(
    work: Dispatching,
    adapter: Adapter,
    notice: Notice,
    claimed: Claimed,
    reference: str | None,
) -> Attempt:
    """Make an attempt; what no adapter foresaw is a failure of this message alone."""
    try:
        return adapter.send(
            notice, work.clock(), reference=reference, maybe_sent_at=claimed.maybe_sent_at
        )
    except Exception as error:
        log.exception("message %s cannot be sent", notice.id)
        return Attempt(Outcome.FAILED, error=f"cannot be sent: {type(error).__name__}")
