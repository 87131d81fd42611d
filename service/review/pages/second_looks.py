"""What cameras could not settle by looking again, with pictures, answered by key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from nicegui import context, ui
from nicegui.events import KeyEventArguments

from service.api import verifications as verifications_api
from service.api.middleware import PREFIX
from service.api.verifications import AnswerForm
from service.cases.questions import Answer, open_questions
from service.cases.verification import HANDLED
from service.evidence.access import is_shown, link_to
from service.live import Snapshot
from service.review.asking import Asked, ask, button, refusals
from service.review.brief import brief_of
from service.review.elements import tag
from service.review.page import Page
from service.review.pictures import boxed_picture, first_shown, kind_dot
from service.review.queue_tabs import QUESTIONS, Waiting, tabs, waiting
from service.review.repainted import Repainted
from service.review.visit import Visit
from service.review.words import age, moment
from service.store.cameras import camera_names
from service.store.tables import CaseRow, EvidenceRow, Role, VerificationRow

SHOWN = 100
"""So many questions are listed, the longest asked first."""

_KEYS: dict[str, Answer] = {"g": "gone", "t": "still_there"}


@dataclass(frozen=True)
class _Question:
    """A question in the list."""

    id: str
    case_id: str
    kind: str
    camera_id: str
    camera_name: str
    zone_id: str
    why: str
    result: str
    asked_at: datetime

    @property
    def text(self) -> str:
        """Key of the question in the texts."""
        if self.result == "gone":
            return "look.asks_rectified"
        return "look.asks_handled" if self.why == HANDLED else "look.asks_deadline"

    @property
    def side(self) -> str:
        """Whether the case was said to be handled; what an answer does depends on it."""
        return "handled" if self.why == HANDLED else "unhandled"


@dataclass(frozen=True)
class _Pictures:
    """What is shown of a question: a picture with its box, one from afterwards.

    Attributes:
        brief: The case.
        after: Link to the picture from afterwards.
        after_at: When that was taken.
        seen: Without it, the camera's newest picture, which is kept once the question is answered.
    """

    brief: dict[str, Any]
    after: str | None = None
    after_at: datetime | None = None
    seen: Snapshot | None = None


async def build(visit: Visit) -> None:
    """Put the questions on the page; the list follows what happens."""
    looks = _SecondLooks(visit, context.client.request.query_params.get("case"))
    context.client.on_delete(visit.feed.listen(looks.hear))
    await looks.build()


class _SecondLooks:
    def __init__(self, visit: Visit, case_id: str | None) -> None:
        self._visit = visit
        self._wanted = case_id
        self._questions: Sequence[_Question] = ()
        self._shown: _Question | None = None
        self._asked: Asked | None = None
        self._seen: Snapshot | None = None

    async def build(self) -> None:
        """Put the page together."""
        say = self._visit.say
        self._tabs = tag("div")
        with tag("div", classes="jx-looks"):
            place = tag("section", classes="jx-looks-list", aria_label=say("look.list"))
            detail = tag("section", classes="jx-looks-one", aria_label=say("look.one"))
        self._list = Repainted(place, self._read, self._draw)
        self._detail = Repainted(detail, self._read_one, self._draw_one)
        ui.keyboard(self._key, repeating=False, ignore=["input", "select", "textarea"])
        await self._refresh()

    async def hear(self, types: frozenset[str]) -> None:
        """Something happened: there may be other questions."""
        if any(one.startswith("case.") for one in types):
            await self._refresh()

    async def _refresh(self) -> None:
        await self._list.again()
        await self._detail_follows()

    async def _read(self) -> tuple[Sequence[_Question], Waiting]:
        return await self._visit.ask(Role.REVIEWER, _questions, self._visit)

    def _draw(self, found: tuple[Sequence[_Question], Waiting]) -> None:
        questions, counts = found
        say = self._visit.say
        self._questions = questions
        self._tabs.clear()
        with self._tabs:
            tabs(self._visit, QUESTIONS, counts)
        if not questions:
            tag("p", say("look.none"), classes="jx-empty")
            return
        chosen = self._chosen()
        now = self._visit.service.clock()
        with tag("ul"):
            for one in questions:
                with tag("li"):
                    row = tag("button", type="button", classes="jx-look", data_case=one.case_id)
                    row.on("click", lambda case_id=one.case_id: self._choose(case_id), [])
                    if one is chosen:
                        row.props["aria-current"] = "true"
                    with row:
                        with tag("span", classes="jx-look-head"):
                            kind_dot(one.kind)
                            tag("b", say.kind(one.kind))
                            waits_s = (now - one.asked_at).total_seconds()
                            tag("span", age(say, waits_s), classes="jx-soft")
                        tag("span", f"{one.camera_name} · {one.zone_id}", classes="jx-soft")
                        tag("span", say(one.text))

    def _chosen(self) -> _Question | None:
        """The question that is to be shown: the wanted one, that which is shown, else the first."""
        by_case = {one.case_id: one for one in self._questions}
        shown = None if self._shown is None else self._shown.case_id
        for case_id in (self._wanted, shown):
            if case_id in by_case:
                return by_case[case_id]
        return self._questions[0] if self._questions else None

    async def _choose(self, case_id: str) -> None:
        self._wanted = case_id
        ui.navigate.history.replace(f"{QUESTIONS}?case={case_id}")
        await self._refresh()

    async def _step(self, by: int) -> None:
        chosen = self._chosen()
        if chosen is not None:
            place = (self._questions.index(chosen) + by) % len(self._questions)
            await self._choose(self._questions[place].case_id)

    async def _detail_follows(self) -> None:
        if self._chosen() != self._shown:
            self._shown = self._chosen()
            await self._detail.again()

    async def _read_one(self) -> tuple[_Question, _Pictures] | None:
        one = self._shown
        if one is None:
            return None
        return one, await self._visit.ask(Role.REVIEWER, _pictures, self._visit, one)

    def _draw_one(self, found: tuple[_Question, _Pictures] | None) -> None:
        if found is None:
            return
        (one, pictures), say = found, self._visit.say
        self._seen = pictures.seen
        brief = pictures.brief
        with tag("div", classes="jx-look-title"):
            kind_dot(one.kind)
            tag("h2", say.kind(one.kind))
            tag("span", f"{one.camera_name} · {one.zone_id}", classes="jx-soft")
            tag("span", say.part("state.")[brief["state"]], classes="jx-state")
        tag("p", say(one.text), classes="jx-look-question")
        with tag("div", classes="jx-look-pair"):
            self._before(brief)
            self._after(one, pictures)
        with tag("div", classes="jx-actions jx-look-actions", role="group"):
            for key, said in _KEYS.items():
                tone = "good" if said == "gone" else "bad"
                self._act(key, say(f"look.{said}"), partial(self._ask, said), f" jx-act-{tone}")
            self._act("n", say("look.next"), partial(self._step, 1))
            self._act("p", say("look.previous"), partial(self._step, -1))

    def _act(self, key: str, text: str, act: Callable[[], object], tone: str = "") -> None:
        with button(text, act, classes=f"jx-act{tone}"):
            tag("kbd", key.upper())

    def _before(self, brief: dict[str, Any]) -> None:
        say = self._visit.say
        file = first_shown(brief, ("before", "scene"))
        with tag("figure"):
            tag("figcaption", f"{say('look.before')} · {self._moment(brief['last_seen_at'])}")
            if file is None:
                tag("p", say("look.no_picture"), classes="jx-look-none")
                return
            boxed_picture(brief, file, say("look.before"))

    def _after(self, one: _Question, pictures: _Pictures) -> None:
        say = self._visit.say
        with tag("figure"):
            if pictures.after is not None:
                at = "" if pictures.after_at is None else f" · {self._moment(pictures.after_at)}"
                tag("figcaption", f"{say('look.after')}{at}")
            else:
                tag("figcaption", say("look.now"))
            frame = tag("div", classes="jx-look-picture")
            with frame:
                source = pictures.after or f"{PREFIX}/cameras/{one.camera_id}/snapshot"
                shown = tag("img", src=source, alt=say("look.after"))

            def missing() -> None:
                frame.clear()
                with frame:
                    tag("p", say("look.no_picture_now"), classes="jx-look-none")

            shown.on("error", missing, [])

    def _moment(self, at: datetime | str) -> str:
        aware = datetime.fromisoformat(at) if isinstance(at, str) else at
        return moment(self._visit.say, aware, self._visit.service.settings.timezone)

    async def _key(self, event: KeyEventArguments) -> None:
        is_asking = self._asked is not None and self._asked.dialog.value
        held = event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta
        if not event.action.keydown or is_asking or held:
            return
        key = event.key.name.lower()
        if key in _KEYS:
            self._ask(_KEYS[key])
        elif key in ("n", "arrowdown"):
            await self._step(1)
        elif key in ("p", "arrowup"):
            await self._step(-1)

    def _ask(self, said: Answer) -> None:
        """Say what the answer does; Enter sends it."""
        one, say, seen = self._shown, self._visit.say, self._seen
        if one is None:
            return

        async def send() -> None:
            with refusals(self._visit, asked.fault):
                await self._visit.ask(
                    Role.REVIEWER,
                    verifications_api.answer_question,
                    self._visit.service,
                    one.id,
                    AnswerForm(result=said, remark=remark.value or None),
                    self._visit.principal,
                    seen,
                )
                asked.dialog.close()
                ui.notify(say("look.kept"), type="positive")
                await self._refresh()

        asked = ask(
            self._visit,
            f"{say.kind(one.kind)}, {one.camera_name}: {say(f'look.{said}')}",
            say(f"look.{said}"),
            send,
            is_grave=said == "still_there",
        )
        with asked.form:
            tag("p", say(f"look.does_{said}_{one.side}"), classes="jx-hint")
            remark = ui.input(say("look.remark")).props("outlined dense autofocus maxlength=500")
        self._asked = asked
        asked.dialog.open()


def _questions(visit: Visit) -> tuple[Sequence[_Question], Waiting]:
    with visit.service.database.read() as session:
        rows = open_questions(session, SHOWN)
        names = camera_names(session, {case.camera_id for _, case in rows})
        questions = [_question(row, case, names[case.camera_id]) for row, case in rows]
        return questions, waiting(session)


def _question(row: VerificationRow, case: CaseRow, camera_name: str) -> _Question:
    assert row.result is not None
    return _Question(
        id=row.id,
        case_id=case.id,
        kind=case.kind,
        camera_id=case.camera_id,
        camera_name=camera_name,
        zone_id=case.zone_id,
        why=row.why,
        result=row.result,
        asked_at=row.decided_at or row.begun_at,
    )


def _pictures(visit: Visit, one: _Question) -> _Pictures:
    """The masked pictures of a question; that they are shown is audited."""
    now = visit.service.clock()
    with visit.service.database.write() as session:
        case = session.get_one(CaseRow, one.case_id)
        brief = brief_of(session, case, visit, now)
        row = session.get_one(VerificationRow, one.id)
        after = None if row.after_id is None else session.get(EvidenceRow, row.after_id)
        if after is None or not is_shown(after):
            live = visit.service.live
            return _Pictures(brief, seen=None if live is None else live.snapshot(one.camera_id))
        link = link_to(visit.service, after, visit.principal.actor, now)
        return _Pictures(brief, link.path, after.taken_at)


PAGE = Page(
    "/second-looks",
    "second_looks",
    "visibility",
    Role.REVIEWER,
    build,
    in_navigation=False,
    below="/queue",
)
