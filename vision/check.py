"""Check a site file against its sources, and draw its zones for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import shapely
import shapely.ops

from vision.detect.registry import Registry
from vision.errors import InputError, ModelError
from vision.files import write_atomically
from vision.frames.capture import capture_stream, is_url, redact
from vision.frames.frame import Image
from vision.frames.inputs import discover
from vision.frames.recording import open_recording
from vision.frames.stills import open_stills
from vision.schedule import Schedule
from vision.site import Camera, Site
from vision.zones import Purpose, Zone

CAPTURE_S = 1.0
"""So much of a stream is recorded to take a frame from."""

COLOURS: dict[Purpose, tuple[int, int, int]] = {
    Purpose.CARRIAGEWAY: (160, 160, 160),
    Purpose.FOOTWAY: (80, 200, 255),
    Purpose.PARKING_BAY: (255, 160, 60),
    Purpose.NO_STOPPING: (60, 60, 230),
    Purpose.GREEN: (60, 180, 75),
    Purpose.PERMITTED_VENDING: (200, 120, 200),
    Purpose.COLLECTION_POINT: (180, 200, 60),
    Purpose.SITE: (0, 215, 255),
    Purpose.HOARDING_LINE: (60, 220, 60),
    Purpose.IGNORE: (40, 40, 40),
    Purpose.PRIVACY: (0, 0, 0),
    Purpose.WHOLE_FRAME: (255, 255, 255),
}
"""BGR."""


@dataclass(frozen=True)
class Checked:
    """What was found for one camera.

    Attributes:
        camera_id: The camera.
        zones: How many zones it has.
        source: Where its picture was taken from.
        picture: The picture with its zones.
        fault: Why there is no picture, or what else is wrong.
        notes: What is valid, but probably not meant.
    """

    camera_id: str
    zones: int
    source: str
    picture: Path | None
    fault: str | None
    notes: tuple[str, ...] = ()


def check_site(
    site: Site, folder: Path, out: Path, registry: Registry, today: date | None = None
) -> list[Checked]:
    """Take a frame of each camera's source and draw the zones over it.

    Args:
        site: A valid site file.
        folder: Folder that relative sources are looked for in.
        out: Folder for the pictures, ``<camera id>.jpg``; made if missing.
        registry: Where the cameras' models must be.
        today: Local day on which schedules and permits must still mean something; not looked at
            without it.
    """
    out.mkdir(parents=True, exist_ok=True)
    return [
        replace(
            _check(camera, site, folder, out, registry),
            notes=() if today is None else tuple(_doubts(camera, site, today)),
        )
        for camera in site.cameras
    ]


def draw_zones(image: Image, zones: Sequence[Zone]) -> Image:
    """Draw zones with their names over a copy of a picture.

    Args:
        image: ``(h, w, 3)`` uint8 BGR.
        zones: Zones of this view.

    Returns:
        ``(h, w, 3)`` uint8 BGR.
    """
    drawn, height, width = image.copy(), *image.shape[:2]
    stroke = max(2, width // 500)
    for zone in zones:
        corners = np.array(zone.pixels((width, height)), np.float64).round().astype(np.int32)
        colour = COLOURS[zone.purpose]
        if zone.purpose is not Purpose.HOARDING_LINE:
            tinted = drawn.copy()
            cv2.fillPoly(tinted, [corners], colour)
            cv2.addWeighted(tinted, 0.25, drawn, 0.75, 0, dst=drawn)
        closed = zone.purpose is not Purpose.HOARDING_LINE
        cv2.polylines(drawn, [corners], closed, colour, stroke, cv2.LINE_AA)
        for gate in zone.gates:
            line = shapely.LineString(zone.pixels((width, height)))
            part = shapely.ops.substring(line, gate.start, gate.end, normalized=True)
            points = np.array(part.coords, np.float64).round().astype(np.int32)
            cv2.polylines(drawn, [points], False, (255, 255, 255), 2 * stroke, cv2.LINE_AA)
    for zone in zones:
        x, y = zone.pixels((width, height))[0]
        place = (int(min(x, width * 0.7)) + 6, int(min(max(y, 24), height - 8)))
        label = f"{zone.id} ({zone.purpose}){_more(zone)}"
        for colour, weight in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(
                drawn, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, weight, cv2.LINE_AA
            )
    return drawn


def _drawn(camera: Camera) -> list[Zone]:
    """Zones to draw, with the stages of their site."""
    return [zone for zone in camera.judged_zones if zone.purpose is not Purpose.WHOLE_FRAME]


def _more(zone: Zone) -> str:
    """What else a label says of a zone."""
    more = []
    if zone.schedule is not None:
        more.append("by schedule")
    if zone.permits:
        more.append("permits " + ", ".join(permit.id for permit in zone.permits))
    if zone.gates:
        more.append(f"{len(zone.gates)} gates in white")
    if zone.length_m is not None:
        more.append(f"{zone.length_m:g} m")
    more += [f"{start.stage} from {start.first}" for start in zone.stages[-1:]]
    return " " + ", ".join(more) if more else ""


def _doubts(camera: Camera, site: Site, today: date) -> Iterator[str]:
    """What is valid in a camera's zones, but says nothing on a day."""
    for zone in camera.judged_zones:
        schedules: list[tuple[str, Schedule]] = [
            (f"permit {permit.id}", permit) for permit in zone.permits
        ]
        if zone.schedule is not None:
            schedules.append(("schedule", zone.schedule))
        for name, schedule in schedules:
            days = [one.last or one.first for one in schedule.special_days]
            if schedule.last is not None and max([schedule.last, *days]) < today:
                yield f"{zone.id}: {name} is over since {max([schedule.last, *days])}"
            elif schedule.asks_the_calendar and not site.calendar.covers(today):
                yield (
                    f"{zone.id}: {name} goes by working days, but the calendar does not know "
                    f"{today.year}: weekends only"
                )


def _check(camera: Camera, site: Site, folder: Path, out: Path, registry: Registry) -> Checked:
    source, picture, fault = "", None, None
    try:
        registry.model(camera.model)
        with TemporaryDirectory() as captured:
            path = _source(camera, folder, Path(captured))
            source = str(path) if path.parent != Path(captured) else redact(camera.source or "")
            image = _first_picture(path, camera, ZoneInfo(site.timezone))
        ok, data = cv2.imencode(".jpg", draw_zones(image, _drawn(camera)))
        assert ok
        picture = out / f"{camera.id}.jpg"
        write_atomically(picture, data.tobytes())
    except (InputError, ModelError) as error:
        fault = str(error)
    return Checked(camera.id, len(camera.zones), source, picture, fault)


def _source(camera: Camera, folder: Path, captured: Path) -> Path:
    if camera.source is None:
        found = sorted(path for path in folder.iterdir() if camera.matches(path.absolute()))
    elif is_url(camera.source):
        found = [captured / f"{camera.id}.mkv"]
        capture_stream(camera.source, CAPTURE_S, found[0], clock=lambda: datetime.now(UTC))
    elif Path(camera.source).is_absolute():
        found = [Path(camera.source)]
    else:
        found = sorted(folder.rglob(camera.source))
    if not found:
        raise InputError(f"{folder}: nothing matches {camera.source or camera.id}")
    return found[0]


def _first_picture(path: Path, camera: Camera, timezone: ZoneInfo) -> Image:
    item = discover([str(path)])[0]
    opened = (
        open_recording(item.path, camera_id=camera.id, timezone=timezone)
        if item.kind == "video"
        else open_stills(item.paths, camera_id=camera.id, timezone=timezone)
    )
    with opened as source:
        frame = source.submit(0.0, 0.5).result()
    if frame is None:
        raise InputError(f"{path}: holds no picture")
    return frame.image
