from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision.archive import join_archives, read_looks, read_named_looks, write_looks
from vision.checkpoint import Checkpoint, Position
from vision.detect.detections import SIGNATURE_BYTES, Detections
from vision.errors import InputError
from vision.observe.look import Health, Look

NAMES = ("person", "car", "debris_pile")
ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 5, 1, 8, 0, tzinfo=ZONE)


@st.composite
def looks_strategy(draw: st.DrawFn) -> list[Look]:
    times = sorted(draw(st.sets(st.floats(0, 1e5, allow_nan=False), max_size=6)))
    made = []
    for time_s in times:
        health = draw(st.sampled_from(Health))
        n = draw(st.integers(0, 4)) if health is Health.OK else 0
        corner = st.floats(0, 4000, width=32)
        boxes = draw(st.lists(st.tuples(corner, corner, corner, corner), min_size=n, max_size=n))
        share = st.floats(0, 1, width=32)
        made.append(
            Look(
                camera_id="cam",
                time_s=time_s,
                timestamp=START + timedelta(seconds=round(time_s)),
                frame_size=(1920, 1080),
                health=health,
                pose=draw(st.integers(0, 3)),
                inspected=draw(st.booleans()),
                detections=Detections(
                    np.array(boxes, np.float32).reshape(-1, 4),
                    np.array(draw(st.lists(share, min_size=n, max_size=n)), np.float32),
                    np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.int64),
                    NAMES,
                    np.array(
                        draw(st.lists(share | st.just(np.nan), min_size=n, max_size=n)), np.float32
                    ),
                    np.repeat(
                        np.array(
                            draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)), np.uint8
                        ),
                        SIGNATURE_BYTES,
                    ).reshape(n, SIGNATURE_BYTES),
                ),
                to_view=draw(st.none() | st.tuples(*[st.floats(-10, 10)] * 6)),
            )
        )
    return made


def same(a: Look, b: Look) -> bool:
    return (
        (a.camera_id, a.time_s, a.timestamp, a.frame_size, a.health, a.pose, a.inspected)
        == (b.camera_id, b.time_s, b.timestamp, b.frame_size, b.health, b.pose, b.inspected)
        and a.detections.names == b.detections.names
        and np.array_equal(a.detections.xyxy, b.detections.xyxy)
        and np.array_equal(a.detections.confidence, b.detections.confidence)
        and np.array_equal(a.detections.class_id, b.detections.class_id)
        and np.array_equal(a.detections.derelict, b.detections.derelict, equal_nan=True)
        and np.array_equal(a.detections.appearance, b.detections.appearance)
        and a.to_view == b.to_view
    )


@settings(max_examples=40, deadline=None)
@given(looks=looks_strategy())
def test_looks_come_back_as_they_were(
    looks: list[Look], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("archive") / "looks.parquet"
    write_looks(path, looks, input_name="a.mp4", names=NAMES, timezone="Asia/Shanghai")
    back = list(read_looks(path))
    assert len(back) == len(looks)
    assert all(same(a, b) for a, b in zip(looks, back, strict=True))
    assert all(look.timestamp.tzinfo == ZONE for look in back)


def look_with(name: str, names: tuple[str, ...], time_s: float) -> Look:
    return Look(
        camera_id="cam",
        time_s=time_s,
        timestamp=START,
        frame_size=(640, 360),
        health=Health.OK,
        pose=0,
        inspected=True,
        detections=Detections(
            np.array([[1, 2, 3, 4]], np.float32),
            np.array([0.5], np.float32),
            np.array([names.index(name)]),
            names,
        ),
    )


def test_an_archive_longer_than_a_piece_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [look_with("car" if i % 3 else "person", NAMES, i) for i in range(25)]
    parts = []
    for number, part in enumerate((looks[:11], looks[11:])):
        parts.append(tmp_path / f"{number}.parquet")
        name = f"{number}.mp4"
        write_looks(parts[-1], part, input_name=name, names=NAMES, timezone="Asia/Shanghai")
    join_archives(parts, tmp_path / "all.parquet")
    monkeypatch.setattr("vision.archive.READ_AT_ONCE", 4)
    back = list(read_named_looks(tmp_path / "all.parquet"))
    assert [name for name, _ in back] == ["0.mp4"] * 11 + ["1.mp4"] * 14
    assert all(same(a, b) for a, (_, b) in zip(looks, back, strict=True))


def test_archives_of_different_models_can_be_joined(tmp_path: Path) -> None:
    parts = []
    for number, (name, names) in enumerate([("car", NAMES), ("crane", ("crane", "car"))]):
        path = tmp_path / f"{number}.parquet"
        look = look_with(name, names, number)
        write_looks(path, [look], input_name=f"{number}.mp4", names=names, timezone="UTC")
        parts.append(path)
    join_archives(parts, tmp_path / "all.parquet")
    back = list(read_looks(tmp_path / "all.parquet"))
    assert [look.detections.names[look.detections.class_id[0]] for look in back] == ["car", "crane"]


def test_no_archives_join_to_an_empty_one(tmp_path: Path) -> None:
    join_archives([], tmp_path / "all.parquet")
    assert list(read_looks(tmp_path / "all.parquet")) == []


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "looks.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"looks\.parquet"):
        list(read_looks(path))


def test_a_checkpoint_counts_only_parts_that_its_position_names(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, input_name="a.mp4", names=NAMES, timezone="UTC")
    assert checkpoint.load() is None
    first, second = look_with("car", NAMES, 0), look_with("car", NAMES, 2)
    state = {"gate.reference": np.arange(6, dtype=np.uint8).reshape(2, 3)}
    judge = {"version": 1, "since_s": float("-inf"), "share": 0.1}
    checkpoint.save([first], Position(1, 0.0, 1.5, True, judge, state))
    write_looks(
        tmp_path / "looks-00001.parquet", [second], input_name="a", names=NAMES, timezone="UTC"
    )
    position = Checkpoint(tmp_path, input_name="a", names=NAMES, timezone="UTC").load()
    assert position is not None
    assert (position.parts, position.base_s, position.spent_s) == (1, 0.0, 1.5)
    assert (position.active, position.judge) == (True, judge)
    assert np.array_equal(position.state["gate.reference"], state["gate.reference"])
    assert [look.time_s for look in checkpoint.looks(position.parts)] == [0]
    checkpoint.clear()
    assert checkpoint.load() is None
    assert list(tmp_path.glob("looks-*")) == []


def test_archives_from_before_signatures_and_registration_can_be_read_and_joined(tmp_path: Path):
    look = Look(
        camera_id="cam",
        time_s=0.0,
        timestamp=START,
        frame_size=(1920, 1080),
        health=Health.OK,
        pose=0,
        inspected=True,
        detections=Detections(
            np.array([[1, 2, 3, 4]], np.float32),
            np.array([0.5], np.float32),
            np.array([1], np.int64),
            NAMES,
        ),
    )
    path = tmp_path / "now.parquet"
    write_looks(path, [look], input_name="a.mp4", names=NAMES, timezone="Asia/Shanghai")
    table = pq.read_table(path)
    rows = table.drop_columns("to_view").to_pylist()
    for row in rows:
        for found in row["detections"]:
            del found["appearance"]
    earlier = tmp_path / "earlier.parquet"
    schema = pa.Table.from_pylist(rows).schema.with_metadata(table.schema.metadata)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), earlier)

    assert same(next(read_looks(earlier)), look)
    join_archives([earlier, path], tmp_path / "both.parquet")
    assert all(same(one, look) for one in read_looks(tmp_path / "both.parquet"))
