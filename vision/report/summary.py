"""What a run folder tells about a run: the input of the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, ValidationError

from vision.errors import InputError
from vision.record import ViolationRecord, read_violations

LOOK_GATED, LOOK_INSPECTED, LOOK_UNHEALTHY = 0, 1, 2


def _or(default: Any) -> BeforeValidator:
    """Read ``null`` as ``default``: what a failed input could not tell."""
    return BeforeValidator(lambda value: default if value is None else value)


Count = Annotated[int, _or(0)]
Number = Annotated[float, _or(0.0)]


class _Entry(BaseModel):
    # Later versions may write more than this one shows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class StartEntry(_Entry):
    """Wall-clock start of a recording and where it was found."""

    value: AwareDatetime
    origin: str = ""


class HealthEntry(_Entry):
    """A stretch in which a camera could not see; open to the end without ``end_s``."""

    kind: str
    start_s: float
    end_s: float | None = None
    detail: Annotated[str, _or("")] = ""


class GapEntry(_Entry):
    """A hole in the timestamps of a recording."""

    start_s: float
    end_s: float


class InputEntry(_Entry):
    """One input of a run, as in ``run.json``.

    Attributes:
        name: Name in results.
        camera_id: Its camera.
        camera_name: What people call the camera.
        model: Model that looked at it.
        kind: ``video``, ``stills`` or ``stream``.
        path: Where it was read from.
        sha256: Hash of its content.
        status: ``done``, ``failed``, ``repeated`` or ``interrupted``.
        reused: Finished by an earlier run of the same folder.
        error: Why it failed.
        duration_s: Length in stream time.
        width: Width of the upright frame in pixels.
        height: Height of the upright frame in pixels.
        codec: Codec of the video.
        container: Container format.
        rotation: Degrees by which frames were turned.
        start: Wall-clock start.
        looks: All looks.
        inspected: Looks at which the detector ran.
        gated: Looks at which nothing had changed.
        unhealthy: Looks at which the view could not be judged.
        decoded: Frames decoded, by rung.
        notes: What a reader should know.
        health_events: When the view could not be judged.
        gaps: Holes in the recording.
        rules: Settings in force by kind.
        violations: Number of violations.
        wall_s: Seconds spent.
        times_real: Speed.
    """

    name: str
    camera_id: Annotated[str, _or("")] = ""
    camera_name: Annotated[str, _or("")] = ""
    model: Annotated[str, _or("")] = ""
    kind: Annotated[str, _or("")] = ""
    path: Annotated[str, _or("")] = ""
    sha256: Annotated[str, _or("")] = ""
    status: str = "done"
    reused: Annotated[bool, _or(False)] = False
    error: Annotated[str, _or("")] = ""
    duration_s: Number = 0.0
    width: Count = 0
    height: Count = 0
    codec: Annotated[str, _or("")] = ""
    container: Annotated[str, _or("")] = ""
    rotation: Count = 0
    start: StartEntry | None = None
    looks: Count = 0
    inspected: Count = 0
    gated: Count = 0
    unhealthy: Count = 0
    decoded: Annotated[dict[str, int], _or({})] = {}
    notes: Annotated[tuple[str, ...], _or(())] = ()
    health_events: Annotated[tuple[HealthEntry, ...], _or(())] = ()
    gaps: Annotated[tuple[GapEntry, ...], BeforeValidator(lambda v: v or ())] = ()
    rules: Annotated[dict[str, dict[str, Any]], _or({})] = {}
    violations: Count = 0
    wall_s: Number = 0.0
    times_real: Number = 0.0


class ModelEntry(_Entry):
    """A model that was used."""

    name: str
    runtime: Annotated[str, _or("")] = ""
    sha256: Annotated[str, _or("")] = ""
    classes: Annotated[tuple[str, ...], _or(())] = ()
    thresholds: Annotated[dict[str, float], _or({})] = {}
    experimental: Annotated[tuple[str, ...], _or(())] = ()


class Totals(_Entry):
    """Sums over all inputs."""

    inputs: Count = 0
    failed: Count = 0
    reused: Count = 0
    violations: Count = 0
    duration_s: Number = 0.0
    wall_s: Number = 0.0
    times_real: Number = 0.0
    looks: Count = 0
    inspected: Count = 0
    gated: Count = 0
    unhealthy: Count = 0
    decoded: Annotated[dict[str, int], _or({})] = {}


class RunFile(_Entry):
    """``run.json``."""

    schema_version: int = 1
    jiexu_version: Annotated[str, _or("")] = ""
    started_at: AwareDatetime
    finished_at: AwareDatetime | None = None
    status: str = "complete"
    settings: Annotated[dict[str, Any], _or({})] = {}
    models: Annotated[tuple[ModelEntry, ...], _or(())] = ()
    versions: Annotated[dict[str, Any], _or({})] = {}
    totals: Totals = Totals()
    inputs: tuple[InputEntry, ...] = ()


@dataclass(frozen=True, eq=False)
class LookTimes:
    """Looks at one input.

    Attributes:
        time_s: ``(n,)`` float64, seconds from the start of the recording, rising.
        state: ``(n,)`` int8: ``LOOK_GATED``, ``LOOK_INSPECTED`` or ``LOOK_UNHEALTHY``.
    """

    time_s: NDArray[np.float64]
    state: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class RunSummary:
    """All that the report shows.

    Attributes:
        root: The run's folder; evidence paths are relative to it.
        run: ``run.json``.
        violations: ``violations.jsonl``.
        looks: Looks by name of the input, where the archive tells them.
    """

    root: Path
    run: RunFile
    violations: tuple[ViolationRecord, ...]
    looks: Mapping[str, LookTimes] = field(default_factory=dict)


def summary_from(run_dir: Path) -> RunSummary:
    """Read a run folder: ``run.json``, ``violations.jsonl`` and, if there, ``detections.parquet``.

    Raises:
        InputError: A file is missing or wrong; it and the field are named.
    """
    return RunSummary(
        root=run_dir,
        run=read_run(run_dir),
        violations=tuple(read_violations(run_dir / "violations.jsonl")),
        looks=_looks(run_dir / "detections.parquet"),
    )


def read_run(run_dir: Path) -> RunFile:
    """Read ``run.json`` of a run folder.

    Raises:
        InputError: It is missing or wrong; the field is named.
    """
    path = run_dir / "run.json"
    try:
        return RunFile.model_validate(json.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: no JSON: {error.msg}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise InputError(f"{path}: {key}: {fault['msg']}") from error


_LOOK_COLUMNS = ("input", "time_s", "health", "inspected")


def _looks(path: Path) -> dict[str, LookTimes]:
    if not path.is_file():
        return {}
    try:
        # Not pq.read_table: it imports what reads data sets of many files, a tenth of a second.
        with pq.ParquetFile(path) as file:
            table = file.read(columns=list(_LOOK_COLUMNS))
        columns = {name: table[name].to_numpy(zero_copy_only=False) for name in _LOOK_COLUMNS}
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    names = np.asarray(columns["input"], dtype=object)
    times = np.asarray(columns["time_s"], dtype=np.float64)
    inspected = np.asarray(columns["inspected"], dtype=bool)
    healthy = np.asarray(columns["health"], dtype=object) == "ok"
    state = np.where(
        healthy, np.where(inspected, LOOK_INSPECTED, LOOK_GATED), LOOK_UNHEALTHY
    ).astype(np.int8)
    looks = {}
    for name in dict.fromkeys(names.tolist()):
        rows = np.flatnonzero(names == name)
        rows = rows[np.argsort(times[rows], kind="stable")]
        looks[str(name)] = LookTimes(times[rows], state[rows])
    return looks
