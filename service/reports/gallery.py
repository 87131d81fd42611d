"""Before and after: places that a camera looked at again, with their masked pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from service import audit
from service.evidence.access import is_shown
from service.evidence.files import EvidenceFiles
from service.reports.window import Window
from service.store.tables import CaseRow, EvidenceRow, VerificationRow

MOST = 24
"""So many places are shown, the newest first."""
MOST_PRINTED = 12
PRINTED_WIDTH = 480
"""Width in pixels of a picture in a printed page."""
PRINTED_BYTES = 60_000
"""A picture in a printed page takes no more."""


@dataclass(frozen=True)
class LookedAgain:
    """One place before and after.

    Attributes:
        case_id: The case.
        kind: Its kind.
        camera_id: The camera.
        result: ``gone`` or ``still_there``.
        decided_at: When that was known.
        before: Masked picture from before.
        after: Masked picture from afterwards.
    """

    case_id: str
    kind: str
    camera_id: str
    result: str
    decided_at: datetime
    before: EvidenceRow
    after: EvidenceRow


@dataclass(frozen=True)
class PrintedPair:
    """One place before and after, in a page that asks nothing of the network.

    Attributes:
        place: The place.
        before: Small masked picture from before, as a ``data:`` URL.
        after: Small masked picture from afterwards.
    """

    place: LookedAgain
    before: str
    after: str


def looked_again(
    session: Session,
    window: Window,
    most: int,
    *,
    actor: str,
    origin: audit.Origin,
    now: datetime,
) -> list[LookedAgain]:
    """The newest places of a window of which there are two masked pictures.

    Args:
        session: A writing session: that pictures are shown is audited.
        window: When it was known how the place is.
        most: How many at most.
        actor: Who sees them.
        origin: Where they ask from.
        now: Aware wall-clock time.
    """
    query = (
        select(VerificationRow, CaseRow)
        .join(CaseRow, CaseRow.id == VerificationRow.case_id)
        .where(
            VerificationRow.result.in_(("gone", "still_there")),
            VerificationRow.decided_at >= window.start,
            VerificationRow.decided_at < window.end,
            VerificationRow.before_id.is_not(None),
            VerificationRow.after_id.is_not(None),
        )
        .order_by(VerificationRow.decided_at.desc(), VerificationRow.id)
        .limit(most)
    )
    found = []
    for row, case in session.execute(query).all():
        files = [session.get(EvidenceRow, id_) for id_ in (row.before_id, row.after_id)]
        shown = [one for one in files if one is not None and is_shown(one)]
        if len(shown) < 2 or row.result is None or row.decided_at is None:
            continue
        audit.write(
            session,
            now,
            origin,
            actor,
            "evidence.listed",
            subject=f"case:{case.id}",
            details={"evidence": [one.id for one in shown]},
        )
        before, after = shown
        found.append(
            LookedAgain(
                case.id, case.kind, case.camera_id, row.result, row.decided_at, before, after
            )
        )
    return found


def printed(places: Sequence[LookedAgain], files: EvidenceFiles) -> list[PrintedPair]:
    """Places with small pictures in the page itself; those whose pictures are lost are left out.

    Raises:
        EvidenceStoreError: The place of the evidence does not answer.
    """
    found = []
    for place in places:
        pictures = [_small(files, row) for row in (place.before, place.after)]
        before, after = pictures
        if before is not None and after is not None:
            found.append(PrintedPair(place, before, after))
    return found


def _small(files: EvidenceFiles, row: EvidenceRow) -> str | None:
    try:
        data = files.read(row.key)
    except FileNotFoundError:
        return None
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    height, width = image.shape[:2]
    if width > PRINTED_WIDTH:
        size = (PRINTED_WIDTH, max(1, round(height * PRINTED_WIDTH / width)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    for quality in (75, 50, 25):
        _, encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
        if encoded.size <= PRINTED_BYTES:
            return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
    return None
