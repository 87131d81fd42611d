"""What is around every page: who may see it, navigation, language, light and dark."""

from __future__ import annotations

import copy
import logging
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import Client, context, ui
from starlette.concurrency import run_in_threadpool

from service.api.security import COOKIE, origin_of, service_of
from service.auth import logins
from service.review.elements import icon, icon_button, tag
from service.review.page import BASE, Page
from service.review.preferences import Preferences, load_preferences, save_preferences
from service.review.visit import LoggedOutError, NotAllowedError, Visit
from service.review.wording import Language, Wording, language_wished, wording
from service.store.tables import Role

log = logging.getLogger(__name__)

LOGIN = f"{BASE}/login"
SET_UP = f"{BASE}/set-up"
LOG_OUT = f"{BASE}/log-out"
LANGUAGE_COOKIE = "jiexu_language"
STATIC = f"{BASE}/static"

_HEAD = "".join(
    f'<link rel="stylesheet" href="{STATIC}/{name}.css">'
    for name in ("theme", "screen", "supervision")
)


def add_page(page: Page, pages: Sequence[Page]) -> None:
    """Make a page reachable, with the shell around it.

    Args:
        page: The page.
        pages: All pages, for the navigation.
    """

    async def show(request: Request) -> Response | None:
        visit = await run_in_threadpool(visit_of, request)
        if visit is None:
            return RedirectResponse(f"{LOGIN}?back={quote(page.path)}", 303)
        client = context.client
        _dress(client, visit.say, visit.preferences, visit.say(f"page.{page.name}"))
        client.on_exception(_on_exception(visit))
        if not visit.may(page.role):
            with _frame(visit, page, pages):
                ui.label(visit.say("shell.not_allowed")).classes("jx-empty")
            client.status_code = 403
            return None
        with _frame(visit, page, pages):
            await page.build(visit)
        return None

    ui.page(page.path, response_timeout=20)(show)


def visit_of(request: Request) -> Visit | None:
    """The visit that a request begins, ``None`` if nobody is logged in. It asks the database."""
    service = service_of(request)
    token = request.cookies.get(COOKIE)
    if token is None:
        return None
    principal = logins.who(service.database, token, service.clock(), service.login_times)
    if principal is None or principal.user_id is None:
        return None
    with service.database.read() as session:
        preferences = load_preferences(session, principal.user_id)
    say = wording(preferences.language or language_of(request))
    feed, desks = request.app.state.feed, request.app.state.desks
    return Visit(service, token, principal, preferences, say, origin_of(request), feed, desks)


def language_of(request: Request) -> Language:
    """The language of someone who has not chosen one as a user."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in set(Language):
        return Language(chosen)
    return language_wished(request.headers.get("accept-language"))


def bare(client: Client, say: Wording, title: str) -> None:
    """Prepare a page without the shell, such as the one to log in."""
    _dress(client, say, Preferences(), title)


def _dress(client: Client, say: Wording, preferences: Preferences, title: str) -> None:
    client.page = copy.copy(client.page)
    client.page.language = say.language.value
    client.page.dark = {"light": False, "dark": True, "auto": None}[preferences.theme]
    client.title = f"{title} · {say('shell.name')}"
    ui.add_head_html(_HEAD)
    # Quasar's page is a landmark around header and navigation too; ours holds the page alone.
    around = client.content.parent_slot
    assert around is not None
    around.parent.tag = "div"
    ui.colors(primary="#0b6e99", positive="#2b8a3e", negative="#c92a2a", warning="#b35c00")


def _frame(visit: Visit, page: Page, pages: Sequence[Page]) -> ui.element:
    """Header and navigation; what is built inside of the answer is the page's own.

    Returns:
        The element that holds the page.
    """
    say = visit.say
    context.client.content.classes("jx-content")
    tag("a", say("shell.skip"), classes="jx-skip", href="#page")
    with tag("header", classes="jx-header"):
        tag("a", say("shell.name"), classes="jx-brand", href=f"{BASE}/")
        tag("h1", say(f"page.{page.name}"), classes="jx-title")
        _tools(visit)
    with tag("nav", classes="jx-rail", aria_label=say("shell.navigation")):
        for one in pages:
            if not one.in_navigation or not visit.may(one.role):
                continue
            link = tag("a", classes="jx-link", href=one.address)
            if one is page:
                link.props["aria-current"] = "page"
            elif one.path == page.below:
                link.props["aria-current"] = "true"
            with link:
                icon(one.icon)
                tag("span", say(f"page.{one.name}"))
    width = "jx-main jx-wide" if page.is_wide else "jx-main"
    return tag("main", classes=width, id="page", tabindex="-1")


def _tools(visit: Visit) -> None:
    say = visit.say
    other = Language.EN if say.language is Language.ZH else Language.ZH
    themes = {
        "light": ("light_mode", "dark"),
        "dark": ("dark_mode", "auto"),
        "auto": ("brightness_auto", "light"),
    }
    shown, following = themes[visit.preferences.theme]
    assert visit.principal.role is not None
    with tag("div", classes="jx-tools"):
        icon_button("translate", say("shell.language"), _changing(visit, {"language": other}))
        icon_button(shown, say(f"shell.theme_{following}"), _changing(visit, {"theme": following}))
        with tag("span", classes="jx-user"):
            tag("span", visit.principal.actor.removeprefix("user:"))
            tag("span", say(f"role.{visit.principal.role.value}"), classes="jx-role")
        with tag("form", method="post", action=LOG_OUT):
            tag("input", type="hidden", name="csrf", value=visit.principal.csrf_token or "")
            icon_button("logout", say("shell.log_out"))


def _changing(visit: Visit, change: dict[str, object]) -> Callable[[], Awaitable[None]]:
    """Keeps another choice of the user and shows the page anew."""
    user_id = visit.principal.user_id
    assert user_id is not None

    def save() -> None:
        with visit.service.database.write() as session:
            chosen = load_preferences(session, user_id).model_copy(update=change)
            save_preferences(session, user_id, chosen, visit.service.clock())

    async def act() -> None:
        await visit.ask(Role.VIEWER, save)
        ui.navigate.reload()

    return act


def _on_exception(visit: Visit) -> Callable[[Exception], None]:
    """What someone sees when something failed in an open page."""

    def show(error: Exception) -> None:
        if isinstance(error, LoggedOutError):
            ui.navigate.to(LOGIN.removeprefix(BASE))
        elif isinstance(error, NotAllowedError):
            ui.notify(visit.say("shell.not_allowed"), type="negative")
        else:
            log.error("unexpected in a page", exc_info=error)
            ui.notify(visit.say("shell.failed"), type="negative")

    return show
