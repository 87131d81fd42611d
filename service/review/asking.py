"""Dialogs and forms: what is asked of someone, and why it was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nicegui import context, ui
from pydantic import ValidationError

from service.api.problem import Problem, faults_of
from service.auth.passwords import PasswordError
from service.auth.users import UserError
from service.review.elements import tag
from service.review.visit import LoggedOutError, NotAllowedError, Visit
from service.review.wording import Wording
from vision.errors import JiexuError


@dataclass(frozen=True)
class Asked:
    """An open dialog.

    Attributes:
        dialog: The dialog.
        fault: Where it says why something was refused.
        form: Its form; fields belong in here.
        buttons: The row of its buttons.
    """

    dialog: ui.dialog
    fault: ui.label
    form: ui.element
    buttons: ui.element


def ask(
    visit: Visit,
    title: str,
    submit: str,
    send: Callable[[], Awaitable[None]],
    *,
    is_grave: bool = False,
    may_cancel: bool = True,
) -> Asked:
    """Make a dialog with a form, which is sent by its button or the enter key.

    Args:
        visit: The open page.
        title: What it is about.
        submit: Text of the button that sends it.
        send: Is called when it is sent.
        is_grave: Whether it takes something away.
        may_cancel: Whether it can be left without sending it.
    """
    # At the top of the page: it outlives the row or dialog that it was opened from.
    with context.client.content, ui.dialog() as dialog, tag("div", classes="jx-dialog"):
        dialog.props["aria-label"] = title
        dialog.props["persistent"] = not may_cancel
        dialog.on("hide", dialog.delete, [])
        tag("h2", title)
        fault = ui.label().classes("jx-fault").props("role=alert")
        fault.visible = False
        with tag("form", classes="jx-form", autocomplete="off").on("submit.prevent", send, []):
            form = tag("div", classes="jx-form")
            with tag("div", classes="jx-buttons") as buttons:
                if may_cancel:
                    button(visit.say("ask.cancel"), dialog.close)
                kind = "jx-primary jx-grave" if is_grave else "jx-primary"
                tag("button", submit, classes=kind, type="submit")
    return Asked(dialog, fault, form, buttons)


def button(text: str, act: Callable[[], object], *, classes: str = "jx-quiet") -> ui.element:
    """A button with a text."""
    return tag("button", text, classes=classes, type="button").on("click", act, [])


@contextmanager
def refusals(visit: Visit, fault: ui.label) -> Iterator[None]:
    """Whatever is refused inside is told where ``fault`` stands; the page goes on."""
    fault.visible = False
    try:
        yield
    except (LoggedOutError, NotAllowedError):
        raise
    except (Problem, JiexuError, ValidationError) as error:
        fault.text = reason_of(visit.say, error)
        fault.visible = True


def reason_of(say: Wording, error: Exception) -> str:
    """Why something was refused, in the language of the page where it knows the reason."""
    if isinstance(error, PasswordError):
        return say("fault.password")
    if isinstance(error, UserError):
        return say("fault.name")
    if isinstance(error, ValidationError):
        return "; ".join(f"{one.field}: {one.message}" for one in faults_of(error.errors()))
    if isinstance(error, Problem):
        return say.part("refused.").get(error.kind, error.detail)
    return str(error)
