"""Types that the settings of the rules share, and what every rule can be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]


class LifeSettings(BaseModel):
    """How long a violation is waited for, told again and remembered.

    Attributes:
        grace_s: Seconds between noticing and raising, for those concerned to put it right. What is
            gone by then was never raised.
        repeat_s: Seconds after which what is still there is told again; 0 for never.
        max_repeats: How often it is told again at most.
        recurrence_days: A violation within so many days after an earlier one of its kind ended at
            its place is a recurrence of it; 0 for never.
    """

    model_config = ConfigDict(frozen=True)

    grace_s: Seconds = 0.0
    repeat_s: Seconds = 86_400.0
    max_repeats: Number = 30
    recurrence_days: Annotated[float, Field(ge=0.0, le=366.0)] = 30.0

    @classmethod
    def among(cls, settings: Mapping[str, Any]) -> LifeSettings:
        """Those among the settings of a rule."""
        return cls.model_validate({k: v for k, v in settings.items() if k in cls.model_fields})


class RuleSettings(LifeSettings):
    """Base of the settings of a rule: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def for_dwell(cls, dwell_s: float) -> dict[str, Any]:
        """Settings for a trial in which everything that must stand need stand so long only.

        Args:
            dwell_s: Seconds for every dwell.

        Returns:
            Settings to lay over others; none for a kind that has no dwell.
        """
        names = [name for name in cls.model_fields if name.endswith("dwell_s")]
        return dict.fromkeys(names, dwell_s)
