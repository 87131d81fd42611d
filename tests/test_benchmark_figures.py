"""Results of the benchmarks: ratios run by run, read back as they were written, ratios first."""

from __future__ import annotations

import cv2
import pytest

from benchmarks.figures import (
    Figure,
    Ratio,
    Results,
    plot,
    ratio,
    read_json,
    rounded,
    spread,
    table,
    write_json,
)
from vision.errors import InputError

SCAN = Figure("scan", "Jiexu, adaptive", "× real time", (150.0, 160.0, 155.0), "scan it")


def results() -> Results:
    return Results(
        "a machine, 2 cores",
        "2026-11-28T00:00:00+00:00",
        quick=True,
        ratios=[ratio("scan / floor", (60.0, 64.0), (120.0, 128.0), 0.5)],
        figures=[SCAN],
        not_measured={"live": "no camera"},
    )


def test_a_ratio_is_taken_run_by_run():
    one = ratio("a / b", (10.0, 40.0, 30.0), (10.0, 20.0, 10.0), 2.0)
    assert one.values == (1.0, 2.0, 3.0)
    assert one.median == 2.0
    assert one.holds


def test_runs_that_do_not_belong_together_give_no_ratio():
    with pytest.raises(ValueError, match="shorter"):
        ratio("a / b", (1.0, 2.0), (1.0,))


@pytest.mark.parametrize(
    ("wanted", "at_most", "holds"), [(None, False, None), (1.2, True, True), (1.2, False, False)]
)
def test_what_is_wanted_may_be_a_least_or_a_most(wanted, at_most, holds):
    assert Ratio("overhead", (1.1,), wanted, at_most).holds is holds


def test_results_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "benchmarks.json"
    write_json(results(), path)
    assert read_json(path) == results()


def test_what_holds_no_results_is_named(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"machine": "m"}')
    with pytest.raises(InputError, match=r"other\.json: holds no results"):
        read_json(path)


def test_the_table_begins_with_ratios_and_says_what_is_missing():
    lines = table(results()).splitlines()
    assert lines[0].endswith("short form")
    assert "| scan / floor | 0.500 | 0.500 | 0.500 | ≥ 0.5 | yes |" in lines
    shown = "| scan: Jiexu, adaptive | × real time | 150 | 155 | 160 | 3 | `scan it` |"
    assert lines.index(shown) > 4
    assert lines[-1] == "* live: no camera"


def test_numbers_are_shown_with_three_digits_that_count():
    assert [rounded(x) for x in (0.0, 0.01234, 1.005, 43.21, 12345.6)] == [
        "0",
        "0.0123",
        "1.00",
        "43.2",
        "12,346",
    ]
    assert spread((3.0, 1.0, 2.0)) == {"min": 1.0, "median": 2.0, "max": 3.0}


def test_the_plot_is_a_picture(tmp_path):
    plot(results(), tmp_path / "speeds.png")
    assert cv2.imread(str(tmp_path / "speeds.png")).std() > 10
