"""Cameras and their zones."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.orm import Session

from service import audit
from service.api.conditional import IfMatch, IfNoneMatch, etag, is_known, require_match
from service.api.fields import CameraId, Text, ZoneId, refuse_unstorable
from service.api.idempotency import IdempotencyKey, IdempotentRoute
from service.api.paging import Cursor, Limit, PageBody
from service.api.problem import Problem, answers, faults_of, invalid, not_found
from service.api.security import Origin, Reader, Supervisor, TheService
from service.auth.principal import Principal
from service.cameras.address import SourceKind, parse_address
from service.cameras.sink import CameraHealth
from service.cases.events import CAMERA_CHANGED, tell
from service.context import Service
from service.live import Snapshot
from service.pictures.snapshots import MaskedSnapshots
from service.reach import ReachError
from service.store.cameras import (
    add_camera,
    camera_of,
    cameras_after,
    change_camera,
    document_of,
)
from service.store.tables import CameraRow, Role
from vision.check import draw_zones
from vision.errors import ConfigError, ModelError
from vision.evidence.privacy import mask_privacy
from vision.frames.frame import Image
from vision.site import Camera
from vision.zones import Zone

router = APIRouter(
    prefix="/cameras", tags=["cameras"], route_class=IdempotentRoute, responses=answers(401, 403)
)

_ADDRESSES = ("source", "main_source")
"""Settings that are addresses and may hold credentials."""

_EXAMPLE: dict[str, Any] = {
    "id": "gate-3",
    "name": "North gate, Yanling Road",
    "source": "rtsp://user:password@10.1.2.3/stream2",
    "lon": 119.974,
    "lat": 31.811,
    "coord_sys": "wgs84",
    "zones": [
        {
            "id": "footway",
            "purpose": "footway",
            "points": [[0.1, 0.5], [0.9, 0.5], [0.9, 0.95], [0.1, 0.95]],
        }
    ],
}


class CameraForm(Camera):
    """Settings of a camera, zones included.

    The source is an address; without one, pictures are pushed. The main source is an address of the
    same view in full quality, for evidence. They may be sent back as they were shown, with their
    secrets hidden: then they stay as they are.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]}
    )

    enabled: bool = Field(default=True, description="Whether it is watched")


class CameraBody(CameraForm):
    """A camera; user, password and tokens of its addresses are hidden."""

    version: int = Field(description="Counts changes; the ETag")
    created_at: AwareDatetime
    updated_at: AwareDatetime


class HealthBody(BaseModel):
    """How a camera is."""

    camera_id: str
    state: str = Field(description="connecting, live, waiting, needs_operator or stopped")
    since: AwareDatetime
    failure: str | None = Field(description="Why there are no pictures")
    detail: str
    retry_at: AwareDatetime | None
    view: str | None = Field(description="ok, or why the view cannot be judged")
    last_frame_at: AwareDatetime | None
    failures: int
    reconnects: int


@router.get("", response_model_exclude_unset=True)
def list_cameras(
    service: TheService,
    _who: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageBody[CameraBody]:
    """Cameras in the order of their ids."""
    with service.database.read() as session:
        rows = cameras_after(session, cursor, limit + 1)
    items = [CameraBody.model_validate(_shown(row)) for row in rows[:limit]]
    more = len(rows) > limit
    return PageBody(items=items, next_cursor=rows[limit - 1].id if more else None)


@router.post("", status_code=201, responses=answers(409, 413), response_model_exclude_unset=True)
def create_camera(
    form: CameraForm,
    response: Response,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    _key: IdempotencyKey = None,
) -> CameraBody:
    """Add a camera."""
    _check(service, form)
    now = service.clock()
    with service.database.write() as session:
        if not add_camera(session, _plain(form), now, enabled=form.enabled):
            raise Problem(409, "exists", f"there is a camera {form.id} already")
        audit.write(session, now, origin, who.actor, "camera.created", subject=f"camera:{form.id}")
        row = session.get_one(CameraRow, form.id)
        _told(session, service, row)
    return _answer(service, row, response, created=True)


@router.get(
    "/{camera_id}",
    response_model=CameraBody,
    response_model_exclude_unset=True,
    responses=answers(404) | {304: {"description": "Not Modified"}},
)
def get_camera(
    camera_id: CameraId,
    response: Response,
    service: TheService,
    _who: Reader,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """One camera."""
    with service.database.read() as session:
        row = _find(session, camera_id)
    if is_known(if_none_match, row.version):
        return Response(status_code=304, headers={"etag": etag(row.version)})
    response.headers["etag"] = etag(row.version)
    return CameraBody.model_validate(_shown(row))


@router.put(
    "/{camera_id}", responses=answers(404, 412, 413, 428), response_model_exclude_unset=True
)
def replace_camera(
    camera_id: CameraId,
    form: CameraForm,
    response: Response,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    if_match: IfMatch = None,
) -> CameraBody:
    """Replace the settings of a camera."""
    if form.id != camera_id:
        raise invalid("body.id", "is not the id in the path; an id cannot be changed")
    with service.database.write() as session:
        row = _find(session, camera_id, change=True)
        require_match(if_match, row.version)
        kept = camera_of(row)
        back = {
            name: getattr(kept, name)
            for name in _ADDRESSES
            if getattr(form, name) is not None
            and getattr(form, name) == _shown_source(getattr(kept, name))
        }
        form = form.model_copy(update=back)
        _check(service, form)
        _change(session, service, row, _plain(form), who, origin, enabled=form.enabled)
    return _answer(service, row, response)


@router.delete("/{camera_id}", status_code=204, responses=answers(404, 412, 428))
def delete_camera(
    camera_id: CameraId,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    if_match: IfMatch = None,
) -> None:
    """Take a camera away; its violations and cases stay."""
    now = service.clock()
    with service.database.write() as session:
        row = _find(session, camera_id, change=True)
        require_match(if_match, row.version)
        session.delete(row)
        audit.write(
            session, now, origin, who.actor, "camera.deleted", subject=f"camera:{camera_id}"
        )
        tell(session, CAMERA_CHANGED, camera_id, {"id": camera_id, "deleted": True}, now)
    if service.live is not None:
        service.live.settings_changed(camera_id)


@router.get("/{camera_id}/zones", responses=answers(404), response_model_exclude_unset=True)
def list_zones(
    camera_id: CameraId, response: Response, service: TheService, _who: Reader
) -> list[Zone]:
    """Zones of a camera; their ETag is the camera's."""
    with service.database.read() as session:
        row = _find(session, camera_id)
    response.headers["etag"] = etag(row.version)
    return list(camera_of(row).zones)


@router.put(
    "/{camera_id}/zones/{zone_id}",
    responses=answers(404, 412, 413, 428),
    response_model_exclude_unset=True,
)
def put_zone(
    camera_id: CameraId,
    zone_id: ZoneId,
    zone: Zone,
    response: Response,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    if_match: IfMatch = None,
) -> list[Zone]:
    """Draw a zone, or replace the one of its id; gives all zones of the camera."""
    if zone.id != zone_id:
        raise invalid("body.id", "is not the id in the path")

    def put(zones: Sequence[Zone]) -> list[Zone]:
        if all(one.id != zone_id for one in zones):
            return [*zones, zone]
        return [zone if one.id == zone_id else one for one in zones]

    return _change_zones(camera_id, put, response, service, who, origin, if_match)


@router.delete(
    "/{camera_id}/zones/{zone_id}",
    responses=answers(404, 412, 428),
    response_model_exclude_unset=True,
)
def delete_zone(
    camera_id: CameraId,
    zone_id: ZoneId,
    response: Response,
    service: TheService,
    who: Supervisor,
    origin: Origin,
    if_match: IfMatch = None,
) -> list[Zone]:
    """Take a zone away; gives those that are left."""

    def without(zones: Sequence[Zone]) -> list[Zone]:
        left = [one for one in zones if one.id != zone_id]
        if len(left) == len(zones):
            raise not_found("zone")
        return left

    return _change_zones(camera_id, without, response, service, who, origin, if_match)


@router.get(
    "/{camera_id}/snapshot",
    response_class=Response,
    responses=answers(404, 503)
    | {200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_snapshot(
    camera_id: CameraId,
    request: Request,
    service: TheService,
    who: Reader,
    origin: Origin,
    overlay: Annotated[bool, Query(description="Draw the zones over it")] = False,
    original: Annotated[
        bool, Query(description="Heads and plates as they are: for supervisors, who say why")
    ] = False,
    reason: Annotated[
        Text | None,
        Query(min_length=3, max_length=500, description="Why the original is looked at"),
    ] = None,
) -> Response:
    """The newest picture of a camera: privacy zones, heads and plates masked.

    Privacy zones are masked in the original too. Looking at it is audited.
    """
    if original and not who.may(Role.SUPERVISOR, None):
        raise Problem(403, "forbidden", "originals are for supervisors")
    if original and reason is None:
        raise invalid("query.reason", "say why the original is looked at")
    with service.database.read() as session:
        row = _find(session, camera_id)
        camera, enabled = camera_of(row), row.enabled
    snapshot = None if service.live is None else service.live.snapshot(camera_id)
    if snapshot is None:
        raise _no_picture(service, camera_id, enabled=enabled)
    if original:
        with service.database.write() as session:
            audit.write(
                session,
                service.clock(),
                origin,
                who.actor,
                "snapshot.opened",
                subject=f"camera:{camera_id}",
                reason=reason,
                details={"taken_at": snapshot.taken_at.isoformat()},
            )
        image = snapshot.image
    else:
        image = _masked(request, camera_id, snapshot)
    image = mask_privacy(image, camera.zones)
    if overlay:
        image = draw_zones(image, camera.zones)
    ok, data = cv2.imencode(".jpg", image)
    assert ok
    return Response(
        data.tobytes(),
        media_type="image/jpeg",
        headers={
            "cache-control": "no-store",
            "x-taken-at": snapshot.taken_at.isoformat(timespec="milliseconds"),
        },
    )


@router.get("/{camera_id}/health", responses=answers(404))
def get_health(camera_id: CameraId, service: TheService, _who: Reader) -> HealthBody:
    """How a camera is."""
    with service.database.read() as session:
        _find(session, camera_id)
    health = None if service.live is None else service.live.health(camera_id)
    if health is None:
        raise Problem(404, "not_watched", "this camera is not watched")
    return health_body(health)


def _no_picture(service: Service, camera_id: str, *, enabled: bool) -> Problem:
    """Why there is no picture of a camera."""
    if not enabled:
        return Problem(404, "disabled", "this camera is not enabled")
    health = None if service.live is None else service.live.health(camera_id)
    if health is None:
        return Problem(404, "not_watched", "this camera is not watched")
    why = f": {health.failure}, {health.detail}" if health.failure is not None else ""
    return Problem(404, "no_picture", f"there is no picture of this camera yet{why}")


def _masked(request: Request, camera_id: str, snapshot: Snapshot) -> Image:
    masking = request.app.state.snapshots
    if not isinstance(masking, MaskedSnapshots):
        raise Problem(503, "no_detector", "there is no detector, so nothing can be masked")
    try:
        return masking.masked(camera_id, snapshot)
    except ModelError:
        raise Problem(
            503, "no_detector", "the detector does not work", headers={"retry-after": "10"}
        ) from None


def health_body(health: CameraHealth) -> HealthBody:
    """How a camera is, for an answer."""
    return HealthBody(
        camera_id=health.camera_id,
        state=health.state,
        since=health.since,
        failure=health.failure,
        detail=health.detail,
        retry_at=health.retry_at,
        view=health.view,
        last_frame_at=health.last_frame_at,
        failures=health.failures,
        reconnects=health.reconnects,
    )


def _change_zones(
    camera_id: str,
    change: Any,
    response: Response,
    service: Service,
    who: Principal,
    origin: audit.Origin,
    if_match: str | None,
) -> list[Zone]:
    with service.database.write() as session:
        row = _find(session, camera_id, change=True)
        require_match(if_match, row.version)
        document = document_of(camera_of(row))
        zones = [
            zone.model_dump(mode="json", by_alias=True, exclude_unset=True)
            for zone in change(camera_of(row).zones)
        ]
        refuse_unstorable(zones, "body.zones")
        try:
            camera = Camera.model_validate({**document, "zones": zones})
        except ValidationError as error:
            faults = faults_of(error.errors())
            raise Problem(422, "invalid", faults[0].message, errors=faults) from None
        _change(session, service, row, camera, who, origin, enabled=row.enabled)
    response.headers["etag"] = etag(row.version)
    return list(camera.zones)


def _change(
    session: Session,
    service: Service,
    row: CameraRow,
    camera: Camera,
    who: Principal,
    origin: audit.Origin,
    *,
    enabled: bool,
) -> None:
    """Change a camera, and write down which settings are others."""
    now = service.clock()
    before = {**row.document, "enabled": row.enabled}
    change_camera(row, camera, now, enabled=enabled)
    after = {**row.document, "enabled": row.enabled}
    changed = sorted(name for name in before | after if before.get(name) != after.get(name))
    audit.write(
        session,
        now,
        origin,
        who.actor,
        "camera.changed",
        subject=f"camera:{row.id}",
        details={"changed": changed, "version": row.version},
    )
    _told(session, service, row)


def _told(session: Session, service: Service, row: CameraRow) -> None:
    session.flush()
    tell(session, CAMERA_CHANGED, row.id, {"id": row.id, "version": row.version}, service.clock())


def _answer(
    service: Service, row: CameraRow, response: Response, *, created: bool = False
) -> CameraBody:
    if service.live is not None:
        service.live.settings_changed(row.id)
    response.headers["etag"] = etag(row.version)
    if created:
        response.headers["location"] = f"/api/v1/cameras/{row.id}"
    return CameraBody.model_validate(_shown(row))


def _find(session: Session, camera_id: str, *, change: bool = False) -> CameraRow:
    row = session.get(CameraRow, camera_id, with_for_update=True if change else None)
    if row is None:
        raise not_found("camera")
    return row


def _plain(form: CameraForm) -> Camera:
    """The camera without what is only the service's."""
    return Camera.model_validate(document_of(form))


def _shown(row: CameraRow) -> dict[str, Any]:
    document = {
        **row.document,
        "enabled": row.enabled,
        "version": row.version,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    for name in _ADDRESSES:
        if document.get(name) is not None:
            document[name] = _shown_source(document[name])
    return document


def _shown_source(source: str | None) -> str | None:
    return None if source is None else str(parse_address(source))


def _check(service: Service, form: CameraForm) -> None:
    """Refuse what cannot be kept or may not be reached.

    A host that is a name is checked when it is connected to: only then is it known where it leads.
    """
    refuse_unstorable(document_of(form), "body")
    if len(form.id) > 128 or form.id in (".", ".."):
        raise invalid("body.id", "at most 128 characters, and neither . nor ..")
    for name in _ADDRESSES:
        source = getattr(form, name)
        if source is not None:
            _check_address(service, source, f"body.{name}")


def _check_address(service: Service, source: str, field: str) -> None:
    try:
        address = parse_address(source)
    except ConfigError as error:
        raise invalid(field, str(error)) from None
    try:
        if address.kind is SourceKind.FILE:
            service.address_policy.recording(address.path)
        elif _is_ip(address.host):
            service.address_policy.reach(address.host, address.port, lambda host, _: [host])
    except ReachError as error:
        raise invalid(field, error.detail) from None


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
