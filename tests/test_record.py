"""One line of violations.jsonl: stable, strict, and named by what it describes."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.errors import InputError
from vision.evidence.manifest import Evidence, EvidenceFile
from vision.observe.sighting import Dwell
from vision.record import (
    ModelRecord,
    SourceRecord,
    ViolationRecord,
    dump_violation,
    in_order,
    read_violations,
    record_of,
    violation_id,
    write_violations,
)
from vision.rules.finding import Basis, Earlier, Violation

CHINA = timezone(timedelta(hours=8))
STARTED = datetime(2026, 11, 23, 23, 59, 50, tzinfo=CHINA)
VIOLATION = Violation(
    kind="debris_pile",
    camera_id="人民路",
    zone_id="footway",
    key="sighting-3",
    box=(10.04, 20.0, 110.26, 220.0),
    confidence=0.87654321,
    start_s=12.3456,
    noticed_s=42.0,
    best_s=50.0,
    last_seen_s=80.0,
    end_s=None,
    looks_seen=9,
    signs=("standing",),
    rule_name="debris_dwell",
    rule_settings={"dwell_s": 60.0, "area": {"z": 1, "a": 2}},
)


def still(name: str) -> EvidenceFile:
    return EvidenceFile(f"evidence/{name}.jpg", "b" * 64, 100, 50.0, STARTED, 8, 6, "image/jpeg")


def record(violation: Violation = VIOLATION, source: str = "a") -> ViolationRecord:
    return record_of(
        violation,
        Evidence(scene=still("scene"), crop=still("crop")),
        source=SourceRecord(name=f"{source}.mp4", sha256=source * 64),
        model=ModelRecord(name="street", sha256="c" * 64),
        recording_started_at=STARTED,
    )


def test_times_carry_the_offset_of_the_recording_across_midnight() -> None:
    line = json.loads(dump_violation(record()))
    assert line["started_at"] == "2026-11-24T00:00:02.346+08:00"
    assert line["ended_at"] is None
    assert line["end_s"] is None
    assert line["evidence"]["clip"] is None


@pytest.mark.parametrize(
    ("basis", "classes", "experimental"),
    [
        ("class", ("debris_pile",), False),
        ("class", ("street_stall",), True),
        ("class", (), False),
        ("composition", ("apple", "umbrella"), True),
    ],
)
def test_what_rests_on_an_experimental_class_or_a_composition_says_so(
    basis: Basis, classes: tuple[str, ...], experimental: bool
) -> None:
    made = record_of(
        dataclasses.replace(VIOLATION, basis=basis, class_names=classes),
        Evidence(scene=still("scene"), crop=still("crop")),
        source=SourceRecord(name="a.mp4", sha256="a" * 64),
        model=ModelRecord(name="street", sha256="c" * 64),
        recording_started_at=STARTED,
        experimental=("street_stall",),
    )
    line = json.loads(dump_violation(made))
    assert line["experimental"] is experimental
    assert (line["basis"], line["class_names"]) == (basis, list(classes))


def test_the_dwell_ledger_is_told_and_its_absence_too() -> None:
    kept = dataclasses.replace(VIOLATION, dwell=Dwell(60.0004, 7.5, 0.0))
    line = json.loads(dump_violation(record(kept)))
    assert line["dwell"] == {"observed_s": 60.0, "bridged_s": 7.5, "unknown_s": 0.0}
    assert json.loads(dump_violation(record()))["dwell"] is None


def test_a_line_of_an_earlier_version_is_read() -> None:
    line = json.loads(dump_violation(record()))
    for field in ("basis", "class_names", "experimental", "noticed_s", "verification", "dwell"):
        del line[field]
    old = record().model_copy(update={"noticed_s": None, "verification": None})
    assert ViolationRecord.model_validate(line) == old


def test_the_life_of_a_violation_is_told() -> None:
    earlier = dataclasses.replace(VIOLATION, end_s=80.0)
    again = dataclasses.replace(
        VIOLATION,
        start_s=100.0,
        raised_s=700.0,
        last_seen_s=90_000.0,
        end_s=90_000.0,
        end_noticed_s=90_030.0,
        end_reason="gone",
        verification="gone",
        still_s=(87_100.0,),
        permit_id="P-7",
        recurrence_of=Earlier(
            earlier.key, earlier.zone_id, earlier.box, earlier.start_s, earlier.last_seen_s
        ),
        recurrences=1,
    )
    line = json.loads(dump_violation(record(again)))
    assert line["raised_at"] == "2026-11-24T00:11:30.000+08:00"
    assert (line["raised_s"], line["noticed_s"], line["end_noticed_s"]) == (700, 42, 90_030)
    assert (line["end_reason"], line["verification"]) == ("gone", "gone")
    assert line["still_at"] == ["2026-11-25T00:11:30.000+08:00"]
    assert (line["permit_id"], line["recurrences"]) == ("P-7", 1)
    assert line["recurrence_of"] == record(earlier).id


def test_numbers_are_rounded_and_chinese_stays_readable() -> None:
    text = dump_violation(record())
    line = json.loads(text)
    assert line["box"] == [10.0, 20.0, 110.3, 220.0]
    assert line["confidence"] == 0.8765
    assert line["start_s"] == 12.346
    assert "人民路" in text
    assert "\n" not in text


def test_settings_are_written_in_one_order() -> None:
    turned = dataclasses.replace(
        VIOLATION, rule_settings={"area": {"a": 2, "z": 1}, "dwell_s": 60.0}
    )
    assert dump_violation(record(turned)) == dump_violation(record())


@given(
    start_s=st.floats(0, 1e6),
    length_s=st.floats(0, 1e5),
    box=st.tuples(*[st.floats(-10, 4000)] * 4),
    confidence=st.floats(0, 1),
    camera=st.text(min_size=1, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_a_line_read_back_gives_the_same_line(
    start_s: float,
    length_s: float,
    box: tuple[float, float, float, float],
    confidence: float,
    camera: str,
) -> None:
    first = record(
        dataclasses.replace(
            VIOLATION,
            start_s=start_s,
            last_seen_s=start_s + length_s,
            end_s=start_s + length_s,
            box=box,
            confidence=confidence,
            camera_id=camera,
        )
    )
    line = dump_violation(first)
    again = ViolationRecord.model_validate_json(line)
    assert again == first
    assert dump_violation(again) == line


def test_dwell_counts_to_the_end_or_else_to_the_last_sight() -> None:
    assert record().dwell_s == pytest.approx(80.0 - 12.346)
    ended = record(dataclasses.replace(VIOLATION, end_s=95.0))
    assert ended.dwell_s == pytest.approx(95.0 - 12.346)


def test_a_person_is_told_until_when_it_lasted_or_what_was_seen_of_it_last() -> None:
    assert record().told_since == "2026-11-24 00:00:02+08:00"
    assert record().told_until == "still there"
    hidden = dataclasses.replace(VIOLATION, verification="cannot_see")
    assert record(hidden).told_until == "cannot be seen"
    ended = dataclasses.replace(VIOLATION, end_s=95.0)
    assert record(ended).told_until == "2026-11-24 00:01:25+08:00"


def test_id_is_the_same_for_the_same_and_differs_with_every_part() -> None:
    assert violation_id("a" * 64, VIOLATION) == violation_id(
        "a" * 64, dataclasses.replace(VIOLATION, confidence=0.1, end_s=99.0, looks_seen=1)
    )
    others = [
        violation_id("b" * 64, VIOLATION),
        *(
            violation_id("a" * 64, dataclasses.replace(VIOLATION, **{field: value}))
            for field, value in (
                ("kind", "street_stall"),
                ("camera_id", "x"),
                ("zone_id", "x"),
                ("key", "x"),
                ("start_s", 12.5),
                ("box", (10.0, 20.0, 110.0, 230.0)),
            )
        ),
    ]
    assert len({violation_id("a" * 64, VIOLATION), *others}) == 8


def test_lines_are_in_order_whatever_order_they_were_found_in(tmp_path: Path) -> None:
    records = [
        record(VIOLATION, "b"),
        record(dataclasses.replace(VIOLATION, start_s=50.0), "a"),
        record(VIOLATION, "a"),
    ]
    write_violations(tmp_path / "one.jsonl", records)
    write_violations(tmp_path / "two.jsonl", records[::-1])
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    read = read_violations(tmp_path / "one.jsonl")
    assert read == in_order(records)
    assert [(r.source.name, r.start_s) for r in read] == [
        ("a.mp4", 12.346),
        ("a.mp4", 50.0),
        ("b.mp4", 12.346),
    ]


def test_line_separators_inside_text_do_not_split_a_line(tmp_path: Path) -> None:
    odd = record(dataclasses.replace(VIOLATION, camera_id="a\u2028b\u0085c"))
    write_violations(tmp_path / "v.jsonl", [odd])
    assert read_violations(tmp_path / "v.jsonl") == [odd]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"confidence": 1.5}, "confidence"),
        ({"started_at": "2026-11-24T00:00:02"}, "started_at"),
        ({"schema_version": 2}, "schema_version"),
        ({"colour": "red"}, "colour"),
        ({"evidence": {"scene": {**dataclasses.asdict(still("x")), "path": "../x"}}}, "path"),
        ({"evidence": {"scene": {**dataclasses.asdict(still("x")), "path": "/etc/x"}}}, "path"),
    ],
)
def test_a_wrong_line_is_named_with_file_line_and_field(
    tmp_path: Path, change: dict[str, object], field: str
) -> None:
    path = tmp_path / "violations.jsonl"
    wrong = {**json.loads(dump_violation(record())), **change}
    path.write_text(
        dump_violation(record()) + "\n" + json.dumps(wrong, default=str) + "\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=rf"violations\.jsonl:2:.*{field}"):
        read_violations(path)


def test_a_line_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "violations.jsonl"
    path.write_text(dump_violation(record())[:-20], encoding="utf-8")
    with pytest.raises(InputError, match=r"violations\.jsonl:1:"):
        read_violations(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl"):
        read_violations(tmp_path / "none.jsonl")
