"""A clip is cut after its case was opened, often after it was sent: platforms hear of it then."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from dispatch_rig import (
    CAMERA,
    NOW,
    deliveries,
    name,
    notice,
    open311,
    panorama,
    settings,
    webhook,
)
from posting import CREATED_AT, record

from service.cases.intake import Intake
from service.cases.lifecycle import Action, take_step
from service.dispatch.adapters.panorama import clip_body, other_url
from service.dispatch.adapters.webhook import case_event
from service.dispatch.dispatcher import Dispatching, _frozen
from service.dispatch.notice import EvidenceAccess, Notice, NoticeEvidence, Subject
from service.dispatch.platforms import DispatchSettings, WebhookPlatform
from service.dispatch.queue import Claimed, claim
from service.evidence.files import EvidenceFiles
from service.evidence.links import Signer
from service.store.cameras import add_camera
from service.store.database import Database

CLIP = b"a clip"


@pytest.fixture
def intake(database: Database, tmp_path: Path) -> Intake:
    files = EvidenceFiles(tmp_path / "evidence")
    with database.write() as session:
        add_camera(session, CAMERA, NOW, enabled=True)
    return Intake(
        database, files, mask=lambda data, _media_type: b"masked " + data, clock=lambda: NOW
    )


def take(intake: Intake, folder: Path, *, clip: bool = False) -> None:
    """The violation as its camera tells of it, at first without its clip."""
    told = record()
    if not clip:
        intake.take(told, {})
        return
    path = folder / "clip.mp4"
    path.write_bytes(CLIP)
    described = {
        "path": "evidence/clip.mp4",
        "sha256": hashlib.sha256(CLIP).hexdigest(),
        "bytes": len(CLIP),
        "time_s": 12.5,
        "timestamp": CREATED_AT + timedelta(seconds=12.5),
        "width": 640,
        "height": 360,
        "media_type": "video/mp4",
    }
    evidence = told.evidence.model_validate(told.evidence.model_dump() | {"clip": described})
    intake.take(told.model_copy(update={"evidence": evidence}), {"clip": path})


def step(database: Database, action: Action) -> None:
    with database.write() as session:
        take_step(session, "violation-0", action, "user:li", NOW)


def begin(database: Database, wanted: DispatchSettings, folder: Path, to: str = "city") -> Notice:
    """Begin to send what is due to a platform; what is told is written down from then on."""
    work = Dispatching(
        settings=wanted,
        database=database,
        files=EvidenceFiles(folder / "evidence"),
        signer=Signer(b"a secret of the tests, 32 bytes.."),
        public_url="https://jiexu.test",
        clock=lambda: NOW,
    )
    with database.write() as session:
        claimed = claim(session, to, NOW, lease_s=30, rate_per_s=10)
        assert isinstance(claimed, Claimed)
        return _frozen(session, work, claimed, NOW)[0]


def subjects(database: Database) -> list[tuple[str, str]]:
    return [(row.destination, row.subject) for row in deliveries(database)]


def test_the_clip_goes_into_the_case_and_into_what_was_not_sent_yet(
    intake: Intake, database: Database, tmp_path: Path
) -> None:
    wanted = settings(city=webhook(evidence="links"))
    name(database, wanted)
    take(intake, tmp_path)
    step(database, Action.CONFIRM)
    take(intake, tmp_path, clip=True)
    assert subjects(database) == [("city", "confirmed")], "there is nothing more to tell"
    told = begin(database, wanted, tmp_path)
    assert [one.role for one in told.evidence] == ["clip"]


def test_of_what_was_sent_without_it_the_platform_is_told(
    intake: Intake, database: Database, tmp_path: Path
) -> None:
    wanted = settings(
        city=webhook(evidence="links"),
        bare=webhook(evidence="none"),
        geo=open311(evidence="links"),
        video=panorama(evidence="links"),
    )
    name(database, wanted)
    take(intake, tmp_path)
    step(database, Action.CONFIRM)
    assert begin(database, wanted, tmp_path).evidence == ()
    for _ in range(2):
        take(intake, tmp_path, clip=True)
    told = [destination for destination, subject in subjects(database) if subject == "evidence"]
    assert told == ["city", "video"], "once, and where there are words for it"


@pytest.mark.parametrize("action", [Action.CANCEL, Action.FINISH])
def test_nobody_is_told_of_a_case_in_which_nothing_more_is_to_be_done(
    intake: Intake, database: Database, tmp_path: Path, action: Action
) -> None:
    wanted = settings(city=webhook(evidence="links"))
    name(database, wanted)
    take(intake, tmp_path)
    step(database, Action.CONFIRM)
    begin(database, wanted, tmp_path)
    step(database, Action.SUBMIT)
    step(database, action)
    take(intake, tmp_path, clip=True)
    told = ("city", "evidence") in subjects(database)
    assert told == (action is Action.FINISH)


def the_clip(folder: Path) -> tuple[Notice, EvidenceAccess]:
    picture = notice().evidence[0]
    clip = NoticeEvidence.model_validate(
        picture.model_dump() | {"id": "e2", "role": "clip", "media_type": "video/mp4"}
    )
    told = notice(
        id="case_" + "2" * 32, number=2, subject=Subject.EVIDENCE, evidence=(picture, clip)
    )
    signer = Signer(b"a secret of the tests, 32 bytes..")
    return told, EvidenceAccess(EvidenceFiles(folder), signer, "https://jiexu.test", "city")


def test_how_each_interface_says_so(tmp_path: Path) -> None:
    told, access = the_clip(tmp_path)
    body = clip_body(told, access)
    assert (body["eventIds"], body["cameraId"]) == (told.first_id, "gate-3")
    assert body["fileUrl"].startswith("https://jiexu.test/api/v1/evidence/e2?grant=")
    wanted = other_url("https://city.test/client/handle_event?key=1")
    assert wanted == "https://city.test/client/handle_event_other?key=1"

    city = settings(city=webhook(evidence="links")).destinations["city"]
    assert isinstance(city, WebhookPlatform)
    event = case_event(told, city, access, "C1")
    data: Any = event.get_data()
    assert event.get_type() == "org.jiexu.case.evidence.v1"
    assert [one["role"] for one in data["evidence"]] == ["scene", "clip"]
    assert json.dumps(data)


def test_clips_are_not_put_into_messages(tmp_path: Path) -> None:
    told, access = the_clip(tmp_path)
    city = settings(city=webhook(evidence="upload")).destinations["city"]
    assert isinstance(city, WebhookPlatform)
    clip = told.model_copy(update={"evidence": told.evidence[1:]})
    data: Any = case_event(clip, city, access, None).get_data()
    assert data["evidence"][0]["content_base64"] is None
