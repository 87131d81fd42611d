"""Types of fields and parameters that several routes share, and what a database can keep."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, AwareDatetime, PlainSerializer, StringConstraints

from service.api.problem import invalid
from service.cases.pages import Narrowing, Order
from service.store.tables import CaseState

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _sane(time: datetime) -> datetime:
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be between 1970 and 2200") from None
    if not _EARLIEST <= utc < _LATEST:
        raise ValueError("must be between 1970 and 2200")
    return utc


Time = Annotated[
    AwareDatetime,
    AfterValidator(_sane),
    PlainSerializer(lambda time: time.isoformat(timespec="milliseconds"), when_used="json"),
]
"""An instant with UTC offset."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text in one line."""

Name = Annotated[Text, StringConstraints(min_length=1, max_length=128)]
Word = Annotated[str, StringConstraints(max_length=128, pattern=r"^[\w.:@ -]+$")]

CameraId = Annotated[str, Path(max_length=128, pattern=r"^[\w.-]+$", description="Id of a camera")]
ZoneId = Annotated[str, Path(max_length=128, pattern=r"^[\w.-]+$", description="Id of a zone")]
Id = Annotated[str, Path(max_length=64, pattern=r"^[\w.-]+$")]


def narrowing_of(
    kind: Annotated[
        list[Word] | None, Query(max_length=16, description="Any of these kinds")
    ] = None,
    camera_id: Annotated[Word | None, Query()] = None,
    zone_id: Annotated[Word | None, Query(description="Needs camera_id")] = None,
    raised_from: Annotated[Time | None, Query(description="Raised then or later")] = None,
    raised_before: Annotated[Time | None, Query(description="Raised earlier")] = None,
    ongoing: Annotated[bool | None, Query(description="Whether it lasts still")] = None,
) -> Narrowing:
    """What a list of violations is narrowed to.

    Raises:
        Problem: A zone without its camera.
    """
    if zone_id is not None and camera_id is None:
        raise invalid("query.zone_id", "needs camera_id: zones of two cameras may be called alike")
    return Narrowing(
        kinds=tuple(dict.fromkeys(kind or ())),
        camera_id=camera_id,
        zone_id=zone_id,
        raised_from=raised_from,
        raised_before=raised_before,
        ongoing=ongoing,
    )


States = Annotated[list[CaseState] | None, Query(alias="state", max_length=16)]
InOrder = Annotated[Order, Query(description="By the time at which they were raised")]


def refuse_unstorable(document: Any, field: str) -> None:
    """Refuse what JSON can say and a database cannot keep.

    Raises:
        Problem: A NUL in a text, or a number that is none; the field is named.
    """
    if isinstance(document, str) and "\0" in document:
        raise invalid(field, "holds a NUL character")
    if isinstance(document, float) and not math.isfinite(document):
        raise invalid(field, "is no finite number")
    if isinstance(document, dict):
        for key, value in document.items():
            refuse_unstorable(key, field)
            refuse_unstorable(value, f"{field}.{key}")
    if isinstance(document, list):
        for number, value in enumerate(document):
            refuse_unstorable(value, f"{field}[{number}]")
