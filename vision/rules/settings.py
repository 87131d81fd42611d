"""Types that the settings of the rules share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class RuleSettings(BaseModel):
    """Base of the settings of a rule: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
