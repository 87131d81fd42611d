"""The event stream: new and changed cases, as they come (Server-Sent Events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from service.api.fields import Word
from service.api.problem import Problem, answers
from service.api.security import Reader, TheService
from service.cases.events import events_after, first_number, last_number
from service.context import Service
from service.store.tables import EventRow

router = APIRouter(tags=["events"], responses=answers(401, 403))

POLL_S = 0.5
HEARTBEAT_S = 15.0
BATCH = 200
_STREAM = {"schema": {"type": "string"}, "example": "id: 7\nevent: case.created\ndata: {...}\n\n"}


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses=answers(429) | {200: {"content": {"text/event-stream": _STREAM}}},
)
async def follow_events(
    request: Request,
    service: TheService,
    _who: Reader,
    type_: Annotated[
        list[Word] | None,
        Query(alias="type", max_length=16, description="Only these; case.created, ..."),
    ] = None,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=2**62, description="Go on after this; browsers send it")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**62, description="The same for those who set no headers")
    ] = None,
) -> StreamingResponse:
    """Follow what happens: ``case.created``, ``case.changed``, ``camera.changed`` and more.

    Without a number to go on from, it begins with what comes next. Where the events after that
    number are not kept any more, the first event is ``reset``: read the lists again.
    """
    streams: set[object] = request.app.state.event_streams
    if len(streams) >= service.settings.limits.event_streams:
        raise Problem(
            429, "too_many_streams", "too many follow already", headers={"retry-after": "30"}
        )
    start = last_event_id if last_event_id is not None else after
    stream = _stream(request, service, start, frozenset(type_ or ()))
    return StreamingResponse(
        stream,
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _stream(
    request: Request, service: Service, start: int | None, types: frozenset[str]
) -> AsyncIterator[str]:
    streams: set[object] = request.app.state.event_streams
    closing: asyncio.Event = request.app.state.closing
    me = object()
    streams.add(me)
    try:
        number, is_whole = await run_in_threadpool(_begin, service, start)
        yield f"retry: 3000\nid: {number}\n\n" if is_whole else _message(number, "reset", {})
        silent_s = 0.0
        while not closing.is_set() and not await request.is_disconnected():
            events = await run_in_threadpool(_after, service, number)
            for event in events:
                number = event.id
                if not types or event.type in types:
                    yield _message(event.id, event.type, {**event.data, "at": _iso(event)})
                    silent_s = 0.0
            if len(events) == BATCH:
                continue
            silent_s += POLL_S
            if silent_s >= HEARTBEAT_S:
                yield f": still here\nid: {number}\n\n"
                silent_s = 0.0
            try:
                await asyncio.wait_for(closing.wait(), POLL_S)
            except TimeoutError:
                continue
    finally:
        streams.discard(me)


def _begin(service: Service, start: int | None) -> tuple[int, bool]:
    """Number to go on from, and whether nothing is missing after it."""
    with service.database.read() as session:
        last = last_number(session)
        if start is None:
            return last, True
        first = first_number(session)
    if start > last or (first is not None and start < first - 1):
        return last, False
    return start, True


def _after(service: Service, number: int) -> list[EventRow]:
    with service.database.read() as session:
        return list(events_after(session, number, BATCH))


def _message(number: int, type_: str, data: dict[str, object]) -> str:
    # JSON holds no raw line break, so the data is one line whatever is in it.
    return f"id: {number}\nevent: {type_}\ndata: {json.dumps(data, ensure_ascii=True)}\n\n"


def _iso(event: EventRow) -> str:
    return event.at.isoformat(timespec="milliseconds")
