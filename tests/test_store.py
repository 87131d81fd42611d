from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import fsspec
import pytest

from vision import store
from vision.errors import ConfigError, InputError
from vision.frames.inputs import discover


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of a store of this process."""
    monkeypatch.setenv("JIEXU_SCRATCH", str(tmp_path / "scratch"))
    return f"memory://{uuid.uuid4().hex}"


def put(url: str, content: bytes) -> None:
    with fsspec.open(url, "wb") as file:
        file.write(content)


def test_recordings_of_a_store_are_inputs_in_natural_order(place: str) -> None:
    for name in ("cam10.mp4", "cam2.mp4", "notes.txt", "sub/cam1.mkv"):
        put(f"{place}/{name}", b"x")
    found = discover([place])
    assert [item.name for item in found] == [
        f"{place}/{name}" for name in ("sub/cam1.mkv", "cam2.mp4", "cam10.mp4")
    ]
    assert [item.camera_id for item in found] == ["cam1", "cam2", "cam10"]
    assert discover([f"{place}/notes.txt"])[0].kind == "video", "named explicitly it is one"
    with pytest.raises(InputError, match=f"{place}/none: does not exist"):
        discover([f"{place}/none"])


def test_a_copy_is_made_once_and_again_when_the_content_changes(place: str) -> None:
    put(f"{place}/a.mp4", b"first")
    copy = store.local_copy(f"{place}/a.mp4")
    assert copy.read_bytes() == b"first"
    assert copy.name == "a.mp4"
    assert store.local_copy(f"{place}/a.mp4") == copy
    put(f"{place}/a.mp4", b"second")
    assert store.local_copy(f"{place}/a.mp4").read_bytes() == b"second"
    store.drop_copy(copy)
    assert not copy.exists()


def test_what_was_not_copied_is_never_dropped(place: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_bytes(b"mine")
    store.drop_copy(mine)
    assert mine.exists()


def test_a_run_goes_into_the_store_and_comes_back_from_it(place: str) -> None:
    with store.run_folder_of(f"{place}/run") as folder:
        (folder / "inputs").mkdir()
        (folder / "inputs" / "position.npz").write_bytes(b"1")
        (folder / "run.json").write_text("{}")
    with store.run_folder_of(f"{place}/run") as folder:
        assert (folder / "inputs" / "position.npz").read_bytes() == b"1"
        (folder / "inputs" / "position.npz").unlink()
        with (
            pytest.raises(ConfigError, match="another scan is writing here"),
            store.run_folder_of(f"{place}/run"),
        ):
            pass
    with store.run_folder_of(f"{place}/run") as folder:
        assert not (folder / "inputs" / "position.npz").exists()
        assert (folder / "run.json").exists()


def test_an_interrupted_run_is_in_the_store_too(place: str) -> None:
    with pytest.raises(KeyboardInterrupt), store.run_folder_of(f"{place}/run") as folder:
        (folder / "violations.jsonl").write_bytes(b"found")
        raise KeyboardInterrupt
    with store.run_folder_of(f"{place}/run") as folder:
        assert (folder / "violations.jsonl").read_bytes() == b"found"


def test_a_file_that_speaks_of_others_comes_after_them(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    system = type(fsspec.filesystem("memory"))
    for name in ("pipe_file", "put_file"):
        plain = getattr(system, name)

        def noted(self: object, a: str, b: Any, plain: Any = plain, **options: Any) -> None:
            order.extend(Path(c).name for c in (a, b) if isinstance(c, str) and place[9:] in c)
            plain(self, a, b, **options)

        monkeypatch.setattr(system, name, noted)
    with store.run_folder_of(f"{place}/run") as folder:
        (folder / "position.npz").write_bytes(b"of the part")
        (folder / "looks-00000.parquet").write_bytes(b"part")
    assert order == ["looks-00000.parquet", "position.npz"]


def test_a_plain_path_is_itself(tmp_path: Path) -> None:
    with store.run_folder_of(str(tmp_path / "run")) as folder:
        assert folder == tmp_path / "run"


@pytest.mark.parametrize("name", ["s3://bucket/a.mp4", "gs://bucket/a", "memory://x"])
def test_stores_are_told_from_streams_and_files(name: str) -> None:
    assert store.is_store_url(name)
    assert not store.is_store_url("rtsp://camera/stream")
    assert not store.is_store_url("recordings/s3")


def test_names_that_lead_out_of_the_folder_are_refused(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"{place}/a.mp4", b"x")
    monkeypatch.setattr(store, "_opened", lambda url: (fsspec.filesystem("memory"), "/x/../../a"))
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "ukey", lambda self, path: "same")
    with pytest.raises(InputError, match=r"must not hold '\.\.'"):
        store.local_copy(f"{place}/a.mp4")
