"""The outbox of the service: what is to be told to which platform, and how far that has come.

A delivery is written in the transaction of the step that it tells of, so that neither is without
the other. Whoever makes an attempt holds the delivery by a lease: a process that dies loses it when
the lease ends, and one that was too slow cannot write over what another has done since. Messages
about one case to one platform keep their order: the next waits until the one before has arrived.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, bindparam, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from service.cases.pages import Position
from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.notice import ASKING, Subject, event_id_of
from service.dispatch.platforms import DispatchSettings, kinds_of
from service.dispatch.schedule import OPEN, Jitter, Progress, State, chance, progressed
from service.store.tables import (
    FINISHED,
    CaseRow,
    CaseState,
    DeliveryRow,
    DestinationRow,
)
from service.store.times import Instant

BREAKER_FAILURES = 5
"""So many failures in a row speak against the platform rather than against the messages."""

BREAKER_FIRST_S = 10.0
BREAKER_MAX_S = 600.0
"""Pause after that, doubled with each further failure up to this."""

CANNOT_BE_TOLD = {"open311": (Subject.VERIFIED, Subject.CANCELLED, Subject.EVIDENCE)}
"""What an interface has no words for, by interface."""

_ERROR_MAX = 500
_REFERENCE_MAX = 200


@dataclass(frozen=True)
class Claimed:
    """A delivery that is held for one attempt.

    Attributes:
        id: Its id.
        lease: Proof that it is held.
        begin_at: The attempt may begin then, by the platform's rate limit.
        maybe_sent_at: When the first attempt before it began that may have arrived.
    """

    id: str
    lease: str
    begin_at: datetime
    maybe_sent_at: datetime | None


def name_destinations(session: Session, settings: DispatchSettings) -> None:
    """Make the stored platforms those of the settings; what was said of others stays."""
    known = {
        row.name: row
        for row in session.scalars(select(DestinationRow).with_for_update(key_share=True))
    }
    for position, (name, platform) in enumerate(settings.destinations.items()):
        row = known.pop(name, None)
        if row is None:
            row = DestinationRow(name=name, failures=0)
            session.add(row)
        row.interface = platform.interface
        row.shown = platform.destination.shown[:500]
        row.kinds = list(kinds_of(platform))
        row.position = position
        row.active = True
        row.takes_evidence = platform.evidence != "none"
    for row in known.values():
        row.active = False


def destinations_for(session: Session, kind: str) -> Sequence[DestinationRow]:
    """Platforms that take cases of a kind; the word of the first moves them."""
    query = (
        select(DestinationRow)
        .where(DestinationRow.active.is_(True))
        .order_by(DestinationRow.position)
    )
    return [row for row in session.scalars(query) if kind in row.kinds]


def enqueue(
    session: Session, case: CaseRow, subject: Subject, now: datetime, *, told_by: str | None = None
) -> int:
    """Write down that the platforms of a case are to be told something.

    To be called in the transaction of the step that it tells of. Of what they were never told, they
    are not told that it changed. A case that is confirmed for the second time was declined and put
    right: that begins a round. Who declined it and does not take it any more hears nothing further;
    others that do not take it any more are told to forget it.

    Args:
        session: A writing session.
        case: The case.
        subject: What is told.
        now: Aware wall-clock time.
        told_by: Platform that said so itself, and is not told.

    Returns:
        How many platforms are to be told.
    """
    of_case = DeliveryRow.case_id == case.id
    last = dict(
        session.execute(
            select(DeliveryRow.destination, func.max(DeliveryRow.number))
            .where(of_case)
            .group_by(DeliveryRow.destination)
        ).all()
    )
    rounds = dict(
        session.execute(
            select(DeliveryRow.destination, func.max(DeliveryRow.round))
            .where(of_case, DeliveryRow.state != State.WITHDRAWN)
            .group_by(DeliveryRow.destination)
        ).all()
    )
    now_round = max(rounds.values(), default=0)
    hearing = [name for name, known in rounds.items() if known == now_round and name != told_by]
    told: list[tuple[str, Subject, int]]
    if subject is Subject.CONFIRMED:
        takers = [row.name for row in destinations_for(session, case.kind)]
        declined_by = leading(session, case.id)
        told = [
            (name, Subject.CORRECTED if name in rounds else subject, now_round + 1)
            for name in takers
        ]
        told += [
            (name, Subject.CANCELLED, now_round)
            for name in hearing
            if name not in (*takers, declined_by) and _has_word(session, name, Subject.CANCELLED)
        ]
    else:
        told = [(name, subject, now_round) for name in hearing if _has_word(session, name, subject)]
    for name, one, round_ in told:
        number = last.get(name, 0) + 1
        session.add(
            DeliveryRow(
                id=str(uuid.uuid4()),
                event_id=event_id_of(case.id, number),
                case_id=case.id,
                destination=name,
                subject=one,
                number=number,
                round=round_,
                state=State.PENDING,
                next_at=now,
                created_at=now,
                updated_at=now,
            )
        )
    session.flush()
    return len(told)


def tell_evidence(session: Session, case: CaseRow, now: datetime) -> int:
    """Write down that platforms are to be told of evidence that they were sent a case without.

    To be called in the transaction in which the evidence is kept, with the case held. What was not
    frozen yet will have it; a message that is being frozen is waited for.

    Returns:
        How many platforms are to be told.
    """
    if case.state in FINISHED:
        return 0
    rows = session.scalars(
        select(DeliveryRow)
        .where(DeliveryRow.case_id == case.id, DeliveryRow.state != State.WITHDRAWN)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if not any(row.notice is not None and row.subject in ASKING for row in rows):
        return 0
    return enqueue(session, case, Subject.EVIDENCE, now)


def withdraw(session: Session, case_id: str, now: datetime, *, told_by: str | None = None) -> bool:
    """Take back what waits to be told of a case.

    Args:
        session: A writing session.
        case_id: Which.
        now: Aware wall-clock time.
        told_by: Platform that has spoken of the case: it has it, whatever we know of that.

    Returns:
        Whether nothing of it can have been sent.
    """
    rows = [
        row
        for row in session.scalars(
            select(DeliveryRow)
            .where(DeliveryRow.case_id == case_id, DeliveryRow.state != State.WITHDRAWN)
            .with_for_update()
        )
        if row.destination != told_by
    ]
    if any(row.attempts or row.leased_by is not None for row in rows):
        return False
    for row in rows:
        row.state, row.updated_at = State.WITHDRAWN, now
    return True


def is_due(session: Session, name: str, now: datetime) -> bool:
    """Whether there is an attempt to make: asked before :func:`claim`, which needs to write."""
    platform = session.get(DestinationRow, name)
    if platform is None or not platform.active or platform.gone_at is not None:
        return False
    if any(at and at > now for at in (platform.open_until, platform.held_until)):
        return False
    return any(session.scalars(_due(name, now, state)).first() is not None for state in OPEN)


def claim(
    session: Session,
    name: str,
    now: datetime,
    *,
    lease_s: float,
    rate_per_s: float,
) -> Claimed | datetime | None:
    """Hold a delivery that is due.

    On PostgreSQL, what others hold is passed over; on SQLite there is one writer at a time.

    Args:
        session: A writing session.
        name: The platform.
        now: Aware wall-clock time.
        lease_s: Held at most so long.
        rate_per_s: Most requests in a second.

    Returns:
        The delivery; or when to ask again, because the platform is to be left alone until then;
        or ``None`` if nothing is due.
    """
    platform = locked_platform(session, name)
    if platform is None or not platform.active or platform.gone_at is not None:
        return None
    alone = [at for at in (platform.open_until, platform.held_until) if at and at > now]
    if alone:
        return max(alone)
    found = [
        row
        for state in OPEN
        for row in session.scalars(
            _due(name, now, state).with_for_update(skip_locked=True, of=DeliveryRow)
        )
    ]
    if not found:
        return None
    row = min(found, key=lambda one: one.next_at)
    begin_at = max(now, platform.next_slot_at or now)
    platform.next_slot_at = begin_at + timedelta(seconds=1 / rate_per_s)
    if platform.failures >= BREAKER_FAILURES:
        # One attempt tries whether the platform is back; the others wait for what comes of it.
        platform.open_until = begin_at + timedelta(seconds=lease_s)
    row.leased_by = str(uuid.uuid4())
    row.leased_until = begin_at + timedelta(seconds=lease_s)
    claimed = Claimed(row.id, row.leased_by, begin_at, row.maybe_sent_at)
    # Written before the attempt: whoever comes after a crash must know of it.
    row.maybe_sent_at = row.maybe_sent_at or now
    session.flush()
    return claimed


def held(session: Session, claimed: Claimed) -> DeliveryRow | None:
    """The delivery that was claimed, ``None`` if it is held no more."""
    row = session.get(DeliveryRow, claimed.id, with_for_update=True, populate_existing=True)
    return row if row is not None and row.leased_by == claimed.lease else None


def settle(
    session: Session,
    claimed: Claimed,
    attempt: Attempt,
    at: datetime,
    *,
    jitter: Jitter = chance,
    time_scale: float = 1.0,
) -> DeliveryRow | None:
    """Write down what came of an attempt.

    Returns:
        The delivery; ``None``, and nothing is changed, if it is held no more.
    """
    # Whoever takes a step of a case holds the case first, then its deliveries, then the platform.
    case_id = session.scalar(select(DeliveryRow.case_id).where(DeliveryRow.id == claimed.id))
    session.get(CaseRow, case_id, with_for_update=True)
    row = held(session, claimed)
    if row is None:
        return None
    platform = locked_platform(session, row.destination)
    assert platform is not None
    if attempt.outcome is Outcome.REFUSED and attempt.concerns_all:
        # A wrong key must not use up every case; someone will put it right.
        attempt = _failed(attempt)
    before = Progress(State(row.state), row.steps, row.next_at)
    after = progressed(before, attempt, at, jitter, scale=time_scale)
    row.state, row.steps, row.next_at = after.state, after.steps, after.next_at
    row.attempts += 1
    row.leased_by = row.leased_until = None
    row.updated_at = at
    row.status_code = attempt.status_code
    row.error = None if attempt.error is None else attempt.error[:_ERROR_MAX]
    if attempt.reference is not None:
        row.reference = attempt.reference[:_REFERENCE_MAX]
        row.has_token = attempt.is_token
    if attempt.unsent or attempt.outcome is Outcome.REFUSED:
        row.maybe_sent_at = claimed.maybe_sent_at
    if row.state == State.DELIVERED:
        row.duplicate = attempt.outcome is Outcome.DUPLICATE
        row.delivered_at = at
    _note_platform(platform, attempt, at, jitter, time_scale)
    session.flush()
    return row


def resend(row: DeliveryRow, now: datetime) -> None:
    """Begin the schedule of a delivery anew, under the same id."""
    row.state = State.PENDING
    row.steps = 0
    row.next_at = row.updated_at = now
    row.leased_by = row.leased_until = None


def resume(session: Session, name: str, now: datetime) -> int | None:
    """Send to a platform again that was gone or left alone, and what was given up before.

    Returns:
        How many deliveries had been given up; ``None`` if there is no such platform.
    """
    dead = session.scalars(
        select(DeliveryRow)
        .where(DeliveryRow.destination == name, DeliveryRow.state == State.DEAD)
        .with_for_update()
    ).all()
    platform = locked_platform(session, name)
    if platform is None:
        return None
    platform.failures = 0
    platform.gone_at = platform.open_until = platform.held_until = None
    for row in dead:
        resend(row, now)
    return len(dead)


def locked_platform(session: Session, name: str) -> DestinationRow | None:
    """A platform, held against other writers; rows that refer to it may be written meanwhile."""
    return session.get(
        DestinationRow, name, with_for_update={"key_share": True}, populate_existing=True
    )


def page(
    session: Session,
    *,
    limit: int,
    after: Position | None = None,
    state: State | None = None,
    destination: str | None = None,
    case_id: str | None = None,
) -> Sequence[DeliveryRow]:
    """Deliveries, newest first, beginning after a position."""
    query = select(DeliveryRow).order_by(DeliveryRow.created_at.desc(), DeliveryRow.id.desc())
    if after is not None:
        query = query.where(
            tuple_(DeliveryRow.created_at, DeliveryRow.id)
            < tuple_(bindparam(None, after.at, Instant()), bindparam(None, after.id))
        )
    if state is not None:
        query = query.where(DeliveryRow.state == state)
    if destination is not None:
        query = query.where(DeliveryRow.destination == destination)
    if case_id is not None:
        query = query.where(DeliveryRow.case_id == case_id)
    return session.scalars(query.limit(limit)).all()


def destinations(session: Session) -> Sequence[DestinationRow]:
    """All platforms that are or were named, in the order of the settings."""
    query = select(DestinationRow)
    order = (DestinationRow.active.desc(), DestinationRow.position, DestinationRow.name)
    return session.scalars(query.order_by(*order)).all()


@dataclass(frozen=True)
class Waiting:
    """How the queue towards a platform is.

    Attributes:
        waiting: Deliveries still to be made.
        dead: Deliveries that were given up.
        oldest_at: When the oldest of the waiting was written.
    """

    waiting: int
    dead: int
    oldest_at: datetime | None


def waiting(session: Session) -> Mapping[str, Waiting]:
    """How the queues are, by platform."""
    counted = session.execute(
        select(
            DeliveryRow.destination,
            DeliveryRow.state,
            func.count(),
            func.min(DeliveryRow.created_at),
        )
        .where(DeliveryRow.state.in_((*OPEN, State.DEAD)))
        .group_by(DeliveryRow.destination, DeliveryRow.state)
    ).all()
    found: dict[str, Waiting] = {
        name: Waiting(0, 0, None) for name in session.scalars(select(DestinationRow.name))
    }
    for name, state, count, oldest_at in counted:
        one = found[name]
        if state == State.DEAD:
            found[name] = Waiting(one.waiting, count, one.oldest_at)
        else:
            oldest = min(filter(None, (one.oldest_at, oldest_at)))
            found[name] = Waiting(one.waiting + count, one.dead, oldest)
    return found


def release(session: Session, claimed: Claimed) -> None:
    """Give a delivery back without an attempt."""
    session.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id == claimed.id, DeliveryRow.leased_by == claimed.lease)
        .values(leased_by=None, leased_until=None, maybe_sent_at=claimed.maybe_sent_at)
    )


def after_step(
    session: Session, case: CaseRow, at: datetime, *, told_by: str | None = None
) -> None:
    """Write down what a step of a case has to be told to platforms; part of the step.

    What was never sent is taken back instead of being followed by its contrary.

    Args:
        session: A writing session.
        case: The case after the step.
        at: When, aware.
        told_by: Platform by whose word it was taken.
    """
    match CaseState(case.state):
        case CaseState.CONFIRMED:
            enqueue(session, case, Subject.CONFIRMED, at)
        case CaseState.CANDIDATE:
            withdraw(session, case.id, at)
        case CaseState.REOPENED:
            enqueue(session, case, Subject.REOPENED, at)
        case CaseState.VERIFIED:
            if not withdraw(session, case.id, at):
                enqueue(session, case, Subject.VERIFIED, at)
        case CaseState.CANCELLED:
            if not withdraw(session, case.id, at, told_by=told_by):
                enqueue(session, case, Subject.CANCELLED, at, told_by=told_by)


def leading(session: Session, case_id: str) -> str | None:
    """Name of the platform whose word moves a case: the first of those that it was sent to last."""
    query = (
        select(DeliveryRow.destination)
        .join(DestinationRow, DestinationRow.name == DeliveryRow.destination)
        .where(
            DeliveryRow.case_id == case_id,
            DeliveryRow.state != State.WITHDRAWN,
            DeliveryRow.subject.in_(ASKING),
        )
        .order_by(DeliveryRow.round.desc(), DestinationRow.position)
        .limit(1)
    )
    return session.scalar(query)


def reference_before(session: Session, row: DeliveryRow) -> str | None:
    """Id that a platform gave to the case when it was told of it before."""
    return session.scalar(
        select(DeliveryRow.reference)
        .where(
            DeliveryRow.case_id == row.case_id,
            DeliveryRow.destination == row.destination,
            DeliveryRow.number < row.number,
            DeliveryRow.reference.is_not(None),
            DeliveryRow.has_token.is_(False),
        )
        .order_by(DeliveryRow.number.desc())
        .limit(1)
    )


def _due(name: str, now: datetime, state: State) -> Select[DeliveryRow]:
    """The delivery of a state that has been due longest, free and with nothing before it.

    Of one state, it is the first of an index, however many wait behind it.
    """
    earlier = aliased(DeliveryRow)
    blocked = exists().where(
        earlier.case_id == DeliveryRow.case_id,
        earlier.destination == DeliveryRow.destination,
        earlier.number < DeliveryRow.number,
        earlier.state.in_((*OPEN, State.DEAD)),
    )
    return (
        select(DeliveryRow)
        .join(CaseRow, CaseRow.id == DeliveryRow.case_id)
        .where(
            DeliveryRow.destination == name,
            DeliveryRow.state == state,
            DeliveryRow.next_at <= now,
            or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until <= now),
            or_(CaseRow.settled_at.is_(None), CaseRow.settled_at <= now),
            CaseRow.state != CaseState.CANDIDATE,
            ~blocked,
        )
        .order_by(DeliveryRow.next_at)
        .limit(1)
    )


def _has_word(session: Session, name: str, subject: Subject) -> bool:
    """Whether a platform's interface can tell something."""
    platform = session.get(DestinationRow, name)
    if platform is None or (subject is Subject.EVIDENCE and not platform.takes_evidence):
        return False
    return subject not in CANNOT_BE_TOLD.get(platform.interface, ())


def _note_platform(
    platform: DestinationRow, attempt: Attempt, at: datetime, jitter: Jitter, scale: float
) -> None:
    if attempt.outcome is Outcome.GONE:
        platform.gone_at = at
        return
    if attempt.retry_after_s is not None:
        until = at + timedelta(seconds=attempt.retry_after_s * scale)
        platform.held_until = max(platform.held_until or until, until)
    if attempt.outcome is not Outcome.FAILED:
        platform.failures = 0
        platform.open_until = None
        return
    platform.failures += 1
    over = platform.failures - BREAKER_FAILURES
    if over >= 0:
        pause_s = min(BREAKER_FIRST_S * 2.0 ** min(over, 10), BREAKER_MAX_S)
        platform.open_until = at + timedelta(seconds=pause_s * (0.5 + jitter()) * scale)


def _failed(attempt: Attempt) -> Attempt:
    return Attempt(
        Outcome.FAILED,
        attempt.status_code,
        error=attempt.error,
        concerns_all=True,
        unsent=True,
    )
