"""How each user likes the page: language, and light or dark."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from service.review.wording import Language
from service.store.tables import SettingRow

Theme = Literal["light", "dark", "auto"]


class Preferences(BaseModel):
    """What a user has chosen.

    Attributes:
        language: Language of the page; ``None`` while the browser's holds.
        theme: Light, dark, or as the browser says.
    """

    model_config = ConfigDict(frozen=True)

    language: Language | None = None
    theme: Theme = "auto"


def load_preferences(session: Session, user_id: str) -> Preferences:
    """What a user has chosen."""
    row = session.get(SettingRow, _name(user_id))
    return Preferences() if row is None else Preferences.model_validate(row.document)


def save_preferences(
    session: Session, user_id: str, preferences: Preferences, now: datetime
) -> None:
    """Keep what a user has chosen."""
    document = preferences.model_dump(mode="json")
    row = session.get(SettingRow, _name(user_id), with_for_update=True)
    if row is None:
        session.add(SettingRow(name=_name(user_id), document=document, updated_at=now))
    else:
        row.document, row.updated_at = document, now
        row.version += 1


def _name(user_id: str) -> str:
    return f"page:{user_id}"
