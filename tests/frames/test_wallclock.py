from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.frames.wallclock import start_time, time_in_name

CHINA = ZoneInfo("Asia/Shanghai")
MORNING = datetime(2024, 5, 1, 8, 30, 0, tzinfo=CHINA)


@pytest.mark.parametrize(
    "name",
    [
        "20240501_083000.mp4",
        "20240501083000.mp4",
        "20240501-083000.mp4",
        "20240501T083000.mp4",
        "2024-05-01_08-30-00.mkv",
        "2024-05-01 08.30.00.mkv",
        "2024-05-01T083000.mkv",
        "2024_05_01_08_30_00.avi",
        "2024年05月01日08时30分00秒.mp4",
        "VID_20240501_083000.mp4",
        "ch01_20240501083000_20240501090000.mp4",
        "ch01_00000000021000000.20240501083000.mp4",
        "NVR_192_20240501083000.mp4",
        "192.168.1.64_01_20240501083000.mp4",
        "192.168.1.64_1920x1080_20240501_083000.mp4",
        "gate 1080p 20240501-083000-20240501-090000.ts",
        "20240501083000000.mp4",
        "2024-05-01T00:30:00Z.mp4",
        "D01_20240501083000_main.dav",
    ],
)
def test_times_in_file_names(name):
    assert time_in_name(name, CHINA) == MORNING


@pytest.mark.parametrize(
    "name",
    [
        "gate.mp4",
        "1920x1080_25fps.mp4",
        "19201080_123000.mp4",
        "192.168.100.200.mp4",
        "20241301_083000.mp4",
        "20240230_083000.mp4",
        "20240501_253000.mp4",
        "20240501.mp4",
        "clip_2024050108300012345678.mp4",
        "ch1_1714523400.mp4",
    ],
)
def test_what_is_no_time(name):
    assert time_in_name(name, CHINA) is None


def test_a_fraction_of_the_second_may_follow():
    found = time_in_name("20240501083000250.jpg", CHINA)
    assert found == MORNING + timedelta(milliseconds=250)


@given(
    when=st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),
    layout=st.sampled_from(["%Y%m%d_%H%M%S", "%Y%m%d%H%M%S", "%Y-%m-%d_%H-%M-%S"]),
    before=st.sampled_from(["", "ch01_", "NVR_192_", "cam-7 "]),
)
def test_every_time_written_is_found(when, layout, before):
    found = time_in_name(before + when.strftime(layout) + ".mp4", UTC)
    assert found == when.replace(microsecond=0, tzinfo=UTC)


STORED = {"creation_time": "2024-05-01T00:30:00.000000Z"}


def test_the_option_comes_first():
    given_time = datetime(2023, 1, 1, 12)
    found = start_time(Path("20240501_083000.mp4"), given_time, STORED, CHINA, 60.0)
    assert (found.value, found.origin) == (given_time.replace(tzinfo=CHINA), "option")
    aware = given_time.replace(tzinfo=UTC)
    assert start_time(Path("x.mp4"), aware, {}, CHINA, None).value == aware


def test_then_the_name_because_recorders_store_other_times():
    found = start_time(
        Path("20240501_083000.mp4"), None, {"creation_time": "2024-05-01T09:30:00Z"}, CHINA, 60.0
    )
    assert (found.value, found.origin) == (MORNING, "file_name")


def test_then_the_container():
    found = start_time(Path("gate.mp4"), None, STORED, CHINA, 60.0)
    assert (found.value, found.origin) == (MORNING, "container")
    assert found.value.utcoffset() == timedelta(hours=8)


@pytest.mark.parametrize(
    "stored", ["1904-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z", "soon", "", "2024"]
)
def test_then_the_age_of_the_file_less_its_length(tmp_path, stored):
    clip = tmp_path / "gate.mp4"
    clip.touch()
    os.utime(clip, (MORNING.timestamp() + 60, MORNING.timestamp() + 60))
    found = start_time(clip, None, {"creation_time": stored}, CHINA, 60.0)
    assert (found.value, found.origin) == (MORNING, "modified")


def test_without_anything_a_time_is_assumed():
    assert start_time(Path("/nowhere/gate.mp4"), None, {}, CHINA, None).origin == "assumed"
