"""Settings of the service, read again without a restart."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from service.api.problem import FieldFault, Problem, answers
from service.api.security import Admin, Origin, TheService
from vision.errors import ConfigError

router = APIRouter(prefix="/settings", tags=["operations"], responses=answers(401, 403))


class ReloadedBody(BaseModel):
    """What is different now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "applied": ["retention.closed_days", "camera_networks"],
                "needs_restart": ["port"],
            }
        }
    )

    applied: list[str] = Field(description="These have another value from now on")
    needs_restart: list[str] = Field(description="These have it from the next start")


@router.post("/reload", responses=answers(409))
def reload_settings(service: TheService, who: Admin, origin: Origin) -> ReloadedBody:
    """Read ``service.yaml`` again, as the signal HUP does.

    If it is wrong, the answer is 422 with every fault, and all settings stay as they were.
    """
    if service.reloader is None:
        raise Problem(409, "no_file", "this service was not started with a file of settings")
    try:
        told = service.reloader.reload(who.actor, origin)
    except ConfigError as error:
        faults = [FieldFault(field="settings", message=line) for line in str(error).splitlines()]
        raise Problem(422, "invalid", faults[0].message, errors=faults) from None
    return ReloadedBody(applied=list(told.applied), needs_restart=list(told.needs_restart))
