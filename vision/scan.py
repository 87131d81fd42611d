"""Scan recordings: from inputs to a run folder with violations, evidence and a report.

A run folder holds ``violations.jsonl``, ``detections.parquet``, ``evidence/``, ``report.html`` and
``run.json``; ``inputs/`` holds what is needed to go on after an interruption. An input is known by
the hash of its content and of all settings that its result depends on: a rerun skips what is
finished and goes on inside what is not.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vision import __version__
from vision.archive import join_archives
from vision.detect.classifier import Classifier, load_classifier
from vision.detect.detector import Detector
from vision.detect.registry import ModelEntry, Registry
from vision.engine import Engine, LocalEngine, Result, Work
from vision.errors import InputError, JiexuError
from vision.files import write_atomically
from vision.frames.capture import capture_stream, redact
from vision.frames.inputs import ScanInput, content_sha256, discover
from vision.frames.looks import LookPolicy
from vision.frames.recording import stored_size
from vision.frames.wallclock import StartTime
from vision.judging import effective_rules, rules_for
from vision.record import ViolationRecord, write_violations
from vision.report.html import write_report
from vision.report.summary import summary_from
from vision.run_folder import RunFolder
from vision.scan_input import Job, Progress
from vision.site import Camera, RuleSettings, Site
from vision.store import drop_copy, local_copy
from vision.versions import library_versions

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
LOOKS_A_DWELL = 3
"""At rest there are at least so many looks in the shortest dwell of the rules."""
NO_CAMERA = "no camera of the site file matches: the whole frame is one zone"


@dataclass(frozen=True)
class ScanOptions:
    """What the user asked for.

    Attributes:
        site: The site file, if any.
        site_path: Where it lies.
        timezone: IANA name in which wall-clock times without offset are read.
        start_time: Wall-clock start of every input, aware.
        every_s: Fixed interval between looks; ``None`` for adaptive looks.
        rest_s: Longest interval between adaptive looks.
        active_s: Interval while something new stands or is suspected.
        forced_look_s: Inspect at least so often even if nothing changed.
        rules: Settings by kind that win over the site file's.
        model: Model name; a camera's own model wins. If neither is given, the registry chooses by
            the purposes of the camera's zones.
        runtime: Detector runtime; the best available without it.
        clip_s: Length of evidence clips.
        duration_s: How long to record streams.
    """

    site: Site | None = None
    site_path: Path | None = None
    timezone: str = "UTC"
    start_time: datetime | None = None
    every_s: float | None = None
    rest_s: float = 10.0
    active_s: float = 2.0
    forced_look_s: float = 60.0
    rules: RuleSettings = field(default_factory=dict)
    model: str | None = None
    runtime: str | None = None
    clip_s: float = 8.0
    duration_s: float | None = None


@dataclass(frozen=True)
class ScanResult:
    """How a scan ended.

    Attributes:
        folder: The run folder.
        records: All violations, in the order of the inputs.
        failed: Reason for each input that failed, by name.
        interrupted: Stopped by the user; the same command goes on.
    """

    folder: RunFolder
    records: list[ViolationRecord]
    failed: dict[str, str]
    interrupted: bool


def run_scan(
    arguments: Sequence[str],
    out: Path,
    options: ScanOptions,
    registry: Registry,
    progress: Progress,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    engine: Engine | None = None,
) -> ScanResult:
    """Scan inputs into a run folder; go on where an earlier run of the same folder stopped.

    A bad input is reported and the rest goes on. ``KeyboardInterrupt`` leaves a folder that the
    same call goes on with, and is reported in the result.

    Args:
        arguments: Files, folders and stream URLs.
        out: Run folder.
        options: What the user asked for.
        registry: Where models are found.
        progress: Hears how it goes on.
        clock: Tells wall-clock time, for the run's own times and for streams.
        engine: What does the work, this process by default; it is closed at the end.

    Raises:
        InputError: An argument does not exist, or there is nothing to scan.
        ConfigError: The folder or an option cannot be used.
        ModelError: A model cannot be loaded.
    """
    inputs = discover(arguments)
    if not inputs:
        raise InputError(f"nothing to scan in {', '.join(map(redact, arguments))}")
    folder = RunFolder(out)
    with folder.locked():
        run = _Run(folder, options, registry, progress, clock, engine=engine or LocalEngine())
        try:
            run.scan(inputs)
        except KeyboardInterrupt:
            run.interrupted = True
        finally:
            run.close()
        run.write()
    return ScanResult(
        folder=folder,
        records=run.records,
        failed={r["name"]: r["error"] for r in run.reports if r["status"] == "failed"},
        interrupted=run.interrupted,
    )


@dataclass(frozen=True)
class _Begun:
    """An input under way, or one that could not be begun.

    Attributes:
        item: The input.
        work: What is done about it; ``None`` where that could not be found out.
        wait: Waits for its result; ``None`` for the same work as an earlier one.
        failed: Report of an input that could not be begun.
    """

    item: ScanInput
    work: Work | None = None
    wait: Callable[[], Result] | None = None
    failed: dict[str, Any] | None = None


class _Told:
    """Turns what goes wrong with one input into its report; the rest goes on.

    Use as a context manager.

    Attributes:
        report: What went wrong, if anything did.
    """

    def __init__(self, item: ScanInput) -> None:
        self.report: dict[str, Any] | None = None
        self._item = item

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, InputError):
            self.report = _failed(self._item, str(error))
        elif isinstance(error, Exception) and not isinstance(error, JiexuError):
            log.error("%s", self._item.name, exc_info=error)
            name, what = self._item.name, type(error).__name__
            self.report = _failed(self._item, f"{name}: internal error: {what}: {error}")
        return self.report is not None


class _Run:
    """One call of :func:`run_scan`."""

    def __init__(
        self,
        folder: RunFolder,
        options: ScanOptions,
        registry: Registry,
        progress: Progress,
        clock: Callable[[], datetime],
        *,
        engine: Engine,
    ) -> None:
        self.reports: list[dict[str, Any]] = []
        self.records: list[ViolationRecord] = []
        self.interrupted = False
        self._folder = folder
        self._options = options
        self._registry = registry
        self._progress = progress
        self._clock = clock
        self._started = clock()
        self._began = time.perf_counter()
        self._engine = engine
        self._detectors: dict[str, Detector] = {}
        self._warmed: set[tuple[str, tuple[int, int]]] = set()
        self._derelict: Classifier | None = None
        self._begun: set[str] = set()
        self._done: dict[str, str] = {}

    def scan(self, inputs: Sequence[ScanInput]) -> None:
        """Scan the inputs, several at a time if the engine does; they are reported in order."""
        begun: deque[_Begun] = deque()
        for number, item in enumerate(inputs, 1):
            begun.append(self._begin(item, number, len(inputs)))
            if len(begun) == self._engine.at_once:
                self._end(begun.popleft())
        while begun:
            self._end(begun.popleft())

    def _begin(self, item: ScanInput, number: int, of: int) -> _Begun:
        with _Told(item) as told:
            job = self._job(item)
            detector, classifier = self._detector(job.model), self._classifier()
            work = Work(
                job,
                job.key(detector, classifier),
                detector,
                classifier,
                self._registry.classifier("derelict"),
                number,
                of,
            )
            if work.key in self._begun:
                # Known only once the first has ended, and scanned if that fails.
                return _Begun(item, work)
            self._begun.add(work.key)
            kept = self._folder.read_result(work.key)
            if kept is not None:
                kept["input"] |= {"name": item.name, "reused": True}
                return _Begun(item, work, partial(_given, kept))
            return _Begun(item, work, self._engine.begin(work, self._folder, self._progress))
        return _Begun(item, failed=told.report)

    def _end(self, begun: _Begun) -> None:
        item, work, report = begun.item, begun.work, begun.failed
        if work is not None:
            with _Told(item) as told:
                result = self._result(item, work, begun.wait)
                self.records += [ViolationRecord.model_validate(v) for v in result["violations"]]
                report = result["input"]
                self._done.setdefault(work.key, item.name)
            report = told.report or report
            if work.job.input.url:
                drop_copy(work.job.input.path)
        assert report is not None
        self.reports.append(report)
        self._progress.input_ended(report)
        self.write_violations()

    def _result(self, item: ScanInput, work: Work, wait: Callable[[], Result] | None) -> Result:
        if wait is None and work.key in self._done:
            return {"input": _repeated(item, self._done[work.key]), "violations": []}
        return (wait or self._engine.begin(work, self._folder, self._progress))()

    def write_violations(self) -> None:
        """Replace ``violations.jsonl`` by what is known so far."""
        write_violations(self._folder.violations, self.records)

    def write(self) -> None:
        """Write what describes the run as a whole."""
        self.write_violations()
        join_archives([self._folder.looks(key) for key in self._done], self._folder.detections)
        text = json.dumps(self._summary(), ensure_ascii=False, indent=2) + "\n"
        write_atomically(self._folder.run, text)
        write_report(summary_from(self._folder.root), self._folder.report)

    def close(self) -> None:
        """Release the detectors."""
        self._engine.close()

    def _detector(self, entry: ModelEntry) -> Detector:
        if entry.name not in self._detectors:
            self._detectors[entry.name] = self._engine.detector(entry, self._options.runtime)
        return self._detectors[entry.name]

    def _classifier(self) -> Classifier | None:
        """What tells derelict vehicles, if the registry has one."""
        entry = self._registry.classifier("derelict")
        if entry is not None and self._derelict is None:
            self._derelict = load_classifier(entry)
        return self._derelict

    def _get_ready(self, model: ModelEntry, size: tuple[int, int] | None) -> None:
        """Load what inspects frames of this width and height, where that is known before."""
        if size is not None and (model.name, size) not in self._warmed:
            self._warmed.add((model.name, size))
            self._engine.warm(self._detector(model), size)
        self._classifier()

    def _job(self, item: ScanInput) -> Job:
        options, notes = self._options, []
        start = None
        if item.kind == "stream":
            item, start = self._capture(item)
        elif item.url:
            item = replace(item, paths=(local_copy(item.url),))
        if options.start_time is not None:
            start = StartTime(options.start_time, "option")
        site = options.site
        camera = site.camera_of(item.path.absolute()) if site else None
        if site is not None and camera is None:
            notes.append(NO_CAMERA)
        named = (camera.model if camera else None) or options.model
        purposes = [zone.purpose.value for zone in camera.zones] if camera else []
        model = self._registry.model(named) if named else self._registry.model_for(purposes)
        size = stored_size(item.path) if item.kind == "video" else None
        # Models get ready beside the hashing of the content, which takes as long for a large file.
        # That is done here, where an interruption ends it at once.
        with ThreadPoolExecutor(1, thread_name_prefix="load") as loading:
            ready = loading.submit(self._get_ready, model, size)
            sha256 = content_sha256(item.paths)
            ready.result()
        rules = rules_for(site, camera, options.rules, model.thresholds)
        return Job(
            input=item,
            sha256=sha256,
            camera=camera or Camera(id=item.camera_id),
            model=model,
            rules=rules,
            policy=_policy(options, rules),
            forced_look_s=options.forced_look_s,
            start=start,
            timezone=options.timezone,
            clip_s=options.clip_s,
            clock=site.clock if site else None,
            notes=tuple(notes),
        )

    def _capture(self, item: ScanInput) -> tuple[ScanInput, StartTime]:
        """Record a stream into the run folder and scan the recording."""
        if self._options.duration_s is None:
            raise InputError(f"{item.name}: say with --duration how long to record a stream")
        now = self._clock()
        out = self._folder.captured(f"{item.camera_id}_{now:%Y%m%d_%H%M%S}.mkv")
        start = capture_stream(item.url, self._options.duration_s, out, clock=self._clock)
        return replace(item, kind="video", paths=(out,)), start

    def _summary(self) -> dict[str, Any]:
        options = self._options
        wall_s = time.perf_counter() - self._began
        done = [r for r in self.reports if r["status"] == "done"]
        decoded: Counter[str] = Counter()
        for report in done:
            decoded.update(report["decoded"])
        duration_s = sum(report["duration_s"] for report in done)
        fresh_s = sum(report["duration_s"] for report in done if not report.get("reused"))
        return {
            "schema_version": SCHEMA_VERSION,
            "jiexu_version": __version__,
            "started_at": self._started.isoformat(timespec="seconds"),
            "finished_at": self._clock().isoformat(timespec="seconds"),
            "status": "interrupted" if self.interrupted else "complete",
            "settings": {
                "site": str(options.site_path) if options.site_path else None,
                "site_content": site_content(options.site) if options.site else None,
                "timezone": options.timezone,
                "every_s": options.every_s,
                "rest_s": options.rest_s,
                "active_s": options.active_s,
                "forced_look_s": options.forced_look_s,
                "clip_s": options.clip_s,
                "rules": effective_rules(rules_for(options.site, None, options.rules, {})),
                "rule_options": options.rules,
            },
            "engine": self._engine.described(),
            "models": [
                _named_model(detector, self._registry.model(name).thresholds)
                | {"experimental": list(self._registry.model(name).experimental)}
                for name, detector in self._detectors.items()
            ]
            + ([_named_model(self._derelict, {})] if self._derelict else []),
            "versions": library_versions(),
            "totals": {
                "inputs": len(self.reports),
                "failed": sum(report["status"] == "failed" for report in self.reports),
                "reused": sum(bool(report.get("reused")) for report in done),
                "violations": len(self.records),
                "duration_s": round(duration_s, 3),
                "wall_s": round(wall_s, 3),
                "times_real": round(fresh_s / wall_s, 2),
                **{
                    name: sum(report[name] for report in done)
                    for name in ("looks", "inspected", "gated", "unhealthy")
                },
                "decoded": dict(decoded),
            },
            "inputs": self.reports,
        }


def site_content(site: Site) -> dict[str, Any]:
    """A site file for ``run.json``: what it names, without the passwords of streams."""
    content: dict[str, Any] = site.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for camera in content["cameras"]:
        if camera.get("source"):
            camera["source"] = redact(camera["source"])
    return content


def _policy(options: ScanOptions, rules: RuleSettings) -> LookPolicy:
    if options.every_s is not None:
        return LookPolicy.fixed(options.every_s)
    shortest_s = min(
        value
        for settings in effective_rules(rules).values()
        for name, value in settings.items()
        if name.endswith("dwell_s")
    )
    rest_s = min(options.rest_s, shortest_s / LOOKS_A_DWELL)
    return LookPolicy(rest_s=max(rest_s, options.active_s), active_s=options.active_s)


def _named_model(model: Detector | Classifier, thresholds: Mapping[str, float]) -> dict[str, Any]:
    return {
        "name": model.model_name,
        "runtime": model.runtime,
        "sha256": model.model_sha256,
        "classes": list(model.names),
        "thresholds": dict(thresholds),
    }


def _given(result: Result) -> Result:
    return result


def _failed(item: ScanInput, reason: str) -> dict[str, Any]:
    return _named(item) | {"status": "failed", "error": reason}


def _repeated(item: ScanInput, first: str) -> dict[str, Any]:
    note = f"same content and settings as {first}: counted once"
    return _named(item) | {"status": "repeated", "error": None, "notes": [note]}


def _named(item: ScanInput) -> dict[str, Any]:
    return {
        "name": item.name,
        "camera_id": item.camera_id,
        "kind": item.kind,
        "path": redact(str(item.path)),
    }
