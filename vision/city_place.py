"""What a city calls a place: whose it is, and how strictly it is looked after."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Words = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class CityPlace(BaseModel):
    """Place of a camera or a zone, in the city's words; all of it is optional.

    Figures are told apart by it and dispatch is addressed by it; no rule looks at it.

    Attributes:
        district: District or county 区县.
        street: Street, town or sub-district 街道.
        grid: Code of the unit grid 单元网格, 14 to 16 digits.
        unit: Unit that is responsible 责任单位.
        address: Where it is, for people.
        assess_level: How strictly it is assessed: 1 around malls, government seats, hospitals,
            schools, stations and sights, 2 in housing, 3 elsewhere (常政发〔2019〕110号).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    district: Words | None = None
    street: Words | None = None
    grid: Annotated[str, Field(pattern=r"^\d{14,16}$")] | None = None
    unit: Words | None = None
    address: Words | None = None
    assess_level: Literal[1, 2, 3] | None = None

    def within(self, larger: CityPlace) -> CityPlace:
        """It, with what it does not say itself taken from a larger one around it."""
        return CityPlace(**(larger.told() | self.told()))

    def told(self) -> dict[str, Any]:
        """What it says."""
        return self.model_dump(exclude_none=True)
