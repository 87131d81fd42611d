"""The folder that a scan leaves behind; see :mod:`vision.scan` for what is in it."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision.errors import ConfigError
from vision.files import write_atomically

RESULT = "result.json"
"""File of what came of an input, in its folder; it is written last."""


class RunFolder:
    """Names of what lies in a run folder.

    Args:
        root: The folder; made if missing.

    Raises:
        ConfigError: ``root`` cannot be made or is a file.
    """

    def __init__(self, root: Path) -> None:
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{root}: cannot be used as output folder: {error}") from error
        self.root = root
        self.violations = root / "violations.jsonl"
        self.detections = root / "detections.parquet"
        self.evidence = root / "evidence"
        self.report = root / "report.html"
        self.run = root / "run.json"

    def input(self, key: str) -> Path:
        """Folder of what is known of one input."""
        return self.root / "inputs" / key

    def looks(self, key: str) -> Path:
        """Archive of the looks of a finished input."""
        return self.input(key) / "looks.parquet"

    def captured(self, name: str) -> Path:
        """Where the recording of a stream is kept."""
        folder = self.root / "captured"
        folder.mkdir(exist_ok=True)
        return folder / name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that no second scan writes into it.

        Raises:
            ConfigError: Another process holds it.
        """
        with (self.root / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(f"{self.root}: another scan is writing here") from error
            yield

    def read_result(self, key: str) -> dict[str, Any] | None:
        """Result of a finished input, ``None`` if it is not finished."""
        try:
            result: dict[str, Any] = json.loads((self.input(key) / RESULT).read_text())
        except FileNotFoundError:
            return None
        return result

    def write_result(self, key: str, result: Mapping[str, Any]) -> None:
        """Mark an input as finished."""
        write_atomically(self.input(key) / RESULT, json.dumps(result, ensure_ascii=False, indent=1))
