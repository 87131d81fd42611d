"""What the teachers of a data set saw, kept in a file so that a second build does not ask again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vision.detect.detections import Detections
from vision.errors import ConfigError
from vision.files import write_atomically
from vision.frames.frame import Image
from vision.learn.data.labels import Box
from vision.learn.data.recipe import TeacherRule

if TYPE_CHECKING:
    from vision.learn.data.teacher import Teacher

SAVED_EVERY = 100
"""What teachers saw is written after this many pictures, so that a stopped build loses little."""


class TeacherNotes:
    """Asks teachers about pictures, each only once.

    Attributes:
        sha256: Hash of each teacher's weights.
    """

    sha256: Mapping[str, str]

    def __init__(
        self, path: Path, rules: Mapping[str, TeacherRule], weights: Mapping[str, Path]
    ) -> None:
        """Read what was seen before.

        Args:
            path: The notes; need not exist.
            rules: The recipe's teachers.
            weights: Their weights; a teacher without weights is never asked.

        Raises:
            ConfigError: Weights are missing or for a teacher that the recipe does not have.
        """
        for name, file in weights.items():
            if name not in rules:
                raise ConfigError(f"teacher {name}: the recipe has none of that name")
            if not file.is_file():
                raise ConfigError(f"teacher {name}: {file}: no such file")
        self._path = path
        self._rules = rules
        self._weights = weights
        self.sha256 = {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in weights.items()}
        self._teachers: dict[str, Teacher] = {}
        self._notes: dict[str, list[list[float | str]]] = {}
        if path.is_file():
            self._notes = json.loads(path.read_text(encoding="utf-8"))

    def boxes(self, name: str, key: str, image: Image) -> list[tuple[Box, float]] | None:
        """What a teacher sees in a picture.

        Args:
            name: The teacher.
            key: Name of the picture in the notes.
            image: BGR uint8 ``(h, w, 3)``.

        Returns:
            Boxes of the rule's classes and their confidences from the rule's floor up; None if the
            teacher has no weights.

        Raises:
            ConfigError: The weights lack a class of the rule.
            ModelError: The weights cannot be loaded.
        """
        if name not in self._weights:
            return None
        noted = f"{self.sha256[name][:12]}:{key}"
        floor = self._rules[name].floor
        if noted not in self._notes:
            self._notes[noted] = _fractions(self._teacher(name).detect(image, floor=floor), image)
            if len(self._notes) % SAVED_EVERY == 0:
                self.save()
        wanted = self._rules[name].classes
        return [
            (Box(str(row[0]), (float(row[2]), float(row[3]), float(row[4]), float(row[5]))), c)
            for row in self._notes[noted]
            if row[0] in wanted and (c := float(row[1])) >= floor
        ]

    def save(self) -> None:
        """Write the notes."""
        if self._notes:
            write_atomically(self._path, json.dumps(self._notes))

    def _teacher(self, name: str) -> Teacher:
        from vision.learn.data.teacher import Teacher  # brings torch

        if name not in self._teachers:
            rule = self._rules[name]
            teacher = Teacher(
                self._weights[name], image_size=rule.image_size, bfloat16=rule.bfloat16
            )
            missing = set(rule.classes) - set(teacher.names)
            if missing:
                raise ConfigError(
                    f"teacher {name}: {self._weights[name]} has no class "
                    f"{', '.join(sorted(missing))}"
                )
            self._teachers[name] = teacher
        return self._teachers[name]


def _fractions(found: Detections, image: Image) -> list[list[float | str]]:
    h, w = image.shape[:2]
    return [
        [name, round(c, 4), *(round(float(v), 5) for v in np.clip(box / (w, h, w, h), 0, 1))]
        for box, c, name in found.rows()
    ]
