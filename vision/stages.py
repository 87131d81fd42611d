"""Stages of a building site, with the days on which they begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Stage(StrEnum):
    """How far a site is; decides what is expected of it."""

    NOT_STARTED = "not_started"
    DEMOLITION = "demolition"
    EARTHWORK = "earthwork"
    STRUCTURE = "structure"
    POST_NINE = "post_nine"
    HANDED_OVER = "handed_over"


class StageStart(BaseModel):
    """A stage begins.

    Attributes:
        stage: ``demolition``, ``earthwork``, ``structure``, ``post_nine`` (后九通: roads, pipes,
            green and the like after the building itself) or ``handed_over``.
        first: First day of it; it lasts until the next one begins.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: Stage
    first: Annotated[date, Field(alias="from")]


def in_order(stages: Sequence[StageStart]) -> None:
    """Check that stages begin one after the other.

    Raises:
        ValueError: They do not.
    """
    for earlier, later in pairwise(stages):
        if later.first <= earlier.first:
            raise ValueError(
                f"stages must begin one after the other: {later.stage} from {later.first} comes "
                f"after {earlier.stage} from {earlier.first}"
            )


def stage_on(stages: Sequence[StageStart], day: date) -> Stage | None:
    """Stage of a site on a local day.

    Returns:
        ``None`` where no stages are given: everything is expected then.
    """
    if not stages:
        return None
    current = Stage.NOT_STARTED
    for start in stages:
        if start.first <= day:
            current = start.stage
    return current
