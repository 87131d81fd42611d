"""Pictures that are sent: looked at on demand, or pushed as a camera's newest."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from service.api.fields import Time
from service.api.idempotency import IdempotencyKey, IdempotentRoute
from service.api.problem import Problem, answers, invalid, not_found
from service.api.security import Ingester, TheService
from service.cameras.slot import MAX_PICTURE_SIDE, MAX_PIXELS
from service.live import Pushed, Snapshot
from service.pictures.clip import sample_clip
from service.pictures.still import TooManyPixelsError, decode_still
from service.settings import Limits
from service.store.cameras import camera_of
from service.store.tables import CameraRow
from vision.detect.detections import Detections
from vision.errors import InputError, ModelError
from vision.frames.frame import Image

router = APIRouter(tags=["pictures"], route_class=IdempotentRoute, responses=answers(401, 403))

MEGABYTE = 1_000_000
MIN_SIDE = 32
"""Shortest side in pixels of a picture that is pushed."""


class DetectionBody(BaseModel):
    """One thing that was seen; not a violation, which needs time and a place."""

    class_name: str
    confidence: float
    box: tuple[float, float, float, float] = Field(description="x1, y1, x2, y2 in pixels")


class LookBody(BaseModel):
    """One picture and what is in it."""

    time_s: float = Field(description="Seconds from the start of a clip; 0 for a picture")
    width: int
    height: int
    detections: list[DetectionBody]


class DetectBody(BaseModel):
    """What is in a picture, or in some pictures of a clip."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": "jiexu-street",
                "looks": [
                    {
                        "time_s": 0.0,
                        "width": 1920,
                        "height": 1080,
                        "detections": [
                            {
                                "class_name": "debris_pile",
                                "confidence": 0.81,
                                "box": [312.0, 540.5, 611.2, 802.9],
                            }
                        ],
                    }
                ],
            }
        }
    )

    model: str
    looks: list[LookBody]


class PushedBody(BaseModel):
    """What became of a picture that was pushed."""

    result: Pushed


@router.post("/detect", responses=answers(400, 413, 415))
def detect(
    service: TheService,
    _who: Ingester,
    file: Annotated[UploadFile, File(description="A picture (JPEG, PNG, WebP, BMP) or a clip")],
    _key: IdempotencyKey = None,
) -> DetectBody:
    """Look at a picture, or at keyframes of a clip that are evenly spread."""
    inspector = service.inspector
    if inspector is None:
        raise Problem(503, "no_detector", "there is no detector")
    limits = service.settings.limits
    is_clip = (file.content_type or "").startswith("video/")
    data = _bytes(file, limits.clip_mb if is_clip else limits.picture_mb)
    if is_clip:
        times_s, images = _clip(data, limits)
    else:
        times_s, images = [0.0], [_still(data, limits.picture_pixels)]
    try:
        found = inspector.inspect(images)
    except ModelError:
        raise Problem(
            503, "no_detector", "the detector does not work", headers={"retry-after": "10"}
        ) from None
    return DetectBody(
        model=inspector.model_name,
        looks=[
            _look(time_s, image, detections)
            for time_s, image, detections in zip(times_s, images, found, strict=True)
        ],
    )


@router.post("/frames", status_code=202, responses=answers(400, 404, 409, 413, 415, 429))
def push_frame(
    response: Response,
    service: TheService,
    _who: Ingester,
    camera_id: Annotated[str, Form(max_length=128, pattern=r"^[\w.-]+$")],
    file: Annotated[UploadFile, File(description="A picture (JPEG, PNG, WebP, BMP)")],
    taken_at: Annotated[
        Time | None, Form(description="When it was taken; now without it. Never guessed later")
    ] = None,
    _key: IdempotencyKey = None,
) -> PushedBody:
    """Push the newest picture of a camera that has no source of its own."""
    with service.database.read() as session:
        row = session.get(CameraRow, camera_id)
    if row is None:
        raise not_found("camera")
    if camera_of(row).source is not None:
        raise Problem(409, "has_source", "this camera is read from its source")
    if service.live is None or not row.enabled:
        raise _not_watched()
    limits = service.settings.limits
    now = service.clock()
    if taken_at is not None and (taken_at - now).total_seconds() > limits.future_s:
        raise invalid("body.taken_at", "lies in the future: set the camera's clock")
    pixels = min(limits.picture_pixels, MAX_PIXELS)
    image = _still(_bytes(file, limits.picture_mb), pixels)
    if not MIN_SIDE <= min(image.shape[:2]) <= max(image.shape[:2]) <= MAX_PICTURE_SIDE:
        raise invalid("body.file", f"must be {MIN_SIDE} to {MAX_PICTURE_SIDE} pixels a side")
    result = service.live.push(camera_id, Snapshot(image, taken_at or now))
    if result is Pushed.NOT_WATCHED:
        raise _not_watched()
    if result is Pushed.BUSY:
        raise Problem(
            429, "busy", "more pictures come than can be looked at", headers={"retry-after": "5"}
        )
    response.headers["cache-control"] = "no-store"
    return PushedBody(result=result)


def _not_watched() -> Problem:
    return Problem(409, "not_watched", "pictures of this camera are not watched")


def _bytes(file: UploadFile, most_mb: float) -> bytes:
    data = file.file.read(int(most_mb * MEGABYTE) + 1)
    if len(data) > most_mb * MEGABYTE:
        raise Problem(413, "too_large", f"at most {most_mb:g} MB are taken")
    if not data:
        raise invalid("body.file", "is empty")
    return data


def _still(data: bytes, most_pixels: int) -> Image:
    try:
        return decode_still(data, most_pixels)
    except TooManyPixelsError as error:
        raise Problem(413, "too_many_pixels", str(error)) from None
    except InputError as error:
        raise Problem(415, "no_picture", str(error)) from None


def _clip(data: bytes, limits: Limits) -> tuple[list[float], list[Image]]:
    try:
        pictures = sample_clip(
            data,
            looks=limits.clip_looks,
            max_pixels=limits.picture_pixels,
            deadline_s=limits.clip_decode_s,
        )
    except TooManyPixelsError as error:
        raise Problem(413, "too_many_pixels", str(error)) from None
    except InputError as error:
        raise Problem(415, "no_clip", str(error)) from None
    return [one.time_s for one in pictures], [one.image for one in pictures]


def _look(time_s: float, image: Image, found: Detections) -> LookBody:
    height, width = image.shape[:2]
    rows = zip(found.xyxy.tolist(), found.confidence.tolist(), found.class_id.tolist(), strict=True)
    return LookBody(
        time_s=round(time_s, 3),
        width=width,
        height=height,
        detections=[
            DetectionBody(
                class_name=found.names[class_id],
                confidence=round(confidence, 4),
                box=tuple(round(edge, 1) for edge in box),
            )
            for box, confidence, class_id in rows
        ],
    )
