"""Bring the violations of a run folder to a receiver: at least once, under stable ids.

Each run sends whatever is still to be delivered. A message that fails is tried again after short
pauses while the patience of the run lasts; then it stays in the outbox with the time at which the
schedule of Standard Webhooks wants the next attempt. Attempts made before that time are free: only
those that fail when they are due move a message on in the schedule, so that running ``jiexu post``
by hand or by cron every minute does not use the schedule up.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.candidate import EvidenceRole
from service.dispatch.destination import Destination
from service.dispatch.exchange import RETRY_AFTER_CAP_S, Timeouts
from service.dispatch.outbox import Delivery, Outbox, Standing, read_ledgers
from service.dispatch.schedule import OPEN, Jitter, Progress, State, chance, progressed
from service.dispatch.secret import SECRET_VARIABLE, Secret
from service.dispatch.webhook import Webhook, candidate_event, event_id, message
from vision.errors import ConfigError, InputError
from vision.record import read_violations
from vision.site import Camera

_BACKOFF_FIRST_S = 1.0
_BACKOFF_MAX_S = 30.0
# So many failures in a row speak against the destination rather than against the messages.
_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True)
class DeliveryReport:
    """What a run of :func:`deliver` has come to so far.

    Attributes:
        destination: The URL without its credentials.
        enqueued: Violations that were new to the outbox.
        delivered: Delivered in this run, duplicates among them.
        duplicates: Of these, those that the receiver had already.
        delivered_before: Delivered in earlier runs.
        pending: Still to be delivered.
        dead: Given up.
        attempts: Requests made in this run.
        next_at: When the first of the pending is due by the schedule; ``None`` if there is none.
        messages: What the user should know, in the order in which it came up.
    """

    destination: str
    enqueued: int
    delivered: int
    duplicates: int
    delivered_before: int
    pending: int
    dead: int
    attempts: int
    next_at: datetime | None
    messages: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the receiver has everything."""
        return self.pending == 0 and self.dead == 0


def utc_now() -> datetime:
    """Current time."""
    return datetime.now(UTC)


def deliver(
    run_dir: Path,
    url: str,
    secret: Secret | None,
    *,
    allow_unsigned: bool = False,
    wait_s: float = 30.0,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    progress: Callable[[DeliveryReport], None] | None = None,
    retry_dead: bool = False,
    due_only: bool = False,
    cameras: Mapping[str, Camera] | None = None,
    embed: Collection[EvidenceRole] = (),
    timeouts: Timeouts | None = None,
    jitter: Jitter = chance,
) -> DeliveryReport:
    """Post the violations of a run folder as candidate cases; go on where an earlier run stopped.

    What was delivered to the same destination is not sent again. Killed at any moment, nothing is
    lost; a message whose answer was not written down is sent again under the same id.

    Args:
        run_dir: Folder with ``violations.jsonl``; the outbox is kept in its ``outbox``.
        url: Where to post.
        secret: Signs the messages.
        allow_unsigned: Post without a signature when there is no secret.
        wait_s: Seconds that this run may spend on failing attempts and on pauses between them;
            one failing attempt may overrun it by its own timeout.
        now: Clock.
        sleep: Waits for some seconds.
        progress: Called after each attempt.
        retry_dead: Take up what was given up, also a destination that was gone.
        due_only: Send only what the schedule says is due, for runs started by a timer.
        cameras: Cameras of the site file by id; they add name and place to a case.
        embed: Evidence to send along as base64.
        timeouts: How long the receiver may take for one attempt.
        jitter: Source of chance for the pauses.

    Raises:
        ConfigError: The URL is no http or https URL, or there is no secret and unsigned messages
            were not allowed.
        InputError: ``violations.jsonl`` or evidence to embed cannot be read.
        OutboxBusyError: Another process posts from this folder.
        OutboxWriteError: The ledger cannot be written.
    """
    destination = Destination.parse(url)
    if secret is None and not allow_unsigned:
        raise ConfigError(
            f"no secret to sign with: set {SECRET_VARIABLE} or name a secret file, "
            "or allow unsigned messages explicitly"
        )
    if not run_dir.is_dir():
        raise InputError(f"{run_dir}: there is no such run folder")
    records = read_violations(run_dir / "violations.jsonl")
    known = cameras or {}
    by_event = {event_id(record): record for record in records}
    with Outbox.open(run_dir, destination) as outbox:
        sent_before = outbox.count(State.DELIVERED)
        enqueued = outbox.enqueue(
            (
                message(
                    candidate_event(
                        record, camera=known.get(record.camera_id), run_dir=run_dir, embed=embed
                    ),
                    record.id,
                )
                for name, record in by_event.items()
                if outbox.lacks(name)
            ),
            now(),
        )
        withdrawn = outbox.withdraw_all_but(by_event.keys(), now())
        run = _Run(
            outbox=outbox,
            destination=destination,
            enqueued=enqueued,
            sent_before=sent_before,
            wait_s=wait_s,
            now=now,
            sleep=sleep,
            progress=progress,
            jitter=jitter,
        )
        if outbox.unreadable_lines:
            run.say(
                f"{outbox.path}: passed over unreadable lines "
                f"{', '.join(map(str, outbox.unreadable_lines))}; what they told is sent again"
            )
        if withdrawn:
            run.say(f"no more in violations.jsonl and therefore not posted: {withdrawn} waiting")
        if retry_dead:
            outbox.revive(now())
        if outbox.is_gone:
            run.say(
                f"{destination.shown} answered 410 Gone and is left alone; "
                "ask for the dead to be retried to post there again"
            )
            return run.report()
        with Webhook(destination, secret, timeouts) as webhook:
            run.send_all(webhook, due_only=due_only)
        return run.report()


def last_destination(run_dir: Path) -> str | None:
    """URL that a run folder was posted to, for going on without naming it again.

    Returns:
        ``None`` when there is no outbox, when it has several destinations, or when the URL holds
        credentials, which are not kept.
    """
    ledgers = read_ledgers(run_dir)
    if len(ledgers) != 1 or not ledgers[0].is_whole_url:
        return None
    return ledgers[0].url


def after_attempt(
    delivery: Delivery, attempt: Attempt, at: datetime, jitter: Jitter = chance
) -> Delivery:
    """How a delivery stands after an attempt.

    Args:
        delivery: As it stood before.
        attempt: What came of the attempt.
        at: When it was made.
        jitter: Source of chance; the delays of the schedule are drawn out by up to a fifth.
    """
    before = Progress(delivery.state, delivery.steps, delivery.next_at)
    after = progressed(before, attempt, at, jitter)
    return delivery.model_copy(
        update={
            "state": after.state,
            "at": at,
            "attempts": delivery.attempts + 1,
            "steps": after.steps,
            "next_at": after.next_at,
            "status_code": attempt.status_code,
            "reference": attempt.reference,
            "duplicate": attempt.outcome is Outcome.DUPLICATE,
            "error": attempt.error,
        }
    )


class _Run:
    """One run of the attempt loop."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        destination: Destination,
        enqueued: int,
        sent_before: int,
        wait_s: float,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        progress: Callable[[DeliveryReport], None] | None,
        jitter: Jitter,
    ) -> None:
        self._outbox = outbox
        self._destination = destination
        self._enqueued = enqueued
        self._sent_before = sent_before
        self._wait_s = wait_s
        self._now = now
        self._sleep = sleep
        self._progress = progress
        self._jitter = jitter
        self._attempts = 0
        self._duplicates = 0
        self._messages: list[str] = []
        self._spent_s = 0.0
        self._failures_in_a_row = 0
        self._refusals_in_a_row = 0

    def say(self, text: str) -> None:
        """Tell the user something once."""
        if text not in self._messages:
            self._messages.append(text)

    def report(self) -> DeliveryReport:
        """What has come of it so far."""
        return DeliveryReport(
            destination=self._destination.shown,
            enqueued=self._enqueued,
            delivered=self._outbox.count(State.DELIVERED) - self._sent_before,
            duplicates=self._duplicates,
            delivered_before=self._sent_before,
            pending=self._outbox.count(*OPEN),
            dead=self._outbox.count(State.DEAD),
            attempts=self._attempts,
            next_at=min((d.next_at for d in self._outbox if d.is_open), default=None),
            messages=tuple(self._messages),
        )

    def send_all(self, webhook: Webhook, *, due_only: bool) -> None:
        """Send until all is settled, the patience is used up, or the destination is hopeless."""
        start = self._now()
        order = itertools.count()
        first = self._outbox.due(start) if due_only else self._outbox.unfinished()
        waiting = [(start, next(order), delivery, 0) for delivery in first]
        resumes_at = self._held_until() or start
        while waiting:
            if not self._wait_until(max(resumes_at, waiting[0][0])):
                return
            _, _, delivery, failures = heapq.heappop(waiting)
            try:
                body = self._outbox.body(delivery)
            except InputError as error:
                self.say(f"{error}; its case is not posted")
                continue
            attempt, delivery, took_s = self._attempt(webhook, delivery, body)
            if attempt.outcome is Outcome.GONE or self._refuses_all(attempt):
                return
            if attempt.outcome is not Outcome.FAILED:
                self._failures_in_a_row = 0
                continue
            self._spent_s += took_s
            self._failures_in_a_row += 1
            at = self._now()
            if delivery.is_open:
                ready_at = at + self._backoff(failures)
                heapq.heappush(waiting, (ready_at, next(order), delivery, failures + 1))
            if self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                resumes_at = at + self._backoff(self._failures_in_a_row - _FAILURES_IN_A_ROW)
            resumes_at = max(resumes_at, self._held_until() or at)
            # Slow failures of many messages must not add up, even before any of them is retried.
            if self._spent_s > max(self._wait_s, webhook.timeouts.total_s):
                self.say(self._left_for_later(attempt.error))
                return

    def _attempt(
        self, webhook: Webhook, delivery: Delivery, body: bytes
    ) -> tuple[Attempt, Delivery, float]:
        at = self._now()
        attempt = webhook.send(delivery.event_id, body, at)
        done = self._now()
        after = after_attempt(delivery, attempt, done, self._jitter)
        self._outbox.record_attempt(after)
        self._note_standing(attempt, done)
        self._attempts += 1
        self._duplicates += attempt.outcome is Outcome.DUPLICATE
        if after.state is State.DEAD:
            self.say(f"violation {after.violation_id} was given up: {after.error}")
        if self._progress is not None:
            self._progress(self.report())
        return attempt, after, max((done - at).total_seconds(), 0.0)

    def _note_standing(self, attempt: Attempt, at: datetime) -> None:
        if attempt.outcome is Outcome.GONE:
            self._outbox.record_standing(Standing(at=at, gone=True))
            self.say(f"{self._destination.shown} answered {attempt.error}; nothing more is sent")
        elif attempt.retry_after_s is not None:
            until = at + timedelta(seconds=attempt.retry_after_s)
            self._outbox.record_standing(Standing(at=at, held_until=until))

    def _refuses_all(self, attempt: Attempt) -> bool:
        self._refusals_in_a_row = self._refusals_in_a_row + 1 if attempt.concerns_all else 0
        if self._refusals_in_a_row < _FAILURES_IN_A_ROW:
            return False
        self.say(
            f"{self._destination.shown} answers everything with {attempt.error}; "
            "check the URL and the secret, then retry the dead"
        )
        return True

    def _backoff(self, failures: int) -> timedelta:
        """Pause after so many failures before: doubled each time, of which half is chance."""
        pause_s = min(_BACKOFF_FIRST_S * 2.0 ** min(failures, 10), _BACKOFF_MAX_S)
        return timedelta(seconds=pause_s * (0.5 + self._jitter()))

    def _held_until(self) -> datetime | None:
        """Time until which the receiver wants to be spared, if that lies ahead.

        More than the longest hold ahead, it was noted under a clock that has been set back.
        """
        held, now = self._outbox.held_until, self._now()
        if held is None or not now < held <= now + timedelta(seconds=RETRY_AFTER_CAP_S):
            return None
        return held

    def _wait_until(self, moment: datetime) -> bool:
        pause_s = (moment - self._now()).total_seconds()
        if pause_s <= 0:
            return True
        if self._spent_s + pause_s > self._wait_s:
            self.say(self._left_for_later(None))
            return False
        self._spent_s += pause_s
        self._sleep(pause_s)
        return True

    def _left_for_later(self, error: str | None) -> str:
        unfinished = self._outbox.unfinished()
        error = error or next((d.error for d in unfinished if d.error), None)
        reason = f" ({error})" if error else ""
        held = self._held_until()
        until = (
            f"; the receiver asks to wait until {held.isoformat(timespec='seconds')}"
            if held is not None
            else ""
        )
        cases = "1 case waits" if len(unfinished) == 1 else f"{len(unfinished)} cases wait"
        return f"{cases} in {self._outbox.path.parent}{reason}{until}; post again later to go on"
