"""Review: the queue of candidates, claims, decisions, and steps that supervisors take."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from service import audit
from service.api.cases import CaseBody, case_body
from service.api.conditional import IfMatch, etag, require_match
from service.api.fields import Id, Text, Time, Word
from service.api.idempotency import IdempotencyKey, IdempotentRoute
from service.api.problem import Problem, answers, not_found
from service.api.refusals import refusals
from service.api.security import Origin, Supervisor, TheService, UserReviewer
from service.auth.principal import RANKS, Principal
from service.cases.agreement import agreement
from service.cases.claims import (
    Reviewer,
    Wanted,
    claim,
    claim_next,
    queue_counts,
    queue_page,
    release,
)
from service.cases.correction import Correction, correct
from service.cases.deadline_changes import extend
from service.cases.lifecycle import RUNNING, Action, hold, take_step
from service.cases.likeness import Looks, alike
from service.cases.reasons import REASONS
from service.cases.review import Decision, decide, undo, visible_decisions
from service.context import Service
from service.store.tables import CaseRow, CaseState, Role, Stage, Verdict

router = APIRouter(tags=["review"], route_class=IdempotentRoute, responses=answers(401, 403))

BULK = 100
"""Most decisions in one request."""

_STEPS = (
    Action.CANCEL,
    Action.CLOSE,
    Action.REOPEN,
    Action.RESUME,
    Action.SELF_RECTIFY,
    Action.SUSPEND,
    Action.VERIFY,
)

Box = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=4, max_length=4)
]


class DecisionForm(BaseModel):
    """What a reviewer says of a candidate."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"verdict": "confirm", "on_screen_s": 2.4},
                {"verdict": "confirm", "kind": "debris_pile", "box": [820, 410, 1090, 640]},
                {"verdict": "reject", "reason": "in_use", "note": "unloading"},
                {"verdict": "not_sure"},
            ]
        },
    )

    verdict: Verdict
    kind: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="What it is, if it is of another kind"
    )
    reason: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="To reject: an id of GET /review/reasons"
    )
    box: Box | None = Field(default=None, description="Corrected x1, y1, x2, y2 in pixels")
    note: Annotated[Text, Field(max_length=1000)] | None = None
    on_screen_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = Field(
        default=None, description="How long the reviewer looked at it"
    )
    duplicate_of: Annotated[Word, Field(max_length=64)] | None = Field(
        default=None, description="The other case, with the reason duplicate"
    )

    @property
    def decision(self) -> Decision:
        """It, for the store."""
        x1y1x2y2: Any = None if self.box is None else tuple(self.box)
        return Decision(
            self.verdict,
            self.kind,
            self.reason,
            x1y1x2y2,
            self.note,
            self.on_screen_s,
            self.duplicate_of,
        )


class OneOfMany(DecisionForm):
    """One decision of several."""

    case_id: Annotated[Word, Field(max_length=64)]
    version: int = Field(ge=1, lt=2**31, description="Version of the case that was seen")


class BulkForm(BaseModel):
    """Several decisions; each is kept or refused by itself."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "decisions": [
                        {
                            "case_id": "0b0e5dc3-4a0c-5d49-8c52-c7f4c9ed7a86",
                            "version": 1,
                            "verdict": "reject",
                            "reason": "permitted",
                        }
                    ]
                }
            ]
        },
    )

    decisions: list[OneOfMany] = Field(min_length=1, max_length=BULK)


class BulkResult(BaseModel):
    """What became of one decision of several."""

    case_id: str
    status: int = Field(description="What the decision alone would have been answered with")
    detail: str | None = Field(description="Why it was refused")
    case: CaseBody | None


class DecisionBody(BaseModel):
    """A decision that was made."""

    at: AwareDatetime
    reviewer: str
    stage: Stage
    verdict: Verdict
    settles: bool = Field(description="Whether the case was settled by it")
    reason: str | None
    kind_before: str
    kind_after: str
    box_before: list[float] | None
    box_after: list[float] | None
    note: str | None
    on_screen_s: float | None


class WaitingBody(BaseModel):
    """How many candidates of a kind wait for whom."""

    kind: str
    stage: Stage
    waiting: int = Field(description="Those that someone looks at are among them")
    claimed: int = Field(description="How many someone looks at now")


class QueueBody(BaseModel):
    """The queue."""

    counts: list[WaitingBody]
    first: list[CaseBody] = Field(description="What this reviewer would be given, in order")


class ReasonBody(BaseModel):
    """A reason to reject."""

    id: str
    en: str
    zh: str
    key: str = Field(description="Key that the review page offers for it")
    blames_model: bool = Field(description="Whether the model saw what is not there or not so")


class AgreementBody(BaseModel):
    """Agreement over cases that two reviewers decided."""

    cases: int
    agreed: int
    kappa: float | None = Field(description="Cohen's kappa; null where it is not defined")


class AlikeBody(BaseModel):
    """A candidate beside another one."""

    looks: Looks = Field(description="unknown: they cannot be compared")
    distance: float | None = Field(description="How unlike they look, 0 to 1")
    case: CaseBody


class StepForm(BaseModel):
    """A step that a supervisor takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"action": "cancel", "reason": "sent by mistake"}]},
    )

    action: Action = Field(description=", ".join(_STEPS))
    reason: Annotated[Text, Field(min_length=3, max_length=500)] = Field(
        description="Why; stands in the history and in the audit"
    )


class CorrectionForm(BaseModel):
    """What was wrong with a case that the platform declined."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "debris_pile", "note": "not a stall, goods left behind"}]
        },
    )

    note: Annotated[Text, Field(min_length=3, max_length=500)] = Field(
        description="What was put right; stands in the history"
    )
    kind: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="What it is, if it is of another kind"
    )
    box: Box | None = Field(default=None, description="Corrected x1, y1, x2, y2 in pixels")


class ExtensionForm(BaseModel):
    """A deadline that is put off."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"deadline_at": "2026-05-06T17:00:00+08:00", "reason": "waits for the owner"}
            ]
        },
    )

    deadline_at: Time = Field(description="The later deadline")
    reason: Annotated[Text, Field(min_length=3, max_length=500)] = Field(
        description="Why; stands in the history and in the audit"
    )


Kinds = Annotated[list[Word] | None, Query(alias="kind", max_length=16)]
CameraOnly = Annotated[Word | None, Query(alias="camera_id", description="This camera only")]
ZoneOnly = Annotated[Word | None, Query(alias="zone_id", description="Zones of this name only")]


@router.post(
    "/review/next", responses=answers() | {204: {"description": "Nothing waits for this reviewer"}}
)
def next_case(
    service: TheService,
    who: UserReviewer,
    response: Response,
    kind: Kinds = None,
    camera_id: CameraOnly = None,
    zone_id: ZoneOnly = None,
    skip: Annotated[
        list[Word] | None,
        Query(max_length=50, description="Cases that are passed over: those that are open already"),
    ] = None,
    _key: IdempotencyKey = None,
) -> CaseBody | None:
    """Claim the next candidate: by priority and age, never one that somebody else looks at."""
    wanted = Wanted(tuple(kind or ()), camera_id, zone_id)
    with service.database.write() as session:
        case = claim_next(
            session,
            reviewer_of(who),
            service.clock(),
            service.review_rules.lease_s,
            wanted,
            skip=skip or (),
        )
        if case is not None:
            return _answer(case, response)
    response.status_code = 204
    return None


@router.get("/review/queue")
def get_queue(
    service: TheService,
    who: UserReviewer,
    kind: Kinds = None,
    camera_id: CameraOnly = None,
    zone_id: ZoneOnly = None,
    limit: Annotated[int, Query(ge=0, le=200, description="Most cases under first")] = 20,
) -> QueueBody:
    """How many candidates wait, and which come first; none is claimed."""
    now = service.clock()
    wanted = Wanted(tuple(kind or ()), camera_id, zone_id)
    with service.database.read() as session:
        counts = queue_counts(session, now)
        first = queue_page(session, reviewer_of(who), now, limit, wanted)
        return QueueBody(
            counts=[
                WaitingBody(
                    kind=one.kind, stage=one.stage, waiting=one.waiting, claimed=one.claimed
                )
                for one in counts
            ],
            first=[case_body(row) for row in first],
        )


@router.get("/cases/{case_id}/alike", responses=answers(404))
def list_alike(case_id: Id, service: TheService, _who: UserReviewer) -> list[AlikeBody]:
    """A case and the other candidates of its kind in its zone, those that look like it first."""
    with service.database.read() as session:
        case = session.get(CaseRow, case_id)
        if case is None:
            raise not_found("case")
        return [
            AlikeBody(looks=one.looks, distance=one.distance, case=case_body(one.case))
            for one in alike(session, case)
        ]


@router.get("/review/reasons")
def list_reasons(_who: UserReviewer) -> list[ReasonBody]:
    """Reasons to reject."""
    return [ReasonBody.model_validate(one, from_attributes=True) for one in REASONS.values()]


@router.get("/review/agreement")
def get_agreement(
    service: TheService,
    _who: Supervisor,
    since: Annotated[Time | None, Query(description="30 days ago without it")] = None,
    until: Annotated[Time | None, Query(description="Now without it")] = None,
) -> AgreementBody:
    """How far reviewers agree on cases that two of them decided."""
    until = until or service.clock()
    since = since or until - timedelta(days=30)
    with service.database.read() as session:
        found = agreement(session, since, until)
    return AgreementBody.model_validate(found, from_attributes=True)


@router.post("/review/decisions")
def post_decisions(
    form: BulkForm, service: TheService, who: UserReviewer, _key: IdempotencyKey = None
) -> list[BulkResult]:
    """Decide several candidates, each in a transaction of its own."""
    results = []
    for number, one in enumerate(form.decisions):
        try:
            with (
                refusals(f"body.decisions[{number}]"),
                service.database.write() as session,
            ):
                case = _decide(service, session, one.case_id, who, one, one.version)
                body = case_body(case)
            results.append(BulkResult(case_id=one.case_id, status=200, detail=None, case=body))
        except Problem as problem:
            results.append(
                BulkResult(
                    case_id=one.case_id, status=problem.status, detail=problem.detail, case=None
                )
            )
    return results


@router.post("/cases/{case_id}/claim", responses=answers(404, 409))
def post_claim(
    case_id: Id,
    service: TheService,
    who: UserReviewer,
    response: Response,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Claim a candidate, or go on with one's own claim for as long again."""
    with refusals(), service.database.write() as session:
        case = claim(
            session, case_id, reviewer_of(who), service.clock(), service.review_rules.lease_s
        )
        return _answer(case, response)


@router.post("/cases/{case_id}/release", responses=answers(404))
def post_release(
    case_id: Id,
    service: TheService,
    who: UserReviewer,
    response: Response,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Give up one's claim."""
    with refusals(), service.database.write() as session:
        return _answer(release(session, case_id, reviewer_of(who), service.clock()), response)


@router.post("/cases/{case_id}/decisions", responses=answers(404, 409, 412, 428))
def post_decision(
    case_id: Id,
    form: DecisionForm,
    service: TheService,
    who: UserReviewer,
    response: Response,
    if_match: IfMatch = None,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Decide a candidate as it was seen."""
    with refusals(), service.database.write() as session:
        seen = hold(session, case_id).version
        require_match(if_match, seen)
        return _answer(_decide(service, session, case_id, who, form, seen), response)


@router.get("/cases/{case_id}/decisions", responses=answers(404))
def list_decisions(case_id: Id, service: TheService, who: UserReviewer) -> list[DecisionBody]:
    """What reviewers said of a case; while it waits for review, only what one said oneself."""
    with service.database.read() as session:
        case = session.get(CaseRow, case_id)
        if case is None:
            raise not_found("case")
        rows = visible_decisions(session, case, reviewer_of(who))
        return [DecisionBody.model_validate(row, from_attributes=True) for row in rows]


@router.post("/cases/{case_id}/undo", responses=answers(404, 409))
def post_undo(
    case_id: Id,
    service: TheService,
    who: UserReviewer,
    response: Response,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Take one's own decision back; shortly after it, and while the case was not sent."""
    with refusals(), service.database.write() as session:
        case = undo(session, case_id, reviewer_of(who), service.clock(), service.review_rules)
        return _answer(case, response)


@router.post("/cases/{case_id}/steps", responses=answers(404, 409, 412, 428))
def post_step(
    case_id: Id,
    form: StepForm,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    response: Response,
    if_match: IfMatch = None,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Suspend, resume, reopen, verify, close or cancel a case by hand."""
    if form.action not in _STEPS:
        raise Problem(409, "not_possible", f"{form.action} is not done by hand")
    now = service.clock()
    with refusals(), service.database.write() as session:
        require_match(if_match, hold(session, case_id).version)
        audit.write(
            session,
            now,
            origin,
            who.actor,
            f"case.{form.action}",
            subject=f"case:{case_id}",
            reason=form.reason,
        )
        case = take_step(
            session,
            case_id,
            form.action,
            who.actor,
            now,
            details={"reason": form.reason},
            worktime=service.worktime,
        )
        return _answer(case, response)


@router.post("/cases/{case_id}/corrections", responses=answers(404, 409, 412, 428))
def post_correction(
    case_id: Id,
    form: CorrectionForm,
    service: TheService,
    who: UserReviewer,
    response: Response,
    if_match: IfMatch = None,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Put right what the platform declined, and send it again under the same number."""
    x1y1x2y2: Any = None if form.box is None else tuple(form.box)
    with refusals(), service.database.write() as session:
        seen = hold(session, case_id).version
        require_match(if_match, seen)
        case = correct(
            session,
            case_id,
            who.actor,
            Correction(form.note, form.kind, x1y1x2y2),
            service.clock(),
            version=seen,
            filing=service.filing,
        )
        return _answer(case, response)


@router.post("/cases/{case_id}/extension", responses=answers(404, 409, 412, 428))
def post_extension(
    case_id: Id,
    form: ExtensionForm,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    response: Response,
    if_match: IfMatch = None,
    _key: IdempotencyKey = None,
) -> CaseBody:
    """Put off the deadline of a case that is not handled yet."""
    now = service.clock()
    with refusals(), service.database.write() as session:
        case = hold(session, case_id)
        require_match(if_match, case.version)
        audit.write(
            session,
            now,
            origin,
            who.actor,
            "case.extended",
            subject=f"case:{case_id}",
            reason=form.reason,
        )
        extended = CaseState(case.state) in RUNNING and extend(
            session,
            case,
            form.deadline_at,
            who.actor,
            now,
            worktime=service.worktime,
            details={"reason": form.reason},
        )
        if not extended:
            raise Problem(
                409, "not_possible", "the case has no deadline that runs, or none so early"
            )
        return _answer(case, response)


def reviewer_of(who: Principal) -> Reviewer:
    """A user, as a reviewer."""
    assert who.role is not None
    return Reviewer(who.actor, is_supervisor=RANKS[who.role] >= RANKS[Role.SUPERVISOR])


def _decide(
    service: Service,
    session: Session,
    case_id: str,
    who: Principal,
    form: DecisionForm,
    version: int,
) -> CaseRow:
    return decide(
        session,
        case_id,
        reviewer_of(who),
        form.decision,
        service.clock(),
        version=version,
        rules=service.review_rules,
    )


def _answer(case: CaseRow, response: Response) -> CaseBody:
    response.headers["etag"] = etag(case.version)
    return case_body(case)
