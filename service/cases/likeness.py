"""Whether candidates look alike, so that one decision may do for several.

Kind and zone say that two candidates may be of one sort, not that they are: beside the heap stands
a skip. Each violation is kept with a signature of how its thing looked when it was raised
(:mod:`vision.observe.appearance`); signatures taken in the same light are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.store.tables import CaseRow, ViolationRow
from vision.looking.signing import light_of, signature
from vision.observe.appearance import OTHER_DISTANCE, SAME_DISTANCE, distance
from vision.rules.kinds import KINDS

ALIKE = 40
"""So many candidates are offered to be decided at once."""


class Looks(StrEnum):
    """How a candidate looks beside another one."""

    SAME = "same"
    UNSURE = "unsure"
    UNKNOWN = "unknown"
    """They cannot be compared: another light, no picture, or a kind that is no thing."""
    OTHER = "other"


@dataclass(frozen=True)
class Alike:
    """A candidate beside another one.

    Attributes:
        case: The candidate.
        looks: How it looks.
        distance: How unlike they look, 0 to 1; ``None`` where they cannot be compared.
    """

    case: CaseRow
    looks: Looks
    distance: float | None


def signature_of(data: bytes, box: Sequence[float]) -> bytes | None:
    """Signature of what is in a box of a picture.

    Args:
        data: The picture as a file, without drawings.
        box: ``x1, y1, x2, y2`` in its pixels.

    Returns:
        ``None`` where it cannot be read, or too little of the box is in it.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    image = image.astype(np.uint8, copy=False)
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    x1, y1, x2, y2 = box
    return signature(grey, (x1, y1, x2, y2), light_of(image))


def compared(kind: str, one: bytes | None, other: bytes | None) -> tuple[Looks, float | None]:
    """How two things of a kind look beside each other, and how unlike they are."""
    known = KINDS.get(kind)
    if one is None or other is None or (known is not None and known.extent == "zone"):
        return Looks.UNKNOWN, None
    apart = distance(one, other)
    if apart is None:
        return Looks.UNKNOWN, None
    if apart <= SAME_DISTANCE:
        return Looks.SAME, apart
    return (Looks.OTHER if apart >= OTHER_DISTANCE else Looks.UNSURE), apart


def alike(session: Session, shown: CaseRow) -> list[Alike]:
    """A case, and the other candidates of its kind in its zone: those that look like it first.

    Within one look, the newest come first.
    """
    query = (
        select(CaseRow, ViolationRow.appearance)
        .join(ViolationRow, ViolationRow.id == CaseRow.id)
        .where(
            CaseRow.camera_id == shown.camera_id,
            CaseRow.zone_id == shown.zone_id,
            CaseRow.kind == shown.kind,
            CaseRow.queue_at.is_not(None),
            CaseRow.id != shown.id,
        )
        .order_by(CaseRow.raised_at.desc())
        .limit(ALIKE - 1)
    )
    mine = session.scalar(select(ViolationRow.appearance).where(ViolationRow.id == shown.id))
    others = [
        Alike(case, *compared(shown.kind, mine, theirs)) for case, theirs in session.execute(query)
    ]
    order = list(Looks)
    others.sort(key=lambda one: order.index(one.looks))
    return [Alike(shown, Looks.SAME, 0.0), *others]
