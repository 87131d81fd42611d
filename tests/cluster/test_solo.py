"""Recordings that workers scan whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vision.cluster.engine import is_scanned_whole
from vision.cluster.solo import Played, brought_home, packed, unpack
from vision.run_folder import RunFolder


@given(of=st.integers(1, 60), workers=st.integers(1, 16))
def test_every_worker_scans_as_many_and_the_fewest_possible_are_cut(of: int, workers: int) -> None:
    whole = [number for number in range(1, of + 1) if is_scanned_whole(number, of, workers)]
    assert len(whole) % workers == 0
    assert of - len(whole) < workers
    assert whole == list(range(1, len(whole) + 1))


def test_all_but_the_result_travels_and_other_inputs_stay(tmp_path: Path) -> None:
    there = RunFolder(tmp_path / "there")
    for key in ("mine", "other"):
        there.input(key).mkdir(parents=True)
        (there.input(key) / "looks-00000.parquet").write_bytes(key.encode())
        there.write_result(key, {"violations": []})
    picture = there.evidence / "violation" / "scene.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"picture")

    here = RunFolder(tmp_path / "here")
    unpack(packed(there, "mine", evidence=True), here)
    assert [path.name for path in here.input("mine").iterdir()] == ["looks-00000.parquet"]
    assert (here.evidence / "violation" / "scene.jpg").read_bytes() == b"picture"
    assert not here.input("other").exists()
    assert here.read_result("mine") is None

    again = RunFolder(tmp_path / "again")
    unpack(packed(here, "mine", evidence=False), again)
    assert (again.input("mine") / "looks-00000.parquet").read_bytes() == b"mine"
    assert not again.evidence.exists()


def test_what_comes_home_takes_the_place_of_what_an_earlier_run_had_left(tmp_path: Path) -> None:
    home, away = RunFolder(tmp_path / "home"), RunFolder(tmp_path / "away")
    for folder, names in (
        (home, ("looks-00000.parquet", "position.npz")),
        (away, ("looks.parquet",)),
    ):
        folder.input("key").mkdir(parents=True)
        for name in names:
            (folder.input("key") / name).write_bytes(b"")
    result: dict[str, Any] = {"violations": []}
    played = Played(result, packed(away, "key", evidence=True))
    assert brought_home(played, home, "key") == result
    assert {path.name for path in home.input("key").iterdir()} == {"looks.parquet", "result.json"}
    assert home.read_result("key") == result


def test_of_an_input_that_nobody_has_begun_nothing_travels(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert packed(folder, "new", evidence=True) == b""
    assert unpack(b"", folder) == set()
    assert list(tmp_path.iterdir()) == []
