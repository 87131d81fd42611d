"""``jiexu serve --demo``: a drawn street and a drawn building site as cameras, for trying it."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.context import Service
from service.settings import ServiceSettings
from service.store.cameras import add_camera
from service.store.tables import CameraRow
from vision.site import Camera, given_rules, load_site, merged_rules

log = logging.getLogger(__name__)

SCENES = ("street_demo", "site_demo")
CITY: dict[str, Any] = {
    "lon": 119.9740,
    "lat": 31.8110,
    "coord_sys": "wgs84",
    "place": {"district": "示范区", "street": "示范街道", "unit": "示范城管中队"},
}
"""Where the drawn scenes stand: made up, for platforms take nothing without a place."""
APART_DEG = 0.004
SECONDS = 60.0
SEED = 1


def demo_settings(settings: ServiceSettings) -> ServiceSettings:
    """Settings under which the drawn clips may be watched."""
    folders = (*settings.camera_folders, _folder(settings))
    return settings.model_copy(update={"camera_folders": folders})


def show_demo(service: Service, scenes: Sequence[str] = SCENES, seconds: float = SECONDS) -> None:
    """Draw the scenes, and add each as a camera as soon as it is drawn; those there stay as is.

    Drawing takes a while of a core for a scene: call it in a thread. It is done in another
    process, so that the service goes on answering, and which ends with it.

    Args:
        service: The service.
        scenes: Scene presets.
        seconds: Length of each clip.
    """
    spawned = multiprocessing.get_context("spawn")
    for scene in scenes:
        folder = _folder(service.settings) / scene
        drawing = spawned.Process(target=draw, args=(folder, scene, seconds), daemon=True)
        drawing.start()
        drawing.join()
        if drawing.exitcode != 0:
            log.error("the scene %s of the demo could not be drawn", scene)
            continue
        for camera in _cameras(folder / "site.yaml", scenes.index(scene)):
            _add(service, camera)


def draw(folder: Path, scene: str, seconds: float) -> None:
    """Draw the clip of a scene, if it is not there, and write its site file."""
    from vision.learn.scenes.demo import make_demo

    make_demo(folder, [scene], seconds=seconds, seed=SEED, progress=_Silent())


def _cameras(path: Path, number: int) -> list[Camera]:
    """The cameras of a demo: clip as source, the short dwells of the demo, a place in the city."""
    site = load_site(path)
    return [
        Camera.model_validate(
            camera.model_dump(mode="json", by_alias=True, exclude_unset=True)
            | CITY
            | {
                "lon": CITY["lon"] + APART_DEG * number,
                "source": (path.parent / "clips" / f"{camera.id}.mp4").absolute().as_uri(),
                "rules": merged_rules(given_rules(site.rules), given_rules(camera.rules)),
            }
        )
        for camera in site.cameras
    ]


def _add(service: Service, camera: Camera) -> None:
    with service.database.write() as session:
        if session.get(CameraRow, camera.id) is not None:
            return
        add_camera(session, camera, service.clock(), enabled=True)
    if service.live is not None:
        service.live.settings_changed(camera.id)
    log.info("the camera %s of the demo is there", camera.id)


def _folder(settings: ServiceSettings) -> Path:
    return settings.data.absolute() / "demo"


class _Silent:
    """Hears how drawing goes on, and says nothing."""

    def drawing(self, name: str, duration_s: float) -> None:
        """A clip is being drawn."""

    def looked(self, time_s: float, violations: int) -> None:
        """It is drawn up to a stream time."""
