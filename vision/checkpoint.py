"""How far the scan of one input has come, on disk.

Looks are appended as Parquet parts; the position file names how many parts count and holds the
state of gate, watch and judge after the last of them, so that no look is judged twice. It is
replaced last, so a kill at any moment leaves a position whose parts are whole.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vision.archive import read_looks, write_looks
from vision.files import write_atomically
from vision.observe.look import Look


@dataclass(frozen=True, eq=False)
class Position:
    """Where a scan stopped.

    Attributes:
        parts: Number of archive parts that count.
        base_s: See :attr:`vision.pipeline.Looker.base_s`.
        spent_s: Seconds of work of all runs so far.
        active: Whether the next look is taken at the active pace.
        judge: See :meth:`vision.rules.judge.Judge.state`.
        state: See :meth:`vision.pipeline.Looker.state`.
    """

    parts: int
    base_s: float
    spent_s: float
    active: bool
    judge: dict[str, Any]
    state: dict[str, NDArray[Any]]


class Checkpoint:
    """The checkpoint of one input, in a folder of its own.

    Args:
        folder: Made if missing.
        input_name: Name of the input.
        names: Class names of the model.
        timezone: IANA name for timestamps.
    """

    def __init__(
        self, folder: Path, *, input_name: str, names: Sequence[str], timezone: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._input_name = input_name
        self._names = names
        self._timezone = timezone

    def load(self) -> Position | None:
        """The position saved last, or ``None`` if nothing was saved."""
        try:
            data = (self._folder / "position.npz").read_bytes()
        except FileNotFoundError:
            return None
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            head = json.loads(str(arrays["head"]))
            state = {name: arrays[name] for name in arrays.files if name != "head"}
        return Position(**head, state=state)

    def looks(self, parts: int) -> list[Look]:
        """All looks of the first ``parts`` parts, in order."""
        return [look for i in range(parts) for look in read_looks(self._part(i))]

    def save(self, looks: Sequence[Look], position: Position) -> None:
        """Append a part with the looks since the last save, then replace the position.

        Args:
            looks: Looks since the last save.
            position: With ``parts`` counting the new part.
        """
        write_looks(
            self._part(position.parts - 1),
            looks,
            input_name=self._input_name,
            names=self._names,
            timezone=self._timezone,
        )
        head = {name: value for name, value in vars(position).items() if name != "state"}
        buffer = io.BytesIO()
        arrays: Mapping[str, NDArray[Any]] = {
            "head": np.array(json.dumps(head)),
            **position.state,
        }
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_atomically(self._folder / "position.npz", buffer.getvalue())

    def part_paths(self) -> list[Path]:
        """Archives of all parts saved, in order."""
        position = self.load()
        return [self._part(i) for i in range(position.parts)] if position else []

    def clear(self) -> None:
        """Remove position and parts, once the input is finished."""
        (self._folder / "position.npz").unlink(missing_ok=True)
        for path in self._folder.glob("looks-*.parquet*"):
            path.unlink()

    def _part(self, number: int) -> Path:
        return self._folder / f"looks-{number:05d}.parquet"
