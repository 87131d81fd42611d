"""One open page of one user: who it is, what they may do, and in which language they read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

from service import audit
from service.auth import logins
from service.auth.principal import Principal
from service.context import Service
from service.review.desks import Desks
from service.review.feed import Feed
from service.review.preferences import Preferences
from service.review.wording import Wording
from service.store.tables import Role
from vision.errors import JiexuError

P = ParamSpec("P")
R = TypeVar("R")


class LoggedOutError(JiexuError):
    """The login that opened the page holds no more."""


class NotAllowedError(JiexuError):
    """The user may not do this, or not any more."""


@dataclass(frozen=True)
class Visit:
    """An open page.

    A page stays open long after it was asked for, so what happens in it is allowed anew each
    time: a login may have ended, a user may have been disabled or given another role.

    Attributes:
        service: The service.
        token: The cookie's token.
        principal: Who opened the page.
        preferences: How they like it.
        say: The texts of their language.
        origin: Where the page was asked for from, for the audit.
        feed: Tells what happens while the page is open.
        desks: What reviewers have open.
    """

    service: Service
    token: str
    principal: Principal
    preferences: Preferences
    say: Wording
    origin: audit.Origin
    feed: Feed
    desks: Desks

    def may(self, role: Role) -> bool:
        """Whether the user had at least this role when the page was opened."""
        return self.principal.may(role, None)

    def allow(self, role: Role) -> Principal:
        """Who acts now. Call it outside of the event loop: it asks the database.

        Raises:
            LoggedOutError: The login is over.
            NotAllowedError: They have not at least this role any more.
        """
        found = logins.who(
            self.service.database, self.token, self.service.clock(), self.service.login_times
        )
        if found is None:
            raise LoggedOutError("the login is over")
        if not found.may(role, None):
            raise NotAllowedError("this needs other rights")
        return found

    async def ask(self, role: Role, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do something that takes a while, in a thread, if the user may do it now.

        Raises:
            LoggedOutError: The login is over.
            NotAllowedError: They have not at least this role any more.
        """

        def allowed() -> R:
            self.allow(role)
            return work(*args, **kwargs)

        return await run_in_threadpool(allowed)
