"""What reviewers decided: ``reviewed.jsonl``, one line a decision, beside ``violations.jsonl``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vision.errors import InputError

DECISIONS_FILE = "reviewed.jsonl"
"""Name of the file in a run folder."""

Pixel = Annotated[float, Field(allow_inf_nan=False)]


class Decision(BaseModel):
    """One line of ``reviewed.jsonl``; lines are only ever added, the last of a violation counts.

    Attributes:
        violation_id: Id in ``violations.jsonl``.
        decision: ``confirmed``; ``rejected``: nothing of the kind is there; ``changed``: something
            is wrong there, but of another kind or in another box.
        kind: Kind of what is there, if the reviewer changed it.
        box: ``x1, y1, x2, y2`` in pixels of the recording's upright frame, if the reviewer
            corrected it.
        reviewer: Who decided.
        decided_at: When.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    violation_id: Annotated[str, Field(min_length=1)]
    decision: Literal["confirmed", "rejected", "changed"]
    kind: str | None = None
    box: tuple[Pixel, Pixel, Pixel, Pixel] | None = None
    reviewer: str = ""
    decided_at: AwareDatetime

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.decision == "changed" and self.kind is None and self.box is None:
            raise ValueError("changed: needs a kind or a box")
        if self.box is not None and (self.box[2] <= self.box[0] or self.box[3] <= self.box[1]):
            raise ValueError("box: must be x1, y1, x2, y2 with x1 < x2 and y1 < y2")
        return self


def read_decisions(path: Path) -> dict[str, Decision]:
    """Read ``reviewed.jsonl``; empty lines are passed over.

    Returns:
        The last decision of each violation, by the violation's id.

    Raises:
        InputError: The file cannot be read, or a line is no decision; file, line and field are
            named.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    decisions: dict[str, Decision] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            decision = Decision.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors()[0]
            field = ".".join(str(part) for part in fault["loc"])
            where = f" {field}:" if field else ""
            raise InputError(f"{path}:{number}:{where} {fault['msg']}") from error
        decisions[decision.violation_id] = decision
    return decisions
