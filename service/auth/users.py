"""Users: made, changed, disabled; never deleted, for the audit and the history name them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from service.auth.passwords import check_fitness, hash_password
from service.store.tables import Role, SessionRow, UserRow
from vision.errors import JiexuError

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")


class UserError(JiexuError):
    """A user cannot be made or changed in this way; the text says why."""


def user_name(text: str) -> str:
    """The form in which names are kept.

    Raises:
        UserError: It is no name.
    """
    name = text.strip().lower()
    if _NAME.fullmatch(name) is None:
        raise UserError("a user name has 2 to 64 of: a-z 0-9 . _ @ -")
    return name


def add_user(
    session: Session,
    name: str,
    role: Role,
    now: datetime,
    *,
    password: str | None = None,
    display_name: str = "",
    issuer: str | None = None,
    subject: str | None = None,
) -> UserRow:
    """Make a user, who logs in with a password or at an OpenID provider.

    Raises:
        UserError: The name is no name or is taken.
        PasswordError: The password is not fit to be used.
    """
    name = user_name(name)
    if find_user(session, name) is not None:
        raise UserError(f"there is a user {name} already")
    if password is not None:
        check_fitness(password, name)
    user = UserRow(
        id=str(uuid.uuid4()),
        name=name,
        display_name=display_name or name,
        role=role,
        password_hash=None if password is None else hash_password(password),
        issuer=issuer,
        subject=subject,
        created_at=now,
    )
    session.add(user)
    session.flush()
    return user


def find_user(session: Session, name: str) -> UserRow | None:
    """The user of a name."""
    return session.scalar(select(UserRow).where(UserRow.name == name.strip().lower()))


def users(session: Session) -> Sequence[UserRow]:
    """All users by name."""
    return session.scalars(select(UserRow).order_by(UserRow.name)).all()


def any_user(session: Session) -> bool:
    """Whether there is any user."""
    return session.scalar(select(UserRow.id).limit(1)) is not None


def set_role(session: Session, user: UserRow, role: Role) -> None:
    """Change what a user may do.

    Raises:
        UserError: Nobody would be left to administer.
    """
    if role is not Role.ADMIN:
        _keep_an_admin(session, user)
    user.role = role


def set_password(session: Session, user: UserRow, password: str) -> None:
    """Give a user another password, and end all their logins.

    Raises:
        PasswordError: It is not fit to be used.
    """
    check_fitness(password, user.name)
    user.password_hash = hash_password(password)
    end_logins(session, user)


def disable(session: Session, user: UserRow, now: datetime) -> None:
    """Let a user in no more, and end all their logins.

    Raises:
        UserError: Nobody would be left to administer.
    """
    _keep_an_admin(session, user)
    user.disabled_at = user.disabled_at or now
    end_logins(session, user)


def enable(user: UserRow) -> None:
    """Let a user in again."""
    user.disabled_at = None


def end_logins(session: Session, user: UserRow) -> None:
    """End all logins of a user."""
    session.execute(delete(SessionRow).where(SessionRow.user_id == user.id))


def _keep_an_admin(session: Session, user: UserRow) -> None:
    others = select(func.count()).where(
        UserRow.role == Role.ADMIN, UserRow.disabled_at.is_(None), UserRow.id != user.id
    )
    if user.role == Role.ADMIN and user.disabled_at is None and not session.scalar(others):
        raise UserError(f"{user.name} is the only admin")
