"""The site file: time zone, calendar, cameras, their zones, and rule settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from vision.calendars import Calendar, load_calendar
from vision.city_place import CityPlace
from vision.configfile import load_config
from vision.errors import ConfigError
from vision.rules.registry import RULES
from vision.schedule import SiteClock
from vision.stages import StageStart, in_order
from vision.zones import WHOLE_FRAME, Purpose, Zone

CoordSys = Literal["wgs84", "gcj02", "cgcs2000"]
RuleSettings = dict[str, dict[str, Any]]
"""Settings by kind; what is not named keeps its default."""

if TYPE_CHECKING:
    RulesBlock = BaseModel
else:
    RulesBlock = create_model(
        "RulesBlock",
        __config__=ConfigDict(extra="forbid", frozen=True),
        **{kind: (module.settings | None, None) for kind, module in RULES.items()},
    )


def given_rules(block: RulesBlock) -> RuleSettings:
    """The settings that a ``rules`` block really names."""
    given: RuleSettings = block.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {kind: settings for kind, settings in given.items() if settings}


def _read_calendar(value: Any, info: ValidationInfo) -> Any:
    """A calendar that is named instead of written out."""
    if not isinstance(value, str):
        return value
    try:
        return load_calendar(value, (info.context or {}).get("folder", Path()))
    except ConfigError as error:
        raise ValueError(str(error)) from error


SiteCalendar = Annotated[
    Calendar, BeforeValidator(_read_calendar, json_schema_input_type=str | Calendar)
]


class Camera(BaseModel):
    """One video source with one fixed pose.

    Attributes:
        id: Name in results; unique in the site.
        name: What people call the place.
        source: Glob pattern of recordings (``yanling/*.mp4``), matched against the end of an
            input's path, or a stream URL. Without it, inputs match whose file or folder name
            starts with the camera's id.
        main_source: Stream of the same view in full quality, from which a live service takes
            evidence; scans read ``source`` alone.
        inspect_s: Seconds between looks of a live service while nothing new stands there; scans go
            by their own options.
        lon: Longitude in degrees, in ``coord_sys``.
        lat: Latitude in degrees, in ``coord_sys``.
        coord_sys: Coordinate system; needed with ``lon`` and ``lat``, never guessed.
        model: Name of a model in the registry; the registry's default without it.
        standing_picture: Whether the standing picture of this view is shown to the detector beside
            its frames.
        zones: Polygons and lines of this view.
        stages: Stages of the building site in view, for its ``site`` zones and hoarding lines that
            have none of their own.
        rules: Settings that differ from the site's, by kind.
        place: What the city calls the place.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, pattern=r"^[\w.-]+$")]
    name: str = ""
    source: str | None = None
    main_source: str | None = None
    inspect_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    coord_sys: CoordSys | None = None
    model: str | None = None
    standing_picture: bool = True
    zones: tuple[Zone, ...] = ()
    stages: tuple[StageStart, ...] = ()
    rules: RulesBlock = RulesBlock()
    place: CityPlace = CityPlace()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        in_order(self.stages)
        if self.main_source is not None and self.source is None:
            raise ValueError("main_source needs a source beside it, which is looked at")
        if (self.lon is None) != (self.lat is None):
            raise ValueError("lon and lat belong together")
        if self.lon is not None and self.coord_sys is None:
            raise ValueError("coord_sys is needed with lon and lat: wgs84, gcj02 or cgcs2000")
        names = [zone.id for zone in self.zones]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two zones are called {name!r}")
        return self

    @property
    def judged_zones(self) -> tuple[Zone, ...]:
        """Zones to judge in: the drawn ones, or the whole frame where none but masks is drawn."""
        masks = (Purpose.IGNORE, Purpose.PRIVACY)
        if all(zone.purpose in masks for zone in self.zones):
            return (*self.zones, WHOLE_FRAME)
        return tuple(
            zone.model_copy(update={"stages": self.stages})
            if zone.purpose in (Purpose.SITE, Purpose.HOARDING_LINE) and not zone.stages
            else zone
            for zone in self.zones
        )

    def place_of(self, zone_id: str) -> CityPlace:
        """What the city calls the place of a zone."""
        zone = next((zone for zone in self.zones if zone.id == zone_id), None)
        return self.place if zone is None else zone.place.within(self.place)

    @property
    def has_drawn_places(self) -> bool:
        """Whether results depend on polygons that are valid in one pose only."""
        return bool(self.zones)

    def matches(self, path: PurePath) -> bool:
        """Whether a recording, or the folder of a sequence of stills, belongs to this camera."""
        if self.source is not None:
            return path.match(self.source)
        return path.stem == self.id or path.name.startswith((f"{self.id}_", f"{self.id}."))


class Site(BaseModel):
    """A site file.

    Attributes:
        timezone: IANA name; wall-clock times without an offset are read in it, and schedules,
            permits and stages go by it.
        calendar: Working days and holidays: the name of a shipped calendar (``cn``), a file beside
            the site file, or the calendar itself. Without it there are weekends only.
        code_system: Case catalogue in use, such as ``gb30428.2-2013``.
        cameras: The cameras.
        rules: Settings for all cameras, by kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    timezone: str
    calendar: SiteCalendar = Calendar()
    code_system: str | None = None
    cameras: Annotated[tuple[Camera, ...], Field(min_length=1)]
    rules: RulesBlock = RulesBlock()

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {name!r}") from error
        return name

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [camera.id for camera in self.cameras]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two cameras are called {name!r}")
        return self

    @property
    def clock(self) -> SiteClock:
        """How the site tells the time."""
        return SiteClock(ZoneInfo(self.timezone), self.calendar)

    def camera_of(self, path: PurePath) -> Camera | None:
        """The first camera that a recording belongs to."""
        return next((camera for camera in self.cameras if camera.matches(path)), None)


def merged_rules(*layers: Mapping[str, Mapping[str, Any]]) -> RuleSettings:
    """Lay rule settings over each other, later ones winning setting by setting."""
    merged: RuleSettings = {}
    for layer in layers:
        for kind, settings in layer.items():
            merged[kind] = {**merged.get(kind, {}), **settings}
    return merged


def load_site(path: Path) -> Site:
    """Read a site file.

    Raises:
        ConfigError: With file, line and key of every fault.
    """
    return load_config(path, Site)
