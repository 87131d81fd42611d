"""Coming in and going out: log in, make the first admin, log out.

These are plain forms, sent by the browser itself: a cookie that scripts cannot read can be set
by an answer alone.
"""

from __future__ import annotations

import hmac
import math
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from nicegui import context, ui
from starlette.concurrency import run_in_threadpool

from service import audit
from service.api.account import refuse_other_origins, set_login_cookie
from service.api.security import COOKIE, Origin, TheService, service_of
from service.auth import logins
from service.auth.first_run import FirstRunError, make_first_admin
from service.auth.logins import LoggedIn, log_in
from service.auth.passwords import PasswordError
from service.auth.users import UserError, any_user
from service.context import Service
from service.review.elements import icon, tag
from service.review.page import BASE
from service.review.shell import (
    LANGUAGE_COOKIE,
    LOG_OUT,
    LOGIN,
    SET_UP,
    bare,
    language_of,
    visit_of,
)
from service.review.wording import Language, Wording, wording

router = APIRouter(include_in_schema=False)

FAULTS = ("wrong", "locked", "token", "name", "password", "oidc", "oidc_away")
_YEAR_S = 365 * 24 * 3600
_Field = Annotated[str, Form(max_length=256)]


def add_entry_pages() -> None:
    """Make the pages reachable that nobody needs to be logged in for."""
    ui.page(LOGIN.removeprefix(BASE))(_login_page)
    ui.page(SET_UP.removeprefix(BASE))(_set_up_page)


async def _login_page(request: Request) -> Response | None:
    service = service_of(request)
    if await run_in_threadpool(visit_of, request) is not None:
        return RedirectResponse(f"{BASE}/", 303)
    if not await run_in_threadpool(_has_users, service):
        return RedirectResponse(SET_UP, 303)
    say = wording(language_of(request))
    bare(context.client, say, say("login.title"))
    with _card(say, say("login.title")):
        _fault(say, request)
        with _form(LOGIN, back=request.query_params.get("back", "")):
            _field(say("login.name"), "name", autocomplete="username", autofocus=True)
            _field(say("login.password"), "password", autocomplete="current-password")
            tag("button", say("login.submit"), classes="jx-primary", type="submit")
        if service.oidc is not None:
            tag(
                "a",
                say("login.oidc"),
                classes="jx-secondary",
                href="/api/v1/session/oidc",
            )
    return None


async def _set_up_page(request: Request) -> Response | None:
    service = service_of(request)
    if await run_in_threadpool(_has_users, service):
        return RedirectResponse(LOGIN, 303)
    say = wording(language_of(request))
    bare(context.client, say, say("set_up.title"))
    with _card(say, say("set_up.title")):
        tag("p", say("set_up.hint"), classes="jx-hint")
        _fault(say, request)
        with _form(SET_UP):
            _field(say("set_up.token"), "token", autocomplete="one-time-code", autofocus=True)
            _field(say("login.name"), "name", autocomplete="username")
            _field(say("set_up.password"), "password", autocomplete="new-password")
            tag("button", say("set_up.submit"), classes="jx-primary", type="submit")
    return None


@router.post(LOGIN.removeprefix(BASE))
def send_login(
    request: Request,
    service: TheService,
    origin: Origin,
    name: _Field = "",
    password: _Field = "",
    back: _Field = "",
) -> RedirectResponse:
    """Log in by name and password."""
    refuse_other_origins(request, service)
    outcome = log_in(
        service.database,
        name[:64],
        password,
        origin=origin,
        now=service.clock(),
        times=service.login_times,
    )
    if isinstance(outcome, LoggedIn):
        return _let_in(outcome, service, back)
    if outcome.wait is not None:
        wait_s = math.ceil(outcome.wait.total_seconds())
        return _again(LOGIN, "locked", wait=wait_s, back=back)
    return _again(LOGIN, "wrong", back=back)


@router.post(SET_UP.removeprefix(BASE))
def send_set_up(
    request: Request,
    service: TheService,
    origin: Origin,
    token: _Field = "",
    name: _Field = "",
    password: _Field = "",
) -> RedirectResponse:
    """Make the first admin, and log in."""
    refuse_other_origins(request, service)
    now = service.clock()
    try:
        with service.database.write() as session:
            user = make_first_admin(session, token, name, password, now)
            actor = f"user:{user.name}"
            audit.write(session, now, origin, actor, "user.created", subject=actor)
            login = logins.begin_login(
                session, user, origin=origin, now=now, times=service.login_times
            )
    except FirstRunError:
        return _again(SET_UP, "token")
    except UserError:
        return _again(SET_UP, "name")
    except PasswordError:
        return _again(SET_UP, "password")
    return _let_in(login, service, "")


@router.post(LOG_OUT.removeprefix(BASE))
def send_log_out(
    request: Request, service: TheService, origin: Origin, csrf: _Field = ""
) -> RedirectResponse:
    """Log out."""
    visit = visit_of(request)
    answer = RedirectResponse(LOGIN, 303)
    if visit is None:
        return answer
    who = visit.principal
    assert who.session is not None
    if not hmac.compare_digest(csrf.encode(), (who.csrf_token or "").encode()):
        return RedirectResponse(f"{BASE}/", 303)
    with service.database.write() as session:
        logins.log_out(session, who.session)
        audit.write(session, service.clock(), origin, who.actor, "logout", subject=who.actor)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@router.get("/language/{language}")
def choose_language(language: Language, service: TheService) -> RedirectResponse:
    """Read the page to log in in another language."""
    answer = RedirectResponse(LOGIN, 303)
    answer.set_cookie(
        LANGUAGE_COOKIE,
        language.value,
        max_age=_YEAR_S,
        path=BASE,
        secure=service.settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return answer


def _has_users(service: Service) -> bool:
    with service.database.read() as session:
        return any_user(session)


def _let_in(login: LoggedIn, service: Service, back: str) -> RedirectResponse:
    # Only a path of our own: nobody is sent elsewhere after they logged in.
    inside = back.startswith("/") and not back.startswith(("//", "/\\"))
    answer = RedirectResponse(f"{BASE}{back if inside else '/'}", 303)
    set_login_cookie(login, answer, service)
    return answer


def _again(page: str, fault: str, *, wait: int | None = None, back: str = "") -> RedirectResponse:
    told = {"fault": fault, "wait": wait, "back": back}
    query = urlencode({key: value for key, value in told.items() if value})
    return RedirectResponse(f"{page}?{query}", 303)


def _card(say: Wording, title: str) -> ui.element:
    context.client.content.classes("jx-entry")
    with tag("main", classes="jx-card"):
        with tag("div", classes="jx-entry-head"):
            tag("span", say("shell.name"), classes="jx-entry-name")
            other = Language.EN if say.language is Language.ZH else Language.ZH
            with tag("a", classes="jx-tool", href=f"{BASE}/language/{other.value}"):
                icon("translate")
                tag("span", say("shell.language"))
        tag("h1", title, classes="jx-entry-title")
        return tag("div")


def _form(action: str, **hidden: str) -> ui.element:
    form = tag("form", classes="jx-form", method="post", action=action)
    with form:
        for name, value in hidden.items():
            tag("input", type="hidden", name=name, value=value)
    return form


def _field(label: str, name: str, *, autocomplete: str, autofocus: bool = False) -> None:
    with tag("label", classes="jx-field"):
        tag("span", label)
        field = tag(
            "input",
            name=name,
            type="password" if name == "password" else "text",
            autocomplete=autocomplete,
            required=True,
            maxlength="256",
            autocapitalize="none",
            spellcheck="false",
        )
        if autofocus:
            field.props["autofocus"] = True


def _fault(say: Wording, request: Request) -> None:
    fault = request.query_params.get("fault")
    if fault not in FAULTS:
        return
    wait = request.query_params.get("wait", "")
    seconds = wait if wait.isdecimal() and len(wait) < 6 else "30"
    text = say("fault.locked", seconds=seconds) if fault == "locked" else say(f"fault.{fault}")
    tag("p", text, classes="jx-fault", role="alert")
