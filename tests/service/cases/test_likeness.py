"""Candidates of one kind in one zone are told apart by how they look."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance
from posting import CREATED_AT, record
from sqlalchemy import select

from service.cases.intake import Intake
from service.cases.likeness import Looks, alike, compared, signature_of
from service.evidence.files import EvidenceFiles
from service.store.database import Database
from service.store.tables import CaseRow, ViolationRow

Draw = Callable[[ImageDraw.ImageDraw, int, int], None]


def stall(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """An umbrella over a table."""
    pen.polygon([(x, y + 40), (x + 60, y), (x + 120, y + 40)], fill=(200, 40, 40))
    pen.line([(x + 60, y + 40), (x + 60, y + 100)], fill=(60, 60, 60), width=5)
    pen.rectangle([x + 15, y + 75, x + 105, y + 110], fill=(120, 90, 50))


def crates(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Boxes piled up."""
    for column in range(4):
        for row in range(4):
            left, top = x + 30 * column, y + 28 * row
            pen.rectangle(
                [left, top, left + 27, top + 25], fill=(90, 130, 90), outline=(20, 20, 20)
            )


def frame(draw: Draw, x: int, y: int, light: float = 1.0) -> bytes:
    image = Pillow.new("RGB", (640, 360), (150, 150, 155))
    draw(ImageDraw.Draw(image), x, y)
    file = io.BytesIO()
    ImageEnhance.Brightness(image).enhance(light).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture
def take(database: Database, tmp_path: Path) -> Callable[..., str]:
    """Takes in a candidate with the frame in which its thing stands."""
    intake = Intake(
        database,
        EvidenceFiles(tmp_path / "evidence"),
        mask=lambda data, _type: data,
        clock=lambda: CREATED_AT,
    )

    def given(number: int, data: bytes | None, x: int, y: int, kind: str = "street_stall") -> str:
        at = CREATED_AT + timedelta(minutes=number)
        one = record(
            number, kind=kind, box=(x, y, x + 120, y + 112), started_at=at, last_seen_at=at
        )
        files: dict[str, Path] = {}
        if data is not None:
            files["frame"] = tmp_path / f"{number}.jpg"
            files["frame"].write_bytes(data)
            described = one.evidence.scene
            assert described is not None
            told = described.model_copy(
                update={"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            )
            one = one.model_copy(
                update={"evidence": one.evidence.model_copy(update={"frame": told})}
            )
        intake.take(one, files)
        return one.id

    return given


def looks(database: Database, case_id: str) -> list[tuple[str, Looks]]:
    with database.read() as session:
        found = alike(session, session.get_one(CaseRow, case_id))
        return [(one.case.id, one.looks) for one in found]


def test_those_that_look_the_same_come_first_and_others_are_named(
    database: Database, take: Callable[..., str]
) -> None:
    shown = take(0, frame(stall, 60, 80), 60, 80)
    pile = take(1, frame(crates, 400, 90), 400, 90)
    dusk = take(2, frame(stall, 250, 200, light=0.75), 250, 200)
    bare = take(3, None, 480, 240)
    assert looks(database, shown) == [
        (shown, Looks.SAME),
        (dusk, Looks.SAME),
        (bare, Looks.UNKNOWN),
        (pile, Looks.OTHER),
    ]


def test_candidates_of_another_kind_or_decided_ones_are_none(
    database: Database, take: Callable[..., str]
) -> None:
    shown = take(0, frame(stall, 60, 80), 60, 80)
    take(1, frame(stall, 250, 200), 250, 200, "debris_pile")
    decided = take(2, frame(stall, 420, 200), 420, 200)
    with database.write() as session:
        case = session.get_one(CaseRow, decided)
        case.state, case.queue_at = "confirmed", None
    assert looks(database, shown) == [(shown, Looks.SAME)]


def test_a_signature_stays_when_the_violation_is_told_again(
    database: Database, take: Callable[..., str]
) -> None:
    data = frame(stall, 60, 80)
    take(0, data, 60, 80)
    take(0, None, 60, 80)
    with database.read() as session:
        kept = session.scalars(select(ViolationRow)).one()
    assert kept.appearance == signature_of(data, (60, 80, 180, 192))


def test_what_cannot_be_compared_is_unknown() -> None:
    one = signature_of(frame(stall, 60, 80), (60, 80, 180, 192))
    dark = signature_of(frame(stall, 60, 80, light=0.2), (60, 80, 180, 192))
    assert compared("street_stall", one, one) == (Looks.SAME, pytest.approx(0.0))
    assert compared("street_stall", one, dark) == (Looks.UNKNOWN, None), "another light"
    assert compared("street_stall", one, None) == (Looks.UNKNOWN, None)
    assert compared("construction_dust", one, one) == (Looks.UNKNOWN, None), "no thing"
    assert signature_of(b"no picture", (0, 0, 50, 50)) is None
