"""Arrays of detections, in the manner of ``supervision.Detections``."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

SIGNATURE_BYTES = 61
"""Length of an appearance signature (:mod:`vision.observe.appearance`)."""

_NOT_GIVEN: NDArray[np.float32] = np.empty(0, np.float32)
_UNSIGNED: NDArray[np.uint8] = np.empty((0, SIGNATURE_BYTES), np.uint8)
_FROM_FRAME: NDArray[np.bool_] = np.empty(0, np.bool_)


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector saw in one frame.

    Attributes:
        xyxy: ``(n, 4)`` float32 boxes ``x1, y1, x2, y2`` in pixels of the source frame.
        confidence: ``(n,)`` float32 in 0..1.
        class_id: ``(n,)`` int64 index into ``names``.
        names: Class names of the model, in the order of its class ids.
        derelict: ``(n,)`` float32 in 0..1: how derelict the second stage finds a vehicle's crop,
            NaN where it was not asked (:mod:`vision.looking.second_stage`); all NaN if not given.
        appearance: ``(n, SIGNATURE_BYTES)`` uint8: signature of how a thing looks, all zeros where
            none was taken (:mod:`vision.observe.appearance`); all zeros if not given.
        standing: ``(n,)`` bool: seen in the standing picture of the view and not by the detector in
            the frame itself (:mod:`vision.looking.standing_watch`); all ``False`` if not given.

    Raises:
        ValueError: The arrays disagree in length or a class id has no name.
    """

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int64]
    names: tuple[str, ...]
    derelict: NDArray[np.float32] = field(default_factory=lambda: _NOT_GIVEN)
    appearance: NDArray[np.uint8] = field(default_factory=lambda: _UNSIGNED)
    standing: NDArray[np.bool_] = field(default_factory=lambda: _FROM_FRAME)

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        if self.derelict is _NOT_GIVEN:
            object.__setattr__(self, "derelict", np.full(n, np.nan, np.float32))
        if self.appearance is _UNSIGNED:
            object.__setattr__(self, "appearance", np.zeros((n, SIGNATURE_BYTES), np.uint8))
        if self.standing is _FROM_FRAME:
            object.__setattr__(self, "standing", np.zeros(n, np.bool_))
        if self.xyxy.shape != (n, 4):
            raise ValueError(f"xyxy must have shape (n, 4), not {self.xyxy.shape}")
        if self.confidence.shape != (n,) or self.class_id.shape != (n,):
            raise ValueError(
                f"confidence {self.confidence.shape} and class_id {self.class_id.shape} "
                f"must have shape ({n},)"
            )
        if self.derelict.shape != (n,):
            raise ValueError(f"derelict {self.derelict.shape} must have shape ({n},)")
        if self.appearance.shape != (n, SIGNATURE_BYTES):
            raise ValueError(
                f"appearance {self.appearance.shape} must have shape ({n}, {SIGNATURE_BYTES})"
            )
        if self.standing.shape != (n,):
            raise ValueError(f"standing {self.standing.shape} must have shape ({n},)")
        if n and not (self.class_id.min() >= 0 and self.class_id.max() < len(self.names)):
            raise ValueError(f"class_id must lie in 0..{len(self.names) - 1}")

    @classmethod
    def empty(cls, names: tuple[str, ...] = ()) -> Self:
        """No detections."""
        return cls(
            np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64), names
        )

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: NDArray[np.bool_] | NDArray[np.int64] | slice) -> Detections:
        """Select rows by boolean mask ``(n,)``, integer index array or slice."""
        return Detections(
            self.xyxy[index],
            self.confidence[index],
            self.class_id[index],
            self.names,
            self.derelict[index],
            self.appearance[index],
            self.standing[index],
        )

    def parts(self, starts: Sequence[int]) -> Iterator[Detections]:
        """Consecutive rows, as views; what was checked for all is not checked for each again.

        Args:
            starts: First row of each part, and the end of the last.
        """
        for first, last in pairwise(starts):
            rows = slice(first, last)
            part = object.__new__(Detections)
            part.__dict__.update(
                xyxy=self.xyxy[rows],
                confidence=self.confidence[rows],
                class_id=self.class_id[rows],
                names=self.names,
                derelict=self.derelict[rows],
                appearance=self.appearance[rows],
                standing=self.standing[rows],
            )
            yield part

    def joined(self, other: Detections) -> Detections:
        """These detections and then others; the names of ``other`` begin with these names.

        Raises:
            ValueError: They do not.
        """
        if other.names[: len(self.names)] != self.names:
            raise ValueError(f"names {other.names} do not begin with {self.names}")
        return Detections(
            np.concatenate([self.xyxy, other.xyxy]),
            np.concatenate([self.confidence, other.confidence]),
            np.concatenate([self.class_id, other.class_id]),
            other.names,
            np.concatenate([self.derelict, other.derelict]),
            np.concatenate([self.appearance, other.appearance]),
            np.concatenate([self.standing, other.standing]),
        )

    def of(
        self, classes: Container[str]
    ) -> list[tuple[tuple[float, float, float, float], float, str]]:
        """Box, confidence and class name of the detections of some classes, as plain values."""
        wanted = [name in classes for name in self.names]
        ids: list[int] = self.class_id.tolist()
        if not any(map(wanted.__getitem__, ids)):
            return []
        return [
            ((x1, y1, x2, y2), confidence, self.names[class_id])
            for (x1, y1, x2, y2), confidence, class_id in zip(
                self.xyxy.tolist(), self.confidence.tolist(), ids, strict=True
            )
            if wanted[class_id]
        ]

    def rows(self) -> Iterator[tuple[NDArray[np.float32], float, str]]:
        """Box ``(4,)``, confidence and class name of each detection."""
        for box, confidence, class_id in zip(
            self.xyxy, self.confidence, self.class_id, strict=True
        ):
            yield box, float(confidence), self.names[class_id]
