"""Users: who may log in, and what they may do."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from nicegui import ui
from pydantic import SecretStr

from service.api import users as users_api
from service.api.users import UserBody, UserChange, UserForm
from service.review.asking import ask, button, refusals
from service.review.elements import icon, icon_button, tag
from service.review.local import local_time
from service.review.page import Page
from service.review.sheet import badge, row, sheet
from service.review.visit import Visit
from service.store.tables import Role

_PASSWORD_BYTES = 15


async def build(visit: Visit) -> None:
    """Put the list of users on the page."""
    say = visit.say

    @ui.refreshable
    async def listed() -> None:
        found = await visit.ask(Role.ADMIN, users_api.list_users, visit.service, visit.principal)
        heads = (say("users.name"), say("users.full_name"), say("users.role"), say("users.since"))
        with sheet(say("page.users"), (*heads, say("users.state"), "")):
            for user in found:
                _user(visit, user, listed.refresh)

    with tag("div", classes="jx-strip"):
        tag("p", say("users.hint"), classes="jx-hint")
        with button("", lambda: _make(visit, listed.refresh), classes="jx-primary"):
            icon("person_add")
            tag("span", say("users.new"))
    await listed()


def _user(visit: Visit, user: UserBody, changed: Callable[[], object]) -> None:
    say = visit.say
    role = say.part("role.")[user.role]
    since = local_time(visit.service, user.created_at)
    with row(user.name, user.display_name, role, since):
        with tag("td"):
            if user.disabled_at is None:
                badge(say("users.active"), "good")
            else:
                badge(say("users.disabled"), "bad")
        with tag("td", classes="jx-acts"):
            icon_button(
                "edit", say("users.edit", name=user.name), lambda: _change(visit, user, changed)
            )


def _make(visit: Visit, changed: Callable[[], object]) -> None:
    say = visit.say

    async def send() -> None:
        with refusals(visit, asked.fault):
            form = UserForm(
                name=name.value,
                display_name=full_name.value,
                role=Role(role.value),
                password=SecretStr(password.value),
            )
            await visit.ask(
                Role.ADMIN,
                users_api.create_user,
                form,
                visit.service,
                visit.principal,
                visit.origin,
            )
            asked.dialog.close()
            ui.notify(say("users.made", name=name.value), type="positive")
            changed()

    asked = ask(visit, say("users.new"), say("users.make"), send)
    with asked.form:
        name = ui.input(say("login.name")).props("outlined autofocus autocapitalize=none")
        full_name = ui.input(say("users.full_name")).props("outlined")
        role = _role(visit, Role.REVIEWER)
        password = _password(visit, say("set_up.password"))
    asked.dialog.open()


def _change(visit: Visit, user: UserBody, changed: Callable[[], object]) -> None:
    say = visit.say

    async def change(form: UserChange) -> None:
        with refusals(visit, asked.fault):
            if form.model_fields_set:
                await visit.ask(
                    Role.ADMIN,
                    users_api.change_user,
                    user.id,
                    form,
                    visit.service,
                    visit.principal,
                    visit.origin,
                )
            asked.dialog.close()
            ui.notify(say("users.changed", name=user.name), type="positive")
            changed()

    async def send() -> None:
        given: dict[str, object] = {}
        if role.value != user.role:
            given["role"] = role.value
        if password.value:
            given["password"] = password.value
        await change(UserChange.model_validate(given))

    async def turn() -> None:
        await change(UserChange(disabled=user.disabled_at is None))

    asked = ask(visit, say("users.edit", name=user.name), say("ask.save"), send)
    with asked.form:
        role = _role(visit, user.role)
        password = _password(visit, say("users.other_password"))
        tag("p", say("users.logins_end"), classes="jx-hint")
    with asked.buttons:
        if user.disabled_at is None:
            turning = button(say("users.disable"), turn, classes="jx-quiet jx-grave jx-first")
        else:
            turning = button(say("users.enable"), turn, classes="jx-quiet jx-first")
        turning.move(target_index=0)
    asked.dialog.open()


def _role(visit: Visit, chosen: Role) -> ui.radio:
    """What a user may do, one of all roles with what it means."""
    say = visit.say
    means = say.part("role_means.")
    names = {role.value: f"{say.part('role.')[role]}: {means[role]}" for role in Role}
    with tag("fieldset", classes="jx-options"):
        tag("legend", say("users.role"))
        return ui.radio(names, value=chosen.value).props("dense")


def _password(visit: Visit, label: str) -> ui.input:
    """A password, typed or made up; one that is made up is shown, to be passed on."""
    field = ui.input(label, password=True, password_toggle_button=True)
    field.props("outlined autocomplete=new-password maxlength=256")

    def make_up() -> None:
        field.value = secrets.token_urlsafe(_PASSWORD_BYTES)

    with field.add_slot("after"):
        icon_button("casino", visit.say("users.make_up"), make_up)
    return field


PAGE = Page("/users", "users", "group", Role.ADMIN, build)
