"""What kept looks would have given under other zones and rules."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from service import audit
from service.api.fields import Id, Time, refuse_unstorable
from service.api.problem import Problem, answers, faults_of, invalid, not_found
from service.api.security import Origin, Reader, Supervisor, TheService
from service.context import Service
from service.replays.jobs import Replay, ReplayState, TooManyReplaysError
from service.store.cameras import camera_of
from service.store.tables import CameraRow
from vision.errors import ModelError
from vision.site import Camera, RulesBlock, given_rules, merged_rules
from vision.zones import Zone

router = APIRouter(prefix="/replays", tags=["replays"], responses=answers(401, 403))

_FORM: dict[str, Any] = {
    "begin": "2026-05-04T00:00:00+08:00",
    "end": "2026-05-05T00:00:00+08:00",
    "cameras": [
        {
            "camera_id": "gate-3",
            "zones": [
                {
                    "id": "footway",
                    "purpose": "footway",
                    "points": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.95], [0.1, 0.95]],
                }
            ],
            "rules": {"debris_pile": {"dwell_s": 600}},
        }
    ],
}


class ReplayCamera(BaseModel):
    """A camera to judge again, and what is to be different."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    camera_id: Annotated[str, Field(max_length=128, pattern=r"^[\w.-]+$")]
    zones: Annotated[
        tuple[Zone, ...] | None, Field(max_length=200, description="All zones; as they are without")
    ] = None
    rules: RulesBlock | None = Field(default=None, description="Settings over the camera's own")


class ReplayForm(BaseModel):
    """What is to be judged again."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": _FORM})

    begin: Time
    end: Time
    cameras: Annotated[tuple[ReplayCamera, ...], Field(min_length=1, max_length=100)]


class ReplayedBody(BaseModel):
    """A violation as it would have been; it is none that is stored."""

    kind: str
    camera_id: str
    zone_id: str
    box: tuple[float, float, float, float]
    confidence: float
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    signs: list[str] = Field(description="at_start: it stood there when the time began")


class ChangedBody(ReplayedBody):
    """A violation that would have been another."""

    changes: dict[str, list[Any]] = Field(description="What differs: old and new value")


class CountsBody(BaseModel):
    """How many violations there would have been, against the settings as they are."""

    unchanged: int
    changed: int
    appeared: int
    vanished: int


class ReplayedCameraBody(BaseModel):
    """One camera, judged again."""

    camera_id: str
    looks: int
    violations: int = Field(description="Under the other settings")


class ResultBody(BaseModel):
    """What came of a replay; of each list the first 500."""

    counts: CountsBody
    cameras: list[ReplayedCameraBody]
    notes: list[str]
    appeared: list[ReplayedBody]
    vanished: list[ReplayedBody]
    changed: list[ChangedBody]


class ReplayBody(BaseModel):
    """A replay."""

    id: str
    state: ReplayState
    progress: float = Field(description="0 to 1")
    camera_ids: list[str]
    begin: AwareDatetime
    end: AwareDatetime
    requested_by: str
    requested_at: AwareDatetime
    finished_at: AwareDatetime | None
    fault: str | None = Field(description="Why it failed")
    result: ResultBody | None


@router.post("", status_code=202, responses=answers(404, 409, 413, 429))
def start_replay(
    form: ReplayForm, response: Response, service: TheService, who: Supervisor, origin: Origin
) -> ReplayBody:
    """Judge kept looks again, as the settings are and as they might be, and compare.

    It runs in the background: ask for it by its id. Cases are never touched.
    """
    if service.replays is None:
        raise Problem(409, "no_archive", "no looks are kept here")
    days = (form.end - form.begin) / timedelta(days=1) * len(form.cameras)
    most = service.settings.limits.replay_camera_days
    if form.end <= form.begin:
        raise invalid("body.end", "must be later than begin")
    if days > most:
        raise invalid("body.cameras", f"at most {most:g} days of all cameras together")
    ids = [one.camera_id for one in form.cameras]
    if len(set(ids)) < len(ids):
        raise invalid("body.cameras", "a camera is named twice")
    cameras = [
        _now_and_then(service, one, f"body.cameras[{number}]")
        for number, one in enumerate(form.cameras)
    ]
    try:
        replay = service.replays.submit(cameras, form.begin, form.end, who.actor)
    except ModelError as error:
        raise invalid("body.cameras", str(error)) from None
    except TooManyReplaysError as error:
        raise Problem(429, "busy", str(error), headers={"retry-after": "30"}) from None
    with service.database.write() as session:
        audit.write(
            session,
            service.clock(),
            origin,
            who.actor,
            "replay.started",
            subject=f"replay:{replay.id}",
            details={"cameras": ids[:20], "count": len(ids)},
        )
    response.headers["location"] = f"/api/v1/replays/{replay.id}"
    return _body(replay)


@router.get("/{replay_id}", responses=answers(404))
def get_replay(replay_id: Id, service: TheService, _who: Reader) -> ReplayBody:
    """How far a replay is, and what came of it; kept for a week."""
    replay = None if service.replays is None else service.replays.get(replay_id)
    if replay is None:
        raise not_found("replay")
    return _body(replay)


@router.delete("/{replay_id}", responses=answers(404))
def cancel_replay(replay_id: Id, service: TheService, _who: Supervisor) -> ReplayBody:
    """Give a replay up; one that is over stays as it is."""
    replay = None if service.replays is None else service.replays.cancel(replay_id)
    if replay is None:
        raise not_found("replay")
    return _body(replay)


def _now_and_then(service: Service, one: ReplayCamera, field: str) -> tuple[Camera, Camera]:
    """A camera as it is and as it might be."""
    with service.database.read() as session:
        row = session.get(CameraRow, one.camera_id)
    if row is None:
        raise not_found("camera")
    camera = camera_of(row)
    changed: dict[str, Any] = dict(row.document)
    if one.zones is not None:
        changed["zones"] = [
            zone.model_dump(mode="json", by_alias=True, exclude_unset=True) for zone in one.zones
        ]
    if one.rules is not None:
        changed["rules"] = merged_rules(given_rules(camera.rules), given_rules(one.rules))
    refuse_unstorable(changed, field)
    try:
        return camera, Camera.model_validate(changed)
    except ValidationError as error:
        faults = faults_of(error.errors())
        raise Problem(422, "invalid", faults[0].message, errors=faults) from None


def _body(replay: Replay) -> ReplayBody:
    return ReplayBody.model_validate(replay.model_dump())
