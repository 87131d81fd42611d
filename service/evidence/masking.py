"""The masked version of evidence: heads of persons and plates of vehicles are made unreadable.

Nobody is recognised: the detector says where a person or a vehicle is, and the part of the box in
which a face or a plate can be is averaged away, whether there is one or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from vision.detect.detections import Detections
from vision.evidence.privacy import mask_privacy
from vision.frames.frame import Image
from vision.observe.boxes import iou
from vision.zones import Purpose, Zone

HEAD_SHARE = 0.35
"""Upper part of a person's box that holds the head, also bent and with the box drawn loosely."""
PLATE_TOP_SHARE = 0.4
"""Plates are below this part of a vehicle's box, at its front and at its back."""
SMALLEST_PX = 6
"""Boxes of fewer pixels hold nothing that can be read."""

VEHICLES = frozenset(
    {
        *("car", "truck", "bus", "motorcycle", "van", "tricycle", "vehicle", "muck_truck"),
        *("abandoned_vehicle", "derelict_vehicle", "normal_vehicle", "construction_machine"),
    }
)
PERSONS = frozenset({"person", "rider", "pedestrian"})
THINGS = frozenset({"street_stall", "debris_pile", "overflow_bin", "bin"})
"""What vehicles are suspected in: the thing itself would be hidden from who decides about it."""
SAME_IOU = 0.5
SURER = 2.0
"""No vehicle is where a thing of about the same box is so many times as likely."""

_QUALITY = 90


def masked_picture(data: bytes, detect: Callable[[Image], Detections]) -> bytes | None:
    """The masked version of a JPEG without what stood in its metadata, ``None`` if it is none.

    Args:
        data: The picture.
        detect: Finds persons and vehicles in a picture ``(h, w, 3)`` uint8 BGR.

    Raises:
        ModelError: The detector does not work.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    masked = mask_people(image.astype(np.uint8, copy=False), detect(image))
    ok, encoded = cv2.imencode(".jpg", masked, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    assert ok
    return encoded.tobytes()


def mask_people(image: Image, found: Detections) -> Image:
    """Make heads and plates unreadable.

    Args:
        image: ``(h, w, 3)`` uint8 BGR; not changed.
        found: What is in it.

    Returns:
        A masked copy, or ``image`` itself when there is nobody and no vehicle.
    """
    return mask_privacy(image, _readable_places(found, image.shape[1], image.shape[0]))


def _readable_places(found: Detections, width: int, height: int) -> Sequence[Zone]:
    places: list[Zone] = []
    seen = [
        (found.names[class_id], confidence, (x1, y1, x2, y2))
        for (x1, y1, x2, y2), class_id, confidence in zip(
            found.xyxy.tolist(), found.class_id.tolist(), found.confidence.tolist(), strict=True
        )
    ]
    things = [(confidence, box) for name, confidence, box in seen if name in THINGS]
    for name, confidence, box in seen:
        x1, y1, x2, y2 = box
        if name in PERSONS:
            y2 = y1 + HEAD_SHARE * (y2 - y1)
        elif name in VEHICLES:
            if any(
                likely >= SURER * confidence and iou(thing, box) >= SAME_IOU
                for likely, thing in things
            ):
                continue
            y1 += PLATE_TOP_SHARE * (y2 - y1)
        else:
            continue
        left, right = sorted(min(max(x / width, 0.0), 1.0) for x in (x1, x2))
        top, bottom = sorted(min(max(y / height, 0.0), 1.0) for y in (y1, y2))
        if (right - left) * width < SMALLEST_PX or (bottom - top) * height < SMALLEST_PX:
            continue
        places.append(
            Zone(
                id=f"{name}-{len(places)}",
                purpose=Purpose.PRIVACY,
                points=((left, top), (right, top), (right, bottom), (left, bottom)),
            )
        )
    return places
