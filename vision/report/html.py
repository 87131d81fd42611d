"""Writes the report: one HTML page that asks nothing of the network."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from vision.cache import cache_folder
from vision.files import write_atomically
from vision.frames.frame import Rung
from vision.record import FileRecord, ViolationRecord
from vision.report.strings import TEXT, english
from vision.report.summary import InputEntry, RunSummary
from vision.report.thumbnails import data_uri
from vision.report.timeline import timelines
from vision.rules.kinds import KINDS

FULL_CARDS = 40
"""So many cards carry all their pictures in the page."""

SMALL_CARDS = 200
"""Up to so many carry small ones; those after it load them from the run's folder when shown."""

_SCENE_SIDE, _CROP_SIDE, _SMALL_SIDE = 800, 280, 240
_OTHER_COLOUR = "#868e96"
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class _Picture:
    """A picture of a card: ``src`` to show it, ``href`` of the full file."""

    src: str
    href: str
    file: FileRecord


@dataclass(frozen=True)
class _Card:
    """A violation with its pictures."""

    violation: ViolationRecord
    camera_name: str
    scene: _Picture | None
    crop: _Picture | None
    before: _Picture | None
    after: _Picture | None
    clip: str | None
    files: tuple[tuple[str, FileRecord, str], ...]


@dataclass(frozen=True)
class _KindCount:
    kind: str
    count: int
    share: float


@dataclass(frozen=True)
class _HealthRow:
    entry: InputEntry
    kind: str
    start_s: float
    end_s: float
    open_end: bool
    detail: str


def write_report(run: RunSummary, out: Path) -> None:
    """Write the report of a run as one page.

    Pictures are part of the page, as small copies for the first ones and by relative address
    after them, so that the page stays small with thousands of violations. Clips and full pictures
    are linked by relative address. The same run gives the same bytes.

    Args:
        run: What to report, see :func:`vision.report.summary.summary_from`.
        out: Page to write; replaced as a whole.
    """
    kept = cache_folder("pages")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        bytecode_cache=jinja2.FileSystemBytecodeCache(str(kept)) if kept else None,
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(t=_text, english=english, kind_colour=_kind_colour, anchor=_anchor)
    environment.globals.update(is_low_priority=_is_low_priority)
    environment.filters.update(
        duration=_duration, when=_when, size=_size, clock=_clock, setting=_setting, reason=_reason
    )
    environment.filters.update(
        file_name=lambda name: PurePath(name).name or name,
        folder=lambda name: str(PurePath(name).parent) if "/" in name else "",
        rungs=_rungs,
        container=_container,
    )
    script = (_TEMPLATES / "report.js").read_text("utf-8")
    page = environment.get_template("report.html.j2").render(
        run=run.run,
        cards=_cards(run, out),
        timelines=timelines(run),
        kinds=_kinds(run.violations),
        cameras=_cameras(run),
        health=_health(run.run.inputs),
        failed=[entry for entry in run.run.inputs if entry.status == "failed"],
        repeated=sum(entry.status == "repeated" for entry in run.run.inputs),
        others=_other_settings(run.run.settings),
        rules=run.run.settings.get("rules") or {},
        style=Markup((_TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        strings={key: {"en": en, "zh": zh} for key, (en, zh) in TEXT.items()},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page)


@lru_cache(maxsize=1024)
def _text(key: str) -> Markup:
    """Text that changes with the language; English until the page's script has run."""
    return Markup('<span data-t="{}">{}</span>').format(key, english(key))


def _is_low_priority(kind: str) -> bool:
    return kind in KINDS and KINDS[kind].priority == "low"


def _kind_colour(kind: str) -> str:
    return KINDS[kind].colour if kind in KINDS else _OTHER_COLOUR


def _anchor(identifier: str) -> str:
    """A word for ``id`` attributes and fragments, whatever an identifier holds."""
    return "v-" + re.sub(r"[^\w-]", "_", identifier, flags=re.ASCII)


def _duration(seconds: float) -> Markup:
    """Seconds in words; the script writes them anew in the language shown."""
    return Markup('<span data-dur="{}">{}</span>').format(f"{seconds:.3f}", _in_words(seconds))


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    whole = round(seconds)
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"


def _when(time: datetime) -> Markup:
    offset = time.strftime("%z")
    return Markup('<time datetime="{}">{} <span class="offset">UTC{}:{}</span></time>').format(
        time.isoformat(timespec="milliseconds"),
        time.strftime("%Y-%m-%d %H:%M:%S"),
        offset[:3],
        offset[3:5],
    )


def _clock(seconds: float) -> str:
    """Place in a recording, as players show it."""
    whole = timedelta(seconds=int(seconds))
    return f"{whole}.{int(seconds * 10 % 10)}"


def _size(count: int) -> str:
    return f"{count / 1024:.0f} KB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MB"


def _setting(value: Any) -> Markup:
    """A value of a setting, readable and on one line where it can be."""
    if value is None:
        return _text("not_set")
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bool):
        return escape("true" if value else "false")
    if isinstance(value, float):
        return escape(f"{value:g}")
    return escape(json.dumps(value, ensure_ascii=False))


def _reason(entry: InputEntry) -> str:
    """Why an input failed, without its name, which stands beside it."""
    for name in (entry.name, entry.path, Path(entry.name).name):
        if name and entry.error.startswith(f"{name}: "):
            return entry.error[len(name) + 2 :]
    return entry.error


def _rungs(decoded: Mapping[str, int]) -> dict[str, int]:
    """Frames decoded by rung, cheapest first."""
    counts = {rung.value: decoded.get(rung, decoded.get(f"decoded_{rung}", 0)) for rung in Rung}
    return {rung: count for rung, count in counts.items() if count}


def _container(entry: InputEntry) -> str:
    """The one of a demuxer's names that the file itself bears, else the first."""
    names = entry.container.split(",")
    suffix = PurePath(entry.name).suffix.lstrip(".").lower()
    return suffix if suffix in names else names[0]


def _other_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    shown_elsewhere = ("rules", "rule_options", "site_content")
    return {name: value for name, value in settings.items() if name not in shown_elsewhere}


def _kinds(violations: Sequence[ViolationRecord]) -> list[_KindCount]:
    """Kinds by number, most frequent first."""
    counts = Counter(violation.kind for violation in violations)
    return [
        _KindCount(kind, count, round(100 * count / len(violations), 3))
        for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _cameras(run: RunSummary) -> dict[str, str]:
    """Names (or ids) of all cameras by id."""
    names = {v.camera_id: v.camera_id for v in run.violations}
    for entry in run.run.inputs:
        if entry.camera_id and entry.status not in {"failed", "repeated"}:
            names[entry.camera_id] = entry.camera_name or names.get(
                entry.camera_id, entry.camera_id
            )
    return dict(sorted(names.items(), key=lambda item: item[1]))


def _health(inputs: Sequence[InputEntry]) -> list[_HealthRow]:
    rows = []
    for entry in inputs:
        rows += [
            _HealthRow(
                entry,
                event.kind,
                event.start_s,
                entry.duration_s if event.end_s is None else event.end_s,
                event.end_s is None,
                event.detail,
            )
            for event in entry.health_events
        ]
        rows += [
            _HealthRow(entry, "gap", gap.start_s, gap.end_s, open_end=False, detail="")
            for gap in entry.gaps
        ]
    return rows


def _cards(run: RunSummary, out: Path) -> list[_Card]:
    names = _cameras(run)
    way = Path(os.path.relpath(run.root.resolve(), out.parent.resolve())).as_posix()
    base = "" if way == "." else quote(way) + "/"
    violations = sorted(run.violations, key=lambda v: (v.started_at, v.camera_id, v.kind, v.id))
    return [
        _card(run, base, violation, names.get(violation.camera_id, ""), number)
        for number, violation in enumerate(violations)
    ]


def _card(
    run: RunSummary, base: str, violation: ViolationRecord, camera_name: str, number: int
) -> _Card:
    evidence = violation.evidence

    def href(file: FileRecord) -> str:
        # The leading dot keeps a name with a colon from being read as a scheme.
        return f"./{base}{quote(file.path)}"

    def picture(file: FileRecord | None, full_side: int, small_side: int | None) -> _Picture | None:
        if file is None:
            return None
        side = full_side if number < FULL_CARDS else small_side if number < SMALL_CARDS else None
        embedded = data_uri(run.root / file.path, side) if side else None
        return _Picture(src=embedded or href(file), href=href(file), file=file)

    files = []
    for role in ("scene", "crop", "before", "after", "clip"):
        file = getattr(evidence, role)
        if file is not None:
            files.append((role, file, href(file)))
    return _Card(
        violation=violation,
        camera_name=camera_name,
        scene=picture(evidence.scene, _SCENE_SIDE, _SMALL_SIDE * 2),
        crop=picture(evidence.crop, _CROP_SIDE, _SMALL_SIDE // 2),
        before=picture(evidence.before, _SCENE_SIDE, None),
        after=picture(evidence.after, _SCENE_SIDE, None),
        clip=href(evidence.clip) if evidence.clip else None,
        files=tuple(files),
    )
