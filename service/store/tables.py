"""The tables. A change here needs a migration; a test compares the two on both databases."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    UniqueConstraint,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from service.store.times import Instant

Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON; ``jsonb`` on PostgreSQL."""

Serial = BigInteger().with_variant(Integer(), "sqlite")
"""Numbers given by the database; SQLite numbers rows only by the type INTEGER."""


class CaseState(StrEnum):
    """Where a case stands."""

    CANDIDATE = "candidate"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    HANDLING = "handling"
    HANDLED = "handled"
    VERIFIED = "verified"
    REOPENED = "reopened"
    CLOSED = "closed"
    SUSPENDED = "suspended"
    """挂账: cannot be handled for now; its deadline stands still."""
    CANCELLED = "cancelled"
    """作废: should never have been sent; counted neither as handled nor as overdue."""


FINISHED = (CaseState.REJECTED, CaseState.CLOSED, CaseState.CANCELLED)
"""States in which nothing more is to be done; a case in any other is open."""


class Stage(StrEnum):
    """Who is to review a candidate."""

    FIRST = "first"
    """Any reviewer."""
    SECOND = "second"
    """Another reviewer, who does not see what the first one said."""
    SUPERVISOR = "supervisor"
    """A supervisor: the reviewers disagree or are not sure."""


class Verdict(StrEnum):
    """What a reviewer says of a candidate."""

    CONFIRM = "confirm"
    REJECT = "reject"
    NOT_SURE = "not_sure"


class Relation(StrEnum):
    """How a case is linked to another one."""

    POSSIBLE_DUPLICATE = "possible_duplicate"
    """Same kind, near by, at about the same time, by another camera."""
    DUPLICATE_OF = "duplicate_of"
    """A reviewer said that it is the same thing."""
    RECURRENCE_OF = "recurrence_of"
    """The other one was over not long before, at the same place."""


class Variant(StrEnum):
    """Which version of a picture or clip a file is."""

    MASKED = "masked"
    """Shown by default."""
    SEALED = "sealed"
    """The original: only for roles that may, and each read is written down."""


class Role(StrEnum):
    """What a user may do; each role may do what those before it may."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


class Scope(StrEnum):
    """What an API key may do."""

    INGEST = "ingest"
    """Push frames and have pictures judged."""
    READ = "read"
    """Read cameras, violations, cases, masked evidence and the event stream."""
    CALLBACK = "callback"
    """Tell what the dispatch platform did with a case."""


class Base(DeclarativeBase):
    """Base of all tables; constraints are named so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: Instant,
        dict[str, Any]: Document,
        list[str]: Document,
    }


class CameraRow(Base):
    """A camera: its settings, zones included, as one document with a version.

    Attributes:
        id: Camera id.
        document: A :class:`vision.site.Camera` as JSON; its source may hold credentials.
        enabled: Whether it is watched.
        version: Counts changes; the ETag.
    """

    __tablename__ = "cameras"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    document: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CheckpointRow(Base):
    """State of a camera's judgement, to go on from after a restart."""

    __tablename__ = "checkpoints"

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    state: Mapped[bytes] = mapped_column(LargeBinary)
    saved_at: Mapped[datetime]


class AssignmentRow(Base):
    """Which host watches a camera, where several share them.

    Attributes:
        camera_id: The camera.
        host: Name of the host; ``None`` where none is to watch it.
        number: Rises with each change; what a host writes under an older one is refused.
    """

    __tablename__ = "assignments"

    camera_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    host: Mapped[str | None] = mapped_column(String(128), index=True)
    number: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime]


def _queue_at(context: Any) -> datetime | None:
    """A candidate that nobody gave a priority waits from when it was raised."""
    given = context.get_current_parameters()
    is_candidate = given["state"] == CaseState.CANDIDATE
    return given["raised_at"] if is_candidate else None


class CaseRow(Base):
    """A case; what lists filter by stands in columns of its own.

    Attributes:
        id: Id of the violation that opened it.
        raised_at: When its violation was raised; lists are ordered by it.
        ended_at: When the violation was over, ``None`` while it lasts.
        version: Counts steps that change the state; for optimistic locking and the ETag.
        priority: Hours of waiting that it is ahead of others (:mod:`service.cases.priority`).
        queue_at: ``raised_at`` less ``priority`` hours: the queue is in this order. ``None`` where
            nobody is to review it.
        stage: Who is to review it.
        claimed_by: Who looks at it now.
        claimed_until: When that ends by itself.
        settled_at: From then on the reviewer cannot take the decision back: a confirmed case may be
            sent.
        box: Box ``[x1, y1, x2, y2]`` in pixels as a reviewer corrected it.
        place: What the city calls the place: ``district``, ``street``, ``grid``, ``unit``,
            ``address``, ``assess_level``; as it was when the case was opened.
        occurrences: Violations that are this case.
        recurrence_of: Case that was over not long before at the same place.
        recurrences: How many went before it in that way.
        code_system: Catalogue that ``code`` is of.
        code: Class code in it.
        deadline_at: Until when it is to be handled; ``None`` without a limit and while suspended.
        deadline_clock: Clock that counts its limit.
        deadline_left_s: Counted seconds that are left while it is suspended.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index("ix_cases_page", "raised_at", "id"),
        Index("ix_cases_state_page", "state", "raised_at", "id"),
        Index("ix_cases_kind_page", "kind", "raised_at", "id"),
        Index("ix_cases_camera_page", "camera_id", "raised_at", "id"),
        Index("ix_cases_zone_page", "camera_id", "zone_id", "raised_at", "id"),
        Index("ix_cases_state_kind_page", "state", "kind", "raised_at", "id"),
        Index("ix_cases_camera_state_page", "camera_id", "state", "raised_at", "id"),
        Index(
            "ix_cases_queue",
            "queue_at",
            "id",
            sqlite_where=text("queue_at IS NOT NULL"),
            postgresql_where=text("queue_at IS NOT NULL"),
        ),
        Index("ix_cases_settled", "state", "settled_at"),
        Index("ix_cases_deadline", "deadline_at"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(64))
    camera_id: Mapped[str] = mapped_column(String(128))
    zone_id: Mapped[str] = mapped_column(String(128))
    confidence: Mapped[float]
    experimental: Mapped[bool]
    started_at: Mapped[datetime]
    raised_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    priority: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    queue_at: Mapped[datetime | None] = mapped_column(default=_queue_at)
    stage: Mapped[str] = mapped_column(
        String(16), default=Stage.FIRST, server_default=text("'first'")
    )
    claimed_by: Mapped[str | None] = mapped_column(String(160))
    claimed_until: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    box: Mapped[list[float] | None] = mapped_column(Document)
    place: Mapped[dict[str, Any] | None]
    occurrences: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    recurrence_of: Mapped[str | None] = mapped_column(String(64))
    recurrences: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    code_system: Mapped[str | None] = mapped_column(String(64))
    code: Mapped[str | None] = mapped_column(String(32))
    deadline_at: Mapped[datetime | None]
    deadline_clock: Mapped[str | None] = mapped_column(String(16))
    deadline_left_s: Mapped[float | None]


class ViolationRow(Base):
    """A violation, as the cameras last told of it.

    Attributes:
        id: Stable id, the same after a restart.
        case_id: The case that it belongs to.
        record: The whole :class:`vision.record.ViolationRecord` as JSON.
        appearance: Signature of how its thing looked when it was raised; ``None`` without picture.
    """

    __tablename__ = "violations"
    __table_args__ = (
        Index("ix_violations_page", "raised_at", "id"),
        Index("ix_violations_kind_page", "kind", "raised_at", "id"),
        Index("ix_violations_camera_page", "camera_id", "raised_at", "id"),
        Index("ix_violations_zone_page", "camera_id", "zone_id", "raised_at", "id"),
        Index(
            "ix_violations_ongoing_page",
            "raised_at",
            "id",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    kind: Mapped[str] = mapped_column(String(64))
    camera_id: Mapped[str] = mapped_column(String(128))
    zone_id: Mapped[str] = mapped_column(String(128))
    raised_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    record: Mapped[dict[str, Any]]
    appearance: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class CaseStepRow(Base):
    """One step in the history of a case: who did what, when."""

    __tablename__ = "case_steps"
    __table_args__ = (
        Index("ix_case_steps_history", "case_id", "id"),
        Index("ix_case_steps_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    action: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    details: Mapped[dict[str, Any]]


class DecisionRow(Base):
    """What one reviewer said of a case; kept for good, for figures and for learning.

    Attributes:
        reviewer: ``user:...``.
        stage: As whom they were asked.
        verdict: ``confirm``, ``reject`` or ``not_sure``.
        settles: Whether the case was settled by it.
        reason: Id of the reject reason.
        kind_before: Kind as it was shown.
        kind_after: Kind as they left it.
        box_before: Box as it was shown, in pixels.
        box_after: Box as they left it.
        confidence: Of the model, as it was then.
        on_screen_s: How long they looked at it.
        undone_at: When they took it back; it counts no more.
    """

    __tablename__ = "decisions"
    __table_args__ = (
        Index("ix_decisions_case", "case_id", "id"),
        Index("ix_decisions_reviewer", "reviewer", "id"),
        Index("ix_decisions_at", "at"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    at: Mapped[datetime]
    reviewer: Mapped[str] = mapped_column(String(160))
    stage: Mapped[str] = mapped_column(String(16))
    verdict: Mapped[str] = mapped_column(String(16))
    settles: Mapped[bool]
    reason: Mapped[str | None] = mapped_column(String(32))
    kind_before: Mapped[str] = mapped_column(String(64))
    kind_after: Mapped[str] = mapped_column(String(64))
    box_before: Mapped[list[float] | None] = mapped_column(Document)
    box_after: Mapped[list[float] | None] = mapped_column(Document)
    confidence: Mapped[float]
    note: Mapped[str | None] = mapped_column(String(1000))
    on_screen_s: Mapped[float | None]
    undone_at: Mapped[datetime | None]


class CaseLinkRow(Base):
    """A case and another one that it has to do with."""

    __tablename__ = "case_links"
    __table_args__ = (Index("ix_case_links_other", "other_id"),)

    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    other_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), primary_key=True)
    relation: Mapped[str] = mapped_column(String(24), primary_key=True)
    distance_m: Mapped[float | None]
    created_at: Mapped[datetime]


class EvidenceRow(Base):
    """One evidence file of a violation.

    A file that was taken anew stays until retention takes it: someone may have decided by it.

    Attributes:
        role: ``scene``, ``crop``, ``before``, ``after`` or ``clip``.
        variant: ``masked`` or ``sealed``.
        key: Where it lies in the evidence store.
        taken_at: Wall-clock time of the picture, or of a clip's first one.
        superseded_at: When a newer file of the same role came.
        removed_at: When retention took the bytes; the row says what there was.
    """

    __tablename__ = "evidence"
    __table_args__ = (
        UniqueConstraint("violation_id", "role", "variant", "sha256"),
        Index("ix_evidence_key", "key"),
        Index("ix_evidence_age", "removed_at", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    violation_id: Mapped[str] = mapped_column(ForeignKey("violations.id"))
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    variant: Mapped[str] = mapped_column(String(8))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(64))
    taken_at: Mapped[datetime]
    key: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class DestinationRow(Base):
    """How a platform stands to us; shared by all processes that deliver.

    Attributes:
        name: Its name in the settings.
        interface: ``webhook``, ``open311`` or ``panorama``.
        shown: Its URL without credentials.
        kinds: Kinds of cases that it is told of.
        position: Order in the settings: the first that takes a kind moves its cases.
        active: Whether the settings name it.
        takes_evidence: Whether evidence is sent to it.
        failures: Attempts in a row that failed.
        open_until: Nothing is sent before: the circuit is open.
        held_until: It asked to be spared until then.
        next_slot_at: By its rate limit, the next request may begin then.
        gone_at: When it answered 410; nothing is sent until someone says so.
        polled_at: When it was asked last what became of cases.
    """

    __tablename__ = "destinations"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    interface: Mapped[str] = mapped_column(String(16))
    shown: Mapped[str] = mapped_column(String(500))
    kinds: Mapped[list[str]]
    position: Mapped[int]
    active: Mapped[bool]
    takes_evidence: Mapped[bool] = mapped_column(default=True, server_default=true())
    failures: Mapped[int] = mapped_column(default=0)
    open_until: Mapped[datetime | None]
    held_until: Mapped[datetime | None]
    next_slot_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]
    polled_at: Mapped[datetime | None]


class DeliveryRow(Base):
    """The attempt chain that brings one message about a case to one platform.

    Attributes:
        event_id: Idempotency key: the same in every attempt.
        subject: What it tells: a :class:`service.dispatch.notice.Subject`.
        number: Place among the messages about the case to this platform, which keep their order.
        round: How often the case had been sent by then: 1, and one more each time that it was
            declined and put right.
        notice: What is sent; written down before the first attempt, the same in each.
        state: A :class:`service.dispatch.schedule.State`.
        attempts: Attempts made.
        steps: Position in the retry schedule.
        next_at: From when on the next attempt is due.
        leased_by: Who makes an attempt now; only they may write down what came of it.
        leased_until: When that ends by itself.
        maybe_sent_at: When the first attempt began that may have reached the platform without an
            answer reaching us.
        status_code: HTTP status of the last answer.
        reference: Id that the platform gave to the case, or the token for it.
        has_token: Whether ``reference`` is a token, for which the id is to be asked.
        duplicate: The platform had it already.
        error: Why the last attempt failed.
        delivered_at: When it arrived.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("case_id", "destination", "number"),
        Index("ix_deliveries_due", "destination", "state", "next_at"),
        Index("ix_deliveries_page", "created_at", "id"),
        Index("ix_deliveries_state_page", "state", "created_at", "id"),
        Index("ix_deliveries_reference", "destination", "reference"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(64), index=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    destination: Mapped[str] = mapped_column(ForeignKey("destinations.name"))
    subject: Mapped[str] = mapped_column(String(16))
    number: Mapped[int]
    round: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    notice: Mapped[dict[str, Any] | None]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    steps: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime]
    leased_by: Mapped[str | None] = mapped_column(String(36))
    leased_until: Mapped[datetime | None]
    maybe_sent_at: Mapped[datetime | None]
    status_code: Mapped[int | None]
    reference: Mapped[str | None] = mapped_column(String(200))
    has_token: Mapped[bool] = mapped_column(default=False)
    duplicate: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]


class CallbackRow(Base):
    """What a platform said of a case, each only once.

    Attributes:
        destination: Who said it.
        report_id: Its id there.
        case_id: Case that it is about.
        event_id: Message that it answers.
        status: What it says.
        said_at: When, by the platform's clock.
        received_at: When it came.
        outcome: What it led to: ``moved``, ``noted``, ``late`` or ``copy``.
    """

    __tablename__ = "callbacks"
    __table_args__ = (Index("ix_callbacks_case", "case_id", "destination", "received_at"),)

    destination: Mapped[str] = mapped_column(ForeignKey("destinations.name"), primary_key=True)
    report_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    event_id: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))
    said_at: Mapped[datetime]
    received_at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(16))
    details: Mapped[dict[str, Any]]


class VerificationRow(Base):
    """A case whose place the camera looks at again.

    Attributes:
        case_id: The case.
        why: ``handled`` or ``deadline``.
        begun_at: From when on looks count.
        until: What was not seen by then cannot be seen.
        looks: Looks that counted.
        still: Of them, those that saw it still there, since something else was seen.
        first_still_at: Time of the first of these.
        last_look_at: Time of the last look that counted.
        result: ``gone``, ``still_there`` or ``cannot_see``; ``None`` while it goes on.
        decided_at: When that was known.
        decided_by: ``camera:...`` or ``user:...``.
        before_id: Evidence from before.
        after_id: Evidence that shows the place at the end.
        open: ``True`` while it goes on or a person is asked, else ``None``: one at a time a case.
    """

    __tablename__ = "verifications"
    __table_args__ = (
        UniqueConstraint("case_id", "open"),
        Index("ix_verifications_open", "open", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_id: Mapped[str] = mapped_column(ForeignKey("cases.id"))
    why: Mapped[str] = mapped_column(String(16))
    begun_at: Mapped[datetime]
    until: Mapped[datetime]
    looks: Mapped[int] = mapped_column(default=0)
    still: Mapped[int] = mapped_column(default=0)
    first_still_at: Mapped[datetime | None]
    last_look_at: Mapped[datetime | None]
    result: Mapped[str | None] = mapped_column(String(16))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(160))
    before_id: Mapped[str | None] = mapped_column(String(36))
    after_id: Mapped[str | None] = mapped_column(String(36))
    open: Mapped[bool | None]


class EventRow(Base):
    """What happened, for those who follow the event stream; numbers rise in order of commit."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_at", "at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128))
    data: Mapped[dict[str, Any]]


class UserRow(Base):
    """A person who may log in.

    Attributes:
        name: What they log in with, in lower case.
        password_hash: Argon2; ``None`` for those who log in elsewhere.
        issuer: OpenID provider that they log in at.
        subject: Their id there.
        disabled_at: Since when they may not.
    """

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str | None] = mapped_column(String(256))
    issuer: Mapped[str | None] = mapped_column(String(256))
    subject: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class SessionRow(Base):
    """A login; the cookie's token is known by its hash only.

    Attributes:
        token_sha256: Hash of the cookie.
        csrf_token: What a request that changes something must repeat.
        used_at: Last use, to a minute.
        expires_at: When it ends whatever happens.
    """

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LoginFailuresRow(Base):
    """Failed logins of a name or from an address, since the last that succeeded.

    Attributes:
        subject: ``name:...`` or ``address:...``.
        count: How many.
        last_at: Time of the last.
        locked_until: No attempt is looked at before.
    """

    __tablename__ = "login_failures"

    subject: Mapped[str] = mapped_column(String(128), primary_key=True)
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None]


class ApiKeyRow(Base):
    """A key for a program; known by its hash only."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    shown: Mapped[str] = mapped_column(String(16))
    secret_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created_by: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class AuditRow(Base):
    """Who did what; the database itself refuses to change or delete a row.

    Attributes:
        actor: ``user:...``, ``key:...`` or ``system``.
        action: Such as ``login``, ``evidence.read`` or ``camera.changed``.
        subject: What it was done to, such as ``case:...``.
        reason: Why, where a reason is asked for.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor", "actor", "id"),
        Index("ix_audit_action", "action", "id"),
        Index("ix_audit_subject", "subject", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(160))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(160))
    reason: Mapped[str | None] = mapped_column(String(500))
    address: Mapped[str | None] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]


class IdempotencyRow(Base):
    """The answer to a request that carried an idempotency key.

    Attributes:
        principal: Who sent it.
        key: The key.
        fingerprint: SHA-256 of method, path and body.
        status: HTTP status of the answer; ``None`` while it is being made.
    """

    __tablename__ = "idempotency"

    principal: Mapped[str] = mapped_column(String(160), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)


class SettingRow(Base):
    """A setting that is changed while the service runs, as a document with a version."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    document: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    updated_at: Mapped[datetime]
