"""One line of ``violations.jsonl``: what was wrong, where, since when, and the proof of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic import ValidationError as PydanticError

from vision.errors import InputError
from vision.evidence.manifest import Evidence, EvidenceFile
from vision.files import write_atomically
from vision.observe.sighting import Dwell
from vision.rules.finding import Basis, Earlier, EndReason, Verification, Violation

SCHEMA_VERSION: Literal[1] = 1
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://jiexu.invalid/violation")


def _to_milliseconds(time: datetime) -> datetime:
    whole = time + timedelta(microseconds=500)
    return whole.replace(microsecond=whole.microsecond // 1000 * 1000)


def _inside_run(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\\" in path or not parts.name:
        raise ValueError("must be a POSIX path inside the run's folder")
    return path


def _rounded(digits: int) -> AfterValidator:
    return AfterValidator(lambda value: round(value, digits) + 0.0)


Seconds = Annotated[float, Field(allow_inf_nan=False), _rounded(3)]
Pixels = Annotated[float, Field(allow_inf_nan=False), _rounded(1)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False), _rounded(4)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Instant = Annotated[
    AwareDatetime,
    AfterValidator(_to_milliseconds),
    PlainSerializer(lambda time: time.isoformat(timespec="milliseconds"), when_used="json"),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileRecord(_Part):
    """One evidence file; ``path`` is relative to the run's folder."""

    path: Annotated[str, AfterValidator(_inside_run)]
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]
    time_s: Seconds
    timestamp: Instant
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    media_type: str


class EvidenceRecord(_Part):
    """The evidence files of one violation; ``frame`` is kept where no recording is."""

    scene: FileRecord | None = None
    frame: FileRecord | None = None
    crop: FileRecord | None = None
    before: FileRecord | None = None
    after: FileRecord | None = None
    clip: FileRecord | None = None

    def files(self) -> list[FileRecord]:
        """All files that there are."""
        found = (getattr(self, role) for role in type(self).model_fields)
        return [file for file in found if file is not None]


class ModelRecord(_Part):
    """Model that detected."""

    name: str
    sha256: Sha256


class RuleRecord(_Part):
    """Rule that held, with the settings in force."""

    name: str
    settings: dict[str, Any] = {}


class SourceRecord(_Part):
    """Recording; ``sha256`` is of its content."""

    name: str
    sha256: Sha256


class DwellRecord(_Part):
    """Where the seconds between start and last sight of a violation went.

    The three add up to no more than ``last_seen_s`` less ``start_s``; of what is left, between the
    start and the first look, no look tells.

    Attributes:
        observed_s: Seen at both ends of the pause between two looks.
        bridged_s: Hidden or missed, and seen again.
        unknown_s: The camera could not see.
    """

    observed_s: Annotated[Seconds, Field(ge=0.0)]
    bridged_s: Annotated[Seconds, Field(ge=0.0)]
    unknown_s: Annotated[Seconds, Field(ge=0.0)]


class ViolationRecord(_Part):
    """One line of ``violations.jsonl``.

    Attributes:
        schema_version: Version of this form.
        id: UUID, the same for the same violation in the same recording.
        kind: Violation kind.
        camera_id: Camera that saw it.
        zone_id: Zone in which it happened.
        box: ``x1, y1, x2, y2`` in pixels of the recording's upright frame, to 0.1 px.
        confidence: Highest confidence, 0..1.
        started_at: Wall-clock time from which it was wrong, with UTC offset.
        last_seen_at: Wall-clock time at which it was last seen.
        ended_at: Wall-clock time at which it was over; ``None`` while it lasted.
        start_s: Like ``started_at``, in seconds from the start of the recording.
        last_seen_s: Like ``last_seen_at``.
        end_s: Like ``ended_at``.
        noticed_s: When its rule first held; ``None`` in older runs.
        end_noticed_s: When it was known to be over; ``None`` while it lasted and in older runs.
        frames_seen: Looks that saw it.
        signs: What spoke for it.
        basis: ``class`` where the model knows the thing itself, ``composition`` where several
            things found together suggest it.
        class_names: Classes of the model that it rests on.
        experimental: Not to be trusted like the rest: a composition, or a class that the model's
            registry entry calls experimental.
        raised_at: Wall-clock time at which it was raised: when noticed, or after the grace period;
            ``None`` in older runs, like all that follows up to ``recurrences``.
        raised_s: Like ``raised_at``, in seconds from the start of the recording.
        end_reason: Why it was over: ``gone`` (seen gone or in order), ``permitted`` (it may be
            there from then on) or ``merged`` (it was the same thing as another violation's).
        verification: What the last look said of it: ``still_there``, ``cannot_see`` or ``gone``.
        still_at: Wall-clock times at which it was still there and told again.
        permit_id: Permit outside whose hours it was.
        recurrence_of: Id of the violation of this kind that ended at this place not long before.
        recurrences: How many went before it in that way.
        dwell: How much of its time it was seen; ``None`` in older runs, and for dust, hoardings
            and stalls known by their parts, of which no ledger is kept.
        evidence: Files that show it.
        model: Model that detected.
        rule: Rule that held.
        source: Recording.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    id: str
    kind: Annotated[str, Field(min_length=1)]
    camera_id: str
    zone_id: str
    box: tuple[Pixels, Pixels, Pixels, Pixels]
    confidence: Share
    started_at: Instant
    last_seen_at: Instant
    ended_at: Instant | None
    start_s: Seconds
    last_seen_s: Seconds
    end_s: Seconds | None
    noticed_s: Seconds | None = None
    end_noticed_s: Seconds | None = None
    frames_seen: Annotated[int, Field(ge=0)]
    signs: tuple[str, ...] = ()
    basis: Basis = "class"
    class_names: tuple[str, ...] = ()
    experimental: bool = False
    raised_at: Instant | None = None
    raised_s: Seconds | None = None
    end_reason: EndReason | None = None
    verification: Verification | None = None
    still_at: tuple[Instant, ...] = ()
    permit_id: str | None = None
    recurrence_of: str | None = None
    recurrences: Annotated[int, Field(ge=0)] = 0
    dwell: DwellRecord | None = None
    evidence: EvidenceRecord
    model: ModelRecord
    rule: RuleRecord
    source: SourceRecord

    @property
    def dwell_s(self) -> float:
        """Seconds from the start to the end, or to the last sight while it lasted."""
        return max(0.0, (self.last_seen_s if self.end_s is None else self.end_s) - self.start_s)

    @property
    def told_since(self) -> str:
        """Its start, as commands print it."""
        return self.started_at.isoformat(sep=" ", timespec="seconds")

    @property
    def told_until(self) -> str:
        """Its end, or what the last look said of it, as commands print it."""
        if self.ended_at is not None:
            return self.ended_at.isoformat(sep=" ", timespec="seconds")
        return "cannot be seen" if self.verification == "cannot_see" else "still there"


def violation_id(source_sha256: str, violation: Violation) -> str:
    """Name a violation by what it is, so that a scan repeated names it alike.

    Args:
        source_sha256: Hash of the recording's content.
        violation: The violation; camera, kind, zone, key, start (to 1 ms) and box (to 1 px) count.

    Returns:
        UUID version 5.
    """
    return _id_of(source_sha256, violation, violation)


def _id_of(source_sha256: str, violation: Violation, one: Violation | Earlier) -> str:
    """Id of a violation, or of the earlier one of its kind that it follows."""
    parts = [
        source_sha256,
        violation.camera_id,
        violation.kind,
        one.zone_id,
        one.key,
        f"{one.start_s + 0.0:.3f}",
        *(str(round(edge)) for edge in one.box),
    ]
    return str(uuid.uuid5(_NAMESPACE, json.dumps(parts)))


def record_of(
    violation: Violation,
    evidence: Evidence | None,
    *,
    source: SourceRecord,
    model: ModelRecord,
    recording_started_at: datetime,
    experimental: Collection[str] = (),
) -> ViolationRecord:
    """Make the line of a violation.

    Args:
        violation: What the rule said.
        evidence: Its files; ``None`` where none were collected.
        source: Recording that it was seen in.
        model: Model that detected.
        recording_started_at: Aware wall-clock time of the start of the recording.
        experimental: Classes that the model's registry entry calls experimental.
    """

    def at(time_s: float) -> datetime:
        return recording_started_at + timedelta(seconds=time_s)

    files = {
        role: _file(file)
        for role in EvidenceRecord.model_fields
        if (file := getattr(evidence, role, None)) is not None
    }
    return ViolationRecord(
        id=violation_id(source.sha256, violation),
        kind=violation.kind,
        camera_id=violation.camera_id,
        zone_id=violation.zone_id,
        box=violation.box,
        confidence=violation.confidence,
        started_at=at(violation.start_s),
        last_seen_at=at(violation.last_seen_s),
        ended_at=None if violation.end_s is None else at(violation.end_s),
        start_s=violation.start_s,
        last_seen_s=violation.last_seen_s,
        end_s=violation.end_s,
        noticed_s=violation.noticed_s,
        end_noticed_s=violation.end_noticed_s,
        frames_seen=violation.looks_seen,
        signs=violation.signs,
        basis=violation.basis,
        class_names=violation.class_names,
        experimental=violation.basis == "composition"
        or any(name in experimental for name in violation.class_names),
        raised_at=None if violation.raised_s is None else at(violation.raised_s),
        raised_s=violation.raised_s,
        end_reason=violation.end_reason,
        verification=violation.verification,
        still_at=tuple(at(time_s) for time_s in violation.still_s),
        permit_id=violation.permit_id,
        recurrence_of=None
        if violation.recurrence_of is None
        else _id_of(source.sha256, violation, violation.recurrence_of),
        recurrences=violation.recurrences,
        dwell=None if violation.dwell is None else _dwell(violation.dwell),
        evidence=EvidenceRecord(**files),
        model=model,
        rule=RuleRecord(name=violation.rule_name, settings=dict(violation.rule_settings)),
        source=source,
    )


def _dwell(ledger: Dwell) -> DwellRecord:
    return DwellRecord(**ledger._asdict())


def _file(file: EvidenceFile) -> FileRecord:
    return FileRecord.model_validate(file, from_attributes=True)


def dump_violation(record: ViolationRecord) -> str:
    """One line of JSON without a line end, the same bytes for equal records.

    Fields stand in the order of the model, free settings in alphabetical order.
    """
    fields = record.model_dump(mode="json")
    fields["rule"]["settings"] = json.loads(
        json.dumps(fields["rule"]["settings"], sort_keys=True, allow_nan=False)
    )
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def in_order(records: Iterable[ViolationRecord]) -> list[ViolationRecord]:
    """Records by recording, start, kind and id, whatever the order they were found in."""
    return sorted(records, key=lambda r: (r.source.name, r.source.sha256, r.start_s, r.kind, r.id))


def write_violations(path: Path, records: Sequence[ViolationRecord]) -> None:
    """Write ``violations.jsonl`` whole or not at all, in order, UTF-8, one line a record."""
    lines = [dump_violation(record) + "\n" for record in in_order(records)]
    write_atomically(path, "".join(lines))


def read_violations(path: Path) -> list[ViolationRecord]:
    """Read ``violations.jsonl``; empty lines are passed over.

    Raises:
        InputError: The file cannot be read, or a line is no such record; file, line and field
            are named.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    records = []
    # Only line feeds end a record: text in it may hold other line separators.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(ViolationRecord.model_validate_json(line))
        except PydanticError as error:
            fault = error.errors()[0]
            field = ".".join(str(part) for part in fault["loc"])
            where = f" {field}:" if field else ""
            raise InputError(f"{path}:{number}:{where} {fault['msg']}") from error
    return records
