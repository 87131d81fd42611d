"""The bill of a city: worked by hand, every number from a measurement or a named assumption."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cost import BEGIN, END, Assumptions, bill, page, put
from benchmarks.figures import Figure, Results, read_json
from vision.errors import InputError

LIVE = Figure("live", "cameras a core", "cameras", (40.0, 50.0, 60.0), "soak")
MEMORY = Figure("live", "memory a camera", "MiB", (10.0,), "soak")
ARCHIVE = Figure("storage", "archive of detections, a look", "bytes", (100.0,), "scan")
SCAN = Figure("scan", "Jiexu, adaptive", "× real time", (160.0,), "scan")


def results(*figures: Figure) -> Results:
    return Results("a machine, 2 cores", "2026-11-28", quick=False, figures=list(figures))


ALL = results(LIVE, MEMORY, ARCHIVE, SCAN)


def test_machines_are_whole_and_leave_room_for_peaks():
    assumed = Assumptions(cores=10, busy_share=0.5, memory_gb=1000)
    # 50 cameras a core, 5 cores busy: 250 cameras a machine.
    assert bill(ALL, assumed, 250).machines == 1
    assert bill(ALL, assumed, 251).machines == 2
    assert bill(ALL, assumed, 1000).cores_busy == 20


def test_memory_may_limit_a_machine_before_its_cores_do():
    assumed = Assumptions(cores=10, busy_share=1.0, memory_gb=1.048576)
    assert bill(ALL, assumed, 1000).machines == 10


def test_storage_and_price_are_worked_out_by_hand():
    assumed = Assumptions(
        cores=10,
        busy_share=0.5,
        memory_gb=1000,
        core_hour=1.0,
        gb_month=2.0,
        core_w=10.0,
        kwh=0.5,
        violations=2.0,
        evidence_mb=5.0,
        evidence_days=100.0,
        archive_days=10.0,
        look_s=8.64,
    )
    one = bill(ALL, assumed, 1000)
    # 10,000 looks of 100 bytes a day, for 10 days; 10 MB of evidence a day, for 100 days.
    assert one.stored_gb == pytest.approx(1000 * (0.001 * 10 + 0.01 * 100))
    hours = 24 * 30.4
    assert one.month == pytest.approx(4 * 10 * hours + 2 * one.stored_gb)
    assert one.power_kw == pytest.approx(0.2)
    assert one.energy_month == pytest.approx(0.2 * hours * 0.5)


def test_nothing_is_made_up_for_what_was_not_measured():
    with pytest.raises(InputError, match="'live', 'cameras a core"):
        page(results(MEMORY, ARCHIVE, SCAN), Assumptions())


def test_the_page_names_what_was_measured_by_what_and_all_assumptions():
    text = page(ALL, Assumptions())
    assert "| live cameras a core | 50.0 | `soak` |" in text
    assert "| camera-days of recordings a core and day, adaptive | 80.0 | `scan` |" in text
    assert "| `--core-hour` | 0.2 |" in text
    assert "| cameras | 1,000 | 100,000 |" in text


def test_only_what_stands_between_the_markers_is_replaced(tmp_path):
    path = tmp_path / "cost.md"
    path.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put(path, "new\n")
    assert path.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    path.write_text("no markers")
    with pytest.raises(InputError, match=r"cost\.md: needs one"):
        put(path, "new\n")


def test_the_page_in_the_docs_is_made_of_the_results_that_lie_beside_the_benchmarks():
    root = Path(__file__).parents[1]
    text = page(read_json(root / "benchmarks" / "measured.json"), Assumptions())
    assert f"{BEGIN}\n{text}{END}" in (root / "docs" / "cost.md").read_text("utf-8")
