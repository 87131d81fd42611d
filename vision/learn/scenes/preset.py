"""Scene presets: what a scene holds and what happens in it, read from YAML."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from vision.configfile import load_config
from vision.errors import ConfigError


def _span(value: object) -> object:
    return (value, value) if isinstance(value, int | float) else value


Span = Annotated[tuple[float, float], BeforeValidator(_span)]
"""A number, or ``[low, high]`` from which the seed draws."""

Side = Literal["left", "right"]
Backing = Literal["buildings", "trees", "wall", "site"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CameraPlan(_Part):
    """Where the camera hangs.

    Attributes:
        height_m: Height of the lens.
        pitch_deg: Tilt below the horizon.
        yaw_deg: Turn to the right of the road's direction.
        fov_deg: Horizontal field of view.
        across: Place across the street: -1 left facade, 0 middle, 1 right facade.
    """

    height_m: Span = (5.0, 7.0)
    pitch_deg: Span = (13.0, 18.0)
    yaw_deg: Span = (-4.0, 8.0)
    fov_deg: Span = (52.0, 68.0)
    across: Span = (-0.5, 0.2)


class StreetPlan(_Part):
    """The street's cross-section and what lines it."""

    lanes: Annotated[int, Field(ge=1, le=3)] = 1
    lane_m: Span = (3.2, 3.6)
    cycle_lane_m: Span = (0.0, 0.0)
    bays: Literal["left", "right", "both", "none"] = "right"
    footway_m: Span = (3.0, 4.5)
    left: Backing = "buildings"
    right: Backing = "buildings"
    trees: Annotated[float, Field(ge=0, le=1)] = 0.5
    crossing_m: float | None = None
    red_s: tuple[tuple[float, float], ...] = ()
    hoarding: Literal["blue", "green", "white", "grey", "barrier", "mesh", "any"] = "any"


class LightPlan(_Part):
    """Light, weather and the camera's own faults."""

    time: Literal["day", "dusk", "night"] = "day"
    cloud: Span = (0.0, 1.0)
    rain: Annotated[float, Field(ge=0, le=1)] = 0.0
    shake_px: Span = (0.0, 0.6)
    noise: Span = (1.5, 4.0)
    soft_px: Span = (0.5, 0.9)


class TrafficPlan(_Part):
    """What moves: rates are things a minute over all lanes."""

    vehicles_per_min: Span = (14.0, 24.0)
    cycles_per_min: Span = (4.0, 9.0)
    people: Span = (4.0, 9.0)
    parked_share: Annotated[float, Field(ge=0, le=1)] = 0.65
    bus_share: Annotated[float, Field(ge=0, le=1)] = 0.08
    truck_share: Annotated[float, Field(ge=0, le=1)] = 0.1


class _Cue(_Part):
    side: Side = "right"
    along_m: Span = (12.0, 30.0)
    start_s: float | None = None
    end_s: float | None = None


class StallCue(_Cue):
    """A street stall; a permitted one is no event."""

    what: Literal["stall"]
    kind: Literal["tricycle", "table", "mat", "cart", "canopy", "any"] = "any"
    place: Literal["footway", "bay", "carriageway"] = "footway"
    permitted: bool = False


class HeapCue(_Cue):
    """A debris heap; ``truck`` dumps it from a lorry that stops for a moment."""

    what: Literal["heap"]
    kind: Literal["rubble", "sand", "soil", "timber", "bags", "furniture", "mixed", "any"] = "any"
    place: Literal["footway", "bay", "kerb"] = "kerb"
    size: Span = (0.8, 1.2)
    truck: bool = False


class DerelictCue(_Cue):
    """A derelict vehicle in a bay or half on the footway."""

    what: Literal["derelict"]
    place: Literal["bay", "footway"] = "bay"


class BinCue(_Cue):
    """One to several bins; overflowing or in order."""

    what: Literal["bin"]
    overflowing: bool = False
    count: Annotated[int, Field(ge=1, le=6)] = 1


class ConesCue(_Cue):
    """A row of cones in the carriageway's edge."""

    what: Literal["cones"]
    count: Annotated[int, Field(ge=1, le=12)] = 4


class GapCue(_Cue):
    """Hoarding panels that fall (``start_s``) or are missing from the beginning."""

    what: Literal["hoarding_gap"]
    panels: Annotated[int, Field(ge=1, le=4)] = 1


class MachineCue(_Cue):
    """A machine at work inside the site."""

    what: Literal["excavator", "loader"]
    depth_m: Span = (8.0, 16.0)


class CraneCue(_Cue):
    """A tower crane."""

    what: Literal["crane"]
    depth_m: Span = (20.0, 45.0)


class MuckTruckCue(_Cue):
    """A muck truck: passing on the road at ``start_s``, or standing inside the site."""

    what: Literal["muck_truck"]
    standing: bool = False
    depth_m: Span = (8.0, 18.0)


class PlumeCue(_Cue):
    """Dust or smoke that rises from ``start_s`` to ``end_s``."""

    what: Literal["dust", "smoke"]
    depth_m: Span = (6.0, 14.0)
    strength: Span = (0.7, 1.2)


Cue = Annotated[
    StallCue
    | HeapCue
    | DerelictCue
    | BinCue
    | ConesCue
    | GapCue
    | MachineCue
    | CraneCue
    | MuckTruckCue
    | PlumeCue,
    Field(discriminator="what"),
]


class ScenePreset(_Part):
    """A scene: street, camera, light, traffic and a script of what happens when.

    Attributes:
        name: Name of the preset.
        title: What it shows, one line.
        duration_s: Length of the scene in seconds.
        fps: Frames a second of a clip of it.
        size: ``(width, height)`` in pixels of a clip of it.
        script: What appears where and when; without ``start_s`` it is there from the beginning.
    """

    name: str
    title: str = ""
    duration_s: Annotated[float, Field(gt=0)] = 60.0
    fps: Annotated[float, Field(gt=0, le=60)] = 10.0
    size: tuple[int, int] = (1280, 720)
    camera: CameraPlan = CameraPlan()
    street: StreetPlan = StreetPlan()
    light: LightPlan = LightPlan()
    traffic: TrafficPlan = TrafficPlan()
    script: tuple[Cue, ...] = ()


def _folder() -> Path:
    shipped = Path(str(resources.files("vision"))) / "shipped" / "datasets" / "scenes"
    return shipped if shipped.is_dir() else Path(__file__).parents[3] / "datasets" / "scenes"


def preset_names() -> list[str]:
    """Names of the presets that come with Jiexu, sorted."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_preset(name_or_path: str | Path) -> ScenePreset:
    """Read a preset by name or from a YAML file.

    Raises:
        ConfigError: There is no such preset, or the file breaks the schema; the text names the
            file, the lines and the keys.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = _folder() / f"{name_or_path}.yaml"
        if not path.is_file():
            known = ", ".join(preset_names())
            raise ConfigError(f"no scene preset called {name_or_path!r}; there are: {known}")
    return load_config(path, ScenePreset)
