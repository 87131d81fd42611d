"""The case screen: one case at a time, decided by keyboard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from nicegui import context, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from service.cases.claims import Wanted
from service.cases.events import CASE_CHANGED, CASE_CREATED, CASE_RELEASED
from service.cases.reasons import REASONS
from service.review.components import SCREEN_PARTS
from service.review.desk import (
    AHEAD,
    STANDBY,
    CaseId,
    CaseMessage,
    DecisionMessage,
    Desk,
    Fault,
    OriginalMessage,
)
from service.review.page import Page
from service.review.regularly import regularly
from service.review.visit import Visit
from service.review.wording import Language, Wording
from service.store.tables import Role
from vision.rules.kinds import KINDS

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 15.0
"""How often a screen without a case asks for one though nothing was told."""

M = TypeVar("M", bound=BaseModel)


class CaseScreen(Element, component="../screen/case_desk.js", esm=SCREEN_PARTS):
    """The screen in the browser; see ``screen/case_desk.js``."""

    def __init__(self, visit: Visit) -> None:
        super().__init__()
        say = visit.say
        self.props["texts"] = say.part("desk.")
        self.props["states"] = say.part("state.")
        self.props["kinds"] = {kind: say.kind(kind) for kind in KINDS}
        self.props["reasons"] = reject_reasons(say)
        self.props["timezone"] = visit.service.settings.timezone
        self.props["language"] = say.language.value
        self.props["may-open"] = visit.may(Role.SUPERVISOR)


class _LetGo(BaseModel):
    model_config = ConfigDict(extra="forbid")

    ids: list[CaseId] = Field(max_length=200)


async def build(visit: Visit) -> None:
    """Put the case screen on the page; ``?kind=``, ``?camera=`` and ``?zone=`` narrow it."""
    query = context.client.request.query_params
    kinds = tuple(kind for kind in query.getlist("kind") if kind in KINDS)
    wanted = Wanted(kinds, query.get("camera") or None, query.get("zone") or None)
    client = context.client
    desk = Desk(visit, wanted, is_there=lambda: client.has_socket_connection)
    screen = CaseScreen(visit)
    told = _Told(desk, screen, query.get("case"))
    context.client.on_delete(visit.feed.listen(told.hear))
    regularly(LOOK_AGAIN_S, told.look_again)


class _Told:
    """Takes in what the browser tells, one after the other, and answers."""

    def __init__(self, desk: Desk, screen: CaseScreen, first: str | None) -> None:
        self._desk = desk
        self._screen = screen
        self._first = first
        self._turn = asyncio.Lock()
        self._client = client = context.client
        client.on_connect(self._begin)
        client.on_delete(self._end)
        self._on("decide", DecisionMessage, self._decide)
        self._on("undo", CaseMessage, self._undo)
        self._on("pass", CaseMessage, self._pass)
        self._on("alike", CaseMessage, self._alike)
        self._on("let_go", _LetGo, self._let_go)
        self._on("original", OriginalMessage, self._original)
        self._screen.on("active", self._active, [])

    def _on(self, event: str, form: type[M], act: Callable[[M], Awaitable[None]]) -> None:
        async def told(arguments: GenericEventArguments) -> None:
            try:
                message = form.model_validate(arguments.args)
            except ValidationError:
                ui.notify(self._desk.visit.say("desk.fault_invalid"), type="negative")
                return
            async with self._turn:
                await act(message)

        self._screen.on(event, told)

    async def _begin(self) -> None:
        async with self._turn:
            if self._first is not None:
                found = await run_in_threadpool(self._desk.take, self._first)
                self._first = None
                if isinstance(found, dict):
                    self._screen.run_method("receive", [found], 0)
                else:
                    self._screen.run_method("tellFault", found.word)
            await self._fill()

    async def hear(self, types: frozenset[str]) -> None:
        """Something happened: there may be more to review."""
        if types & {CASE_CREATED, CASE_CHANGED, CASE_RELEASED}:
            await self._top_up()

    async def look_again(self) -> None:
        """The claim of someone who went away ends by itself, and nothing tells of it."""
        if not self._desk.held:
            await self._top_up()

    async def _top_up(self) -> None:
        # A browser that is away keeps its page for a while; it takes no cases meanwhile.
        if self._client.has_socket_connection:
            async with self._turn:
                await self._fill(STANDBY)

    async def _end(self) -> None:
        async with self._turn:
            await run_in_threadpool(self._desk.close)

    async def _fill(self, enough: int = AHEAD) -> None:
        found, waiting = await run_in_threadpool(
            lambda: (self._desk.fill(enough), self._desk.waiting())
        )
        self._screen.run_method("receive", found, waiting)

    async def _decide(self, message: DecisionMessage) -> None:
        try:
            fault = await run_in_threadpool(self._desk.decide, message)
        except SQLAlchemyError:
            log.exception("a decision was not kept")
            self._screen.run_method("refused", message.id, "failed", None)
            return
        if fault is not None:
            self._screen.run_method("refused", message.id, fault.word, fault.case)
        await self._fill()

    async def _undo(self, message: CaseMessage) -> None:
        found = await run_in_threadpool(self._desk.undo, message)
        if isinstance(found, Fault):
            self._screen.run_method("undone", None, found.word)
        else:
            self._screen.run_method("undone", found, None)

    async def _pass(self, message: CaseMessage) -> None:
        await run_in_threadpool(self._desk.pass_over, message)
        await self._fill()

    async def _alike(self, message: CaseMessage) -> None:
        self._screen.run_method("showAlike", await run_in_threadpool(self._desk.alike, message))

    async def _let_go(self, message: _LetGo) -> None:
        await run_in_threadpool(self._desk.let_go, message.ids)

    async def _original(self, message: OriginalMessage) -> None:
        path = await run_in_threadpool(self._desk.original, message)
        self._screen.run_method("showOriginal", message.role, path)

    async def _active(self) -> None:
        async with self._turn:
            await run_in_threadpool(self._desk.renew)


def reject_reasons(say: Wording) -> list[dict[str, Any]]:
    """Reasons to reject, with their keys."""
    is_chinese = say.language is Language.ZH
    return [
        {"id": one.id, "key": one.key, "name": one.zh if is_chinese else one.en}
        for one in REASONS.values()
    ]


PAGE = Page("/review", "review", "fact_check", Role.REVIEWER, build, is_wide=True)
