"""The first admin: made by whoever can read a file on the server, with no password given out."""

from __future__ import annotations

import hmac
import os
import secrets
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from service.auth.tokens import digest_of
from service.auth.users import add_user, any_user
from service.store.database import Database
from service.store.tables import Role, SettingRow, UserRow
from vision.errors import JiexuError

SETTING = "first_run"
TOKEN_FILE = "first-run-token"  # noqa: S105 - name of a file


class FirstRunError(JiexuError):
    """The first admin cannot be made in this way; the text says why."""


def offer_token(database: Database, folder: Path, now: datetime) -> Path | None:
    """While there is no user, write a one-time token to a file that its owner alone may read.

    Returns:
        The file, or ``None`` when there are users: then the file is taken away.
    """
    path = folder / TOKEN_FILE
    with database.write() as session:
        if any_user(session):
            path.unlink(missing_ok=True)
            return None
        token = secrets.token_urlsafe(24)
        row = session.get(SettingRow, SETTING)
        if row is None:
            session.add(SettingRow(name=SETTING, document=_document(token), updated_at=now))
        else:
            row.document, row.updated_at = _document(token), now
    folder.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token + "\n")
    return path


def make_first_admin(
    session: Session, token: str, name: str, password: str, now: datetime
) -> UserRow:
    """Make the first admin; the token is used up.

    Raises:
        FirstRunError: There are users already, or the token is wrong.
        UserError: The name is no name.
        PasswordError: The password is not fit to be used.
    """
    row = session.get(SettingRow, SETTING, with_for_update=True)
    if any_user(session) or row is None:
        raise FirstRunError("there are users already")
    if not hmac.compare_digest(row.document["sha256"], _document(token)["sha256"]):
        raise FirstRunError("the token is not the one in the file")
    user = add_user(session, name, Role.ADMIN, now, password=password)
    session.delete(row)
    return user


def _document(token: str) -> dict[str, str]:
    return {"sha256": digest_of(token.strip())}
