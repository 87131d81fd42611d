"""Case catalogues as data: what a kind is called in a city's list, and how long it may take.

A class code means nothing without its catalogue: 0401 is a stall in one generation of the national
list and an emergency in the other. Both are always kept and sent together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy.orm import Session

from service.cases.deadlines import WORK_HOURS, Limit, WorkTime
from service.store.cameras import camera_of
from service.store.tables import CameraRow, CaseRow
from vision.configfile import load_config
from vision.errors import ConfigError
from vision.rules.kinds import KINDS
from vision.schedule import DayWindow
from vision.zones import Purpose

Words = Annotated[str, Field(min_length=1, max_length=200)]
EvidenceRole = Literal["scene", "crop", "before", "after", "clip"]


class CaseClass(BaseModel):
    """One class of a catalogue that a kind may be filed under.

    Attributes:
        code: Code in the catalogue.
        name: What the city calls it.
        zones: Purposes of zones in which it applies; everywhere without it.
        file_when: Condition to file a case 立案条件.
        close_when: Condition to close it 结案条件.
        limit: How long handling may take; no deadline without it.
        evidence: What must be there to file it.
        inferred: The code was concluded, not read in print: check it before cases are sent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=r"^[0-9A-Za-z.-]{2,32}$")]
    name: Words
    zones: tuple[Purpose, ...] = ()
    file_when: Words
    close_when: Words
    limit: Limit | None = None
    evidence: tuple[EvidenceRole, ...] = ("scene",)
    inferred: bool = False

    def missing(self, roles: Collection[str]) -> list[str]:
        """Roles of evidence that it needs and a case does not have."""
        return [role for role in self.evidence if role not in roles]


class Catalogue(BaseModel):
    """A city's catalogue.

    Attributes:
        id: Code system that its codes are of.
        name: What it is called.
        source: Where it was taken from.
        hours: Working hours that limits in work hours and work days are counted in.
        kinds: Classes by kind; of several, the first that applies in the zone is taken. Kinds that
            are not named cannot be filed: a case of such a kind gets no code and no deadline.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,63}$")]
    name: Words
    source: Words
    hours: Annotated[tuple[DayWindow, ...], Field(min_length=1)] = WORK_HOURS
    kinds: dict[str, Annotated[tuple[CaseClass, ...], Field(min_length=1)]]

    @field_validator("kinds")
    @classmethod
    def _known(cls, kinds: dict[str, tuple[CaseClass, ...]]) -> dict[str, tuple[CaseClass, ...]]:
        for kind, classes in kinds.items():
            if kind not in KINDS:
                raise ValueError(f"{kind}: no kind; there are {', '.join(KINDS)}")
            if classes[-1].zones:
                raise ValueError(f"{kind}: the last class must apply everywhere: leave zones out")
            for one in classes[:-1]:
                if not one.zones:
                    raise ValueError(f"{kind}: {one.code} applies everywhere and hides the rest")
        return kinds

    @model_validator(mode="after")
    def _hours_apart(self) -> Self:
        ordered = sorted(self.hours, key=lambda one: one.opens)
        for one, following in pairwise(ordered):
            if one.closes > following.opens:
                raise ValueError("hours: overlap")
        if any(one.closes <= one.opens for one in ordered):
            raise ValueError("hours: must end on the day on which they begin")
        return self

    def class_of(self, kind: str, purpose: Purpose | None) -> CaseClass | None:
        """The class that a kind is filed under in a zone of a purpose.

        Args:
            kind: Violation kind.
            purpose: Purpose of the zone, ``None`` if it is not known.
        """
        classes = self.kinds.get(kind, ())
        return next((one for one in classes if not one.zones or purpose in one.zones), None)


@dataclass(frozen=True)
class Filing:
    """How confirmed cases are filed 立案.

    Attributes:
        catalogue: The city's catalogue.
        worktime: When people work there.
    """

    catalogue: Catalogue
    worktime: WorkTime

    def file(self, session: Session, case: CaseRow, at: datetime) -> None:
        """Give a case its class and its deadline, counted from an instant (aware)."""
        one = self.class_of(session, case)
        case.code_system = None if one is None else self.catalogue.id
        case.code = None if one is None else one.code
        limit = None if one is None else one.limit
        case.deadline_clock = None if limit is None else limit.clock
        case.deadline_at = None if limit is None else self.worktime.deadline(at, limit)

    def class_of(self, session: Session, case: CaseRow) -> CaseClass | None:
        """The class that a case is filed under."""
        return self.catalogue.class_of(case.kind, zone_purpose(session, case))


def zone_purpose(session: Session, case: CaseRow) -> Purpose | None:
    """What the zone of a case is for; ``None`` if camera or zone are no more."""
    row = session.get(CameraRow, case.camera_id)
    if row is None:
        return None
    zones = camera_of(row).judged_zones
    return next((zone.purpose for zone in zones if zone.id == case.zone_id), None)


def catalogue_names() -> list[str]:
    """Names of the catalogues that are shipped."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_catalogue(name: str) -> Catalogue:
    """Read a catalogue.

    Args:
        name: Name of a shipped one (``gb30428.2-2013``), or path of a file of the same form.

    Raises:
        ConfigError: There is no such catalogue, or its file is faulty: file, line and key are
            named.
    """
    if name in catalogue_names():
        return load_config(_folder() / f"{name}.yaml", Catalogue)
    path = Path(name)
    if not path.is_file():
        known = ", ".join(catalogue_names())
        raise ConfigError(f"no catalogue {name!r}: shipped are {known}; there is no file {path}")
    return load_config(path, Catalogue)


def _folder() -> Path:
    shipped = Path(str(resources.files("vision"))) / "shipped" / "datasets" / "catalogues"
    checkout = Path(__file__).parents[2] / "datasets" / "catalogues"
    return shipped if shipped.is_dir() else checkout
