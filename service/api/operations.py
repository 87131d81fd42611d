"""What operations ask for: is it alive, is it ready, how is it doing."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import select

from service.api.cameras import HealthBody, health_body
from service.api.problem import Problem, answers
from service.api.security import Reader, TheService
from service.evidence.files import EvidenceStoreError
from service.metrics import Metrics
from service.store.database import DatabaseError
from service.store.migrate import is_current
from service.store.tables import CameraRow
from vision import __version__

router = APIRouter(tags=["operations"])
overview = APIRouter(tags=["operations"], responses=answers(401, 403))


class AliveBody(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"
    version: str


class ReadyBody(BaseModel):
    """Everything that it needs is there."""

    status: Literal["ready"] = "ready"


class OverviewBody(BaseModel):
    """All cameras that are watched, and how they are."""

    watched: list[HealthBody]
    not_watched: list[str]


@router.get("/healthz")
def healthz() -> AliveBody:
    """Whether the process answers."""
    return AliveBody(version=__version__)


@router.get("/readyz", responses=answers())
def readyz(service: TheService) -> ReadyBody:
    """Whether database and evidence store answer, and the detector sees what it must see."""
    try:
        service.database.check()
    except DatabaseError:
        raise Problem(503, "database", "the database does not answer") from None
    if not is_current(service.database):
        raise Problem(503, "migration", "the database has another form than this version needs")
    try:
        service.files.check()
    except EvidenceStoreError:
        raise Problem(503, "evidence_store", "the evidence store does not answer") from None
    fault = None if service.detector_fault is None else service.detector_fault()
    if fault is not None:
        raise Problem(503, "detector", fault)
    return ReadyBody()


@router.get(
    "/metrics",
    response_class=Response,
    responses=answers(401, 403) | {200: {"content": {"text/plain": {}}}},
)
def metrics(request: Request, _who: Reader) -> Response:
    """Metrics in the form of Prometheus; its server sends a key with the scope ``read``."""
    found = request.app.state.metrics
    assert isinstance(found, Metrics)
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)


@overview.get("/health")
def get_overview(service: TheService, _who: Reader) -> OverviewBody:
    """How all cameras are."""
    with service.database.read() as session:
        ids = session.scalars(select(CameraRow.id).order_by(CameraRow.id)).all()
    live = service.live
    health = {id_: None if live is None else live.health(id_) for id_ in ids}
    return OverviewBody(
        watched=[health_body(one) for one in health.values() if one is not None],
        not_watched=[id_ for id_, one in health.items() if one is None],
    )
