"""Deliveries to platforms, and the platforms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from service import audit
from service.api.callbacks import PlatformName
from service.api.fields import Id, Word
from service.api.paging import Cursor, Limit, PageBody, cursor_of, position_of
from service.api.problem import Problem, answers, not_found
from service.api.security import Origin, Reader, Supervisor, TheService
from service.cases.pages import Position
from service.dispatch import queue
from service.dispatch.notice import Subject
from service.dispatch.schedule import State
from service.store.tables import DeliveryRow

router = APIRouter(tags=["dispatch"], responses=answers(401, 403))


class DeliveryBody(BaseModel):
    """One message about a case to one platform, and how far it has come."""

    id: str
    case_id: str
    destination: str
    subject: Subject
    number: int = Field(description="Place among the messages about the case to this platform")
    event_id: str = Field(description="Idempotency key, the same in each attempt")
    state: State
    attempts: int
    next_at: AwareDatetime = Field(description="When the next attempt is due, while it is open")
    status_code: int | None = Field(description="HTTP status of the last answer")
    reference: str | None = Field(description="The platform's id of the case")
    duplicate: bool = Field(description="The platform had it already")
    error: str | None
    created_at: AwareDatetime
    updated_at: AwareDatetime
    delivered_at: AwareDatetime | None


class DestinationBody(BaseModel):
    """A platform, and how the queue towards it is."""

    name: str
    interface: str
    shown: str = Field(description="Its URL without what is secret")
    kinds: list[str]
    active: bool = Field(description="Whether the settings name it")
    waiting: int
    dead: int
    oldest_at: AwareDatetime | None = Field(description="Since when the oldest waits")
    failures: int = Field(description="Attempts in a row that failed")
    open_until: AwareDatetime | None = Field(description="Nothing is sent before: it fails")
    held_until: AwareDatetime | None = Field(description="It asked to be spared until then")
    gone_at: AwareDatetime | None = Field(description="It answered 410; resume it to go on")


class ResumedBody(BaseModel):
    """A platform is sent to again."""

    revived: int = Field(description="Deliveries that had been given up")


@router.get("/deliveries")
def list_deliveries(
    service: TheService,
    _who: Reader,
    state: Annotated[State | None, Query()] = None,
    destination: Annotated[Word | None, Query()] = None,
    case_id: Annotated[Word | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageBody[DeliveryBody]:
    """Deliveries, newest first."""
    with service.database.read() as session:
        rows = queue.page(
            session,
            limit=limit + 1,
            after=position_of(cursor),
            state=state,
            destination=destination,
            case_id=case_id,
        )
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return PageBody(
        items=[delivery_body(row) for row in rows[:limit]],
        next_cursor=None if last is None else cursor_of(Position(last.created_at, last.id)),
    )


@router.post("/deliveries/{delivery_id}/resend", responses=answers(404, 409))
def resend(delivery_id: Id, service: TheService, who: Supervisor, origin: Origin) -> DeliveryBody:
    """Send a message again under the same id; its schedule begins anew."""
    now = service.clock()
    with service.database.write() as session:
        row = session.get(DeliveryRow, delivery_id, with_for_update=True)
        if row is None:
            raise not_found("delivery")
        if row.state == State.WITHDRAWN:
            raise Problem(409, "withdrawn", "this was taken back before it was sent")
        queue.resend(row, now)
        audit.write(
            session,
            now,
            origin,
            who.actor,
            "delivery.resent",
            subject=f"case:{row.case_id}",
            details={"delivery": row.id, "destination": row.destination},
        )
        session.flush()
        return delivery_body(row)


@router.get("/destinations")
def list_destinations(service: TheService, _who: Reader) -> list[DestinationBody]:
    """Platforms, and how the queues towards them are."""
    with service.database.read() as session:
        waits = queue.waiting(session)
        return [
            DestinationBody(
                **{
                    name: getattr(row, name)
                    for name in DestinationBody.model_fields
                    if hasattr(row, name)
                },
                waiting=waits[row.name].waiting,
                dead=waits[row.name].dead,
                oldest_at=waits[row.name].oldest_at,
            )
            for row in queue.destinations(session)
        ]


@router.post("/destinations/{name}/resume", responses=answers(404))
def resume(name: PlatformName, service: TheService, who: Supervisor, origin: Origin) -> ResumedBody:
    """Send to a platform at once, also if it was gone, and what was given up before."""
    now = service.clock()
    with service.database.write() as session:
        revived = queue.resume(session, name, now)
        if revived is None:
            raise not_found("destination")
        audit.write(
            session,
            now,
            origin,
            who.actor,
            "destination.resumed",
            subject=f"destination:{name}",
            details={"revived": revived},
        )
    return ResumedBody(revived=revived)


def delivery_body(row: DeliveryRow) -> DeliveryBody:
    """A delivery, for an answer."""
    return DeliveryBody(**{name: getattr(row, name) for name in DeliveryBody.model_fields})
