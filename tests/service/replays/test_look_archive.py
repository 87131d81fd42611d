from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from scripted import START, at, look, seen

from service.replays import archive as room
from service.replays.archive import GATHER_S, JOIN_FILES, LookArchive
from vision.observe.look import Health, Look

LONG_AGO, LONG_AFTER = START - timedelta(days=1), START + timedelta(days=30)


def looks(start_s: float, count: int, every_s: float = 10.0) -> list[Look]:
    heap = seen("debris_pile", at(300, 400))
    return [look(start_s + every_s * number, heap) for number in range(count)]


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def times(archive: LookArchive, begin: datetime = LONG_AGO, end: datetime = LONG_AFTER) -> list:
    return [(one.timestamp - START).total_seconds() for one in archive.looks("cam", begin, end)]


@pytest.fixture
def archive(tmp_path: Path) -> LookArchive:
    return LookArchive(tmp_path, "Asia/Shanghai")


def test_looks_are_given_back_as_they_were_from_one_time_to_another(archive: LookArchive) -> None:
    given = [*looks(0, 5), look(50, health=Health.GAP), *looks(60, 3)]
    for one in given:
        archive.add(one)
    archive.flush()
    found = list(archive.looks("cam", LONG_AGO, LONG_AFTER))
    assert [(one.timestamp, one.health, one.pose) for one in found] == [
        (one.timestamp, one.health, one.pose) for one in given
    ]
    assert found[0].detections.xyxy.tolist() == given[0].detections.xyxy.tolist()
    assert found[0].detections.names == given[0].detections.names
    part = times(archive, START + timedelta(seconds=20), START + timedelta(seconds=50))
    assert part == [20, 30, 40]
    assert list(archive.looks("other", LONG_AGO, LONG_AFTER)) == []


def test_looks_are_gathered_for_some_minutes(archive: LookArchive, tmp_path: Path) -> None:
    for one in looks(0, 3):
        archive.add(one)
    archive.flush(START + timedelta(seconds=GATHER_S - 1))
    assert files(tmp_path) == []
    archive.flush(START + timedelta(seconds=GATHER_S))
    assert len(files(tmp_path)) == 1


def test_a_day_of_many_files_is_one_file_and_midnight_begins_another(
    archive: LookArchive, tmp_path: Path
) -> None:
    midnight_s = (datetime(2026, 3, 2, tzinfo=UTC) - START).total_seconds()
    for number in range(JOIN_FILES):
        for one in looks(100 * number, 5):
            archive.add(one)
        archive.flush()
    assert len(files(tmp_path)) == 1
    for one in looks(midnight_s - 15, 4):
        archive.add(one)
    archive.flush()
    assert archive.days("cam") == [date(2026, 3, 1), date(2026, 3, 2)]
    assert len(times(archive)) == 5 * JOIN_FILES + 4


def test_what_a_kill_left_twice_is_given_once(archive: LookArchive, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    for number in range(JOIN_FILES):
        for one in looks(100 * number, 2):
            archive.add(one)
        if number == 5:
            for path in files(tmp_path / "cam"):
                shutil.copy(path, copies)
        archive.flush()
    whole = times(archive)
    (joined,) = files(tmp_path / "cam")
    for path in files(copies):
        if path.name != joined.name:
            shutil.copy(path, joined.parent)
    assert len(files(tmp_path / "cam")) == 5
    assert times(archive) == whole
    (joined.parent / "235959.000000.parquet").write_bytes(b"cut off")
    assert times(archive) == whole


def test_files_that_are_joined_while_they_are_read_are_read_whole(
    archive: LookArchive, tmp_path: Path
) -> None:
    for number in range(JOIN_FILES):
        if number == JOIN_FILES - 1:
            reading = archive.looks("cam", LONG_AGO, LONG_AFTER)
            first = next(reading)
        for one in looks(100 * number, 2):
            archive.add(one)
        archive.flush()
    assert len(files(tmp_path)) == 1
    assert len([first, *reading]) == 2 * JOIN_FILES


def test_a_model_with_other_classes_is_no_obstacle(archive: LookArchive) -> None:
    first, second = looks(0, 1), looks(10, 1)
    other = replace(
        second[0],
        detections=replace(
            second[0].detections, class_id=np.array([0], np.int64), names=("moraine",)
        ),
    )
    archive.add(first[0])
    archive.add(other)
    archive.flush()
    found = [
        one.detections.names[class_id]
        for one in archive.looks("cam", LONG_AGO, LONG_AFTER)
        for class_id in one.detections.class_id
    ]
    assert found == ["debris_pile", "moraine"]


def test_days_that_are_over_are_forgotten(archive: LookArchive) -> None:
    for day in range(4):
        archive.add(look(86400.0 * day))
    archive.flush()
    assert archive.forget(START + timedelta(days=2)) == 2
    assert archive.days("cam") == [date(2026, 3, 3), date(2026, 3, 4)]


def test_what_cannot_be_written_is_held_up_to_a_bound(
    archive: LookArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_LOOKS", 4)
    (tmp_path / "cam").write_text("a file where a folder should be")
    for one in looks(0, 3):
        archive.add(one)
    archive.flush()
    for one in looks(30, 3):
        archive.add(one)
    (tmp_path / "cam").unlink()
    archive.flush()
    assert times(archive) == [20, 30, 40, 50]
