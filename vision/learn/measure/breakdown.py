"""Split the validation pictures by light and by source, and score each part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vision.learn.measure.scoring import Examined, score

NIGHT_LUMA = 70.0
"""Pictures with a mean brightness (0..255) below this count as night.

A coarse stand-in for a clock: a well lit night street or a near-infrared view counts as day, a dark
car park by day or a picture full of tarmac as night.
"""

Kind = Literal["light", "source"]


@dataclass(frozen=True)
class Part:
    """Scores on a part of the pictures.

    Attributes:
        kind: What the pictures are split by.
        name: ``day``, ``night``, or a source.
        pictures: Pictures in it.
        classes: Labelled boxes and AP50 of each class that has boxes in it.
        map50: Mean of these AP50; None if there are none.
    """

    kind: Kind
    name: str
    pictures: int
    classes: dict[str, tuple[int, float]]
    map50: float | None


SPLITS: dict[Kind, Callable[[Examined], str]] = {
    "light": lambda e: "night" if e.luma < NIGHT_LUMA else "day",
    "source": lambda e: e.picture.source,
}


def break_down(examined: Sequence[Examined], names: Sequence[str]) -> list[Part]:
    """Score the classes on each part, by light and by source."""
    parts = []
    for kind, part_of in SPLITS.items():
        for part in sorted({part_of(e) for e in examined}):
            inside = [e for e in examined if part_of(e) == part]
            scores = [score(inside, name) for name in names]
            classes = {s.name: (s.boxes, s.ap50) for s in scores if s.ap50 is not None}
            mean = float(np.mean([ap for _, ap in classes.values()])) if classes else None
            parts.append(Part(kind, part, len(inside), classes, mean))
    return parts
