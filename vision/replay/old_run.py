"""A run folder whose archive is judged again: what it holds and what it was judged by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vision.archive import read_named_looks
from vision.errors import InputError
from vision.observe.look import Look
from vision.record import ViolationRecord, read_violations
from vision.report.summary import InputEntry, ModelEntry, RunFile, read_run
from vision.scan import SCHEMA_VERSION
from vision.site import RuleSettings, Site


class OldRun:
    """A run folder whose archive is judged again.

    Attributes:
        root: The folder.
        content: ``run.json`` as it is.
        run: The same, read.
        archive: Its detections.
        site: Site file that it was judged by, ``None`` without one.
        options: Rule settings given on its command line.
        violations: Its violations by hash of the recording.

    Raises:
        InputError: The folder holds no archive, or one that this version cannot judge.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.archive = root / "detections.parquet"
        if not self.archive.is_file():
            raise InputError(f"{root}: no detections.parquet: there is nothing to judge again")
        self.run: RunFile = read_run(root)
        self.content: dict[str, Any] = json.loads((root / "run.json").read_text("utf-8"))
        if self.run.schema_version != SCHEMA_VERSION:
            raise InputError(
                f"{root / 'run.json'}: schema_version: {self.run.schema_version} is of another "
                f"version of Jiexu; this one reads {SCHEMA_VERSION}"
            )
        self.options: RuleSettings = self.run.settings.get("rule_options") or {}
        self.site = self._site()
        self.violations: dict[str, list[ViolationRecord]] = {}
        for record in read_violations(root / "violations.jsonl"):
            self.violations.setdefault(record.source.sha256, []).append(record)

    @property
    def site_is_known(self) -> bool:
        """Whether the run keeps what it was judged by."""
        return "site_content" in self.run.settings

    def model(self, entry: InputEntry) -> ModelEntry:
        """The detector that looked at an input.

        Raises:
            InputError: The run does not tell.
        """
        for model in self.run.models:
            if model.name == entry.model:
                return model
        raise InputError(
            f"{self.root / 'run.json'}: {entry.name}: model: it is not told which model looked at "
            "it; scan it again with this version"
        )

    def inputs(self) -> Iterator[tuple[InputEntry, str, Iterator[Look]]]:
        """Inputs that were looked through, what the archive calls them, and their looks.

        Each must be used up before the next.
        """
        groups = groupby(read_named_looks(self.archive), key=lambda one: one[0])
        for entry in self.run.inputs:
            if entry.status != "done":
                continue
            if not entry.looks:
                yield entry, entry.name, iter(())
                continue
            name, rows = next(groups, (None, iter(())))
            if name is None:
                raise InputError(f"{self.archive}: {entry.name}: its looks are not in the archive")
            yield entry, name, (look for _, look in rows)
        if (strange := next(groups, None)) is not None:
            raise InputError(f"{self.archive}: {strange[0]}: is not in {self.root / 'run.json'}")

    def _site(self) -> Site | None:
        content = self.run.settings.get("site_content")
        if content is None:
            return None
        try:
            return Site.model_validate(content)
        except ValidationError as error:
            fault = error.errors()[0]
            key = ".".join(map(str, fault["loc"]))
            raise InputError(
                f"{self.root / 'run.json'}: settings.site_content.{key}: {fault['msg']}"
            ) from error
