from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from vision.errors import InputError
from vision.frames.inputs import ScanInput, content_sha256, discover


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def found(*arguments: Path) -> list[tuple[str, str]]:
    return [(item.kind, item.path.name) for item in discover([str(a) for a in arguments])]


def test_videos_of_a_folder_in_natural_order(tmp_path):
    tree(tmp_path, "cam10.mp4", "cam2.MP4", "sub/cam1.ts", "notes.txt", "site.json", ".hidden.mp4")
    assert found(tmp_path) == [("video", "cam2.MP4"), ("video", "cam10.mp4"), ("video", "cam1.ts")]


def test_pictures_alone_in_a_folder_are_a_sequence(tmp_path):
    tree(tmp_path, "gate/p10.jpg", "gate/p9.jpg", "gate/readme.md")
    (item,) = discover([str(tmp_path)])
    assert (item.kind, item.camera_id, item.path) == ("stills", "gate", tmp_path / "gate")
    assert [path.name for path in item.paths] == ["p9.jpg", "p10.jpg"]


def test_pictures_among_videos_are_single_ones(tmp_path):
    tree(tmp_path, "a.mp4", "b.png", "c.png", "lone/d.webp")
    assert found(tmp_path) == [
        ("video", "a.mp4"),
        ("picture", "b.png"),
        ("picture", "c.png"),
        ("picture", "d.webp"),
    ]


def test_a_file_named_explicitly_is_an_input_whatever_its_name(tmp_path):
    tree(tmp_path, "recording.001", "notes.txt", "p.jpg")
    names = [tmp_path / name for name in ("recording.001", "notes.txt", "p.jpg")]
    assert found(*names) == [
        ("video", "recording.001"),
        ("video", "notes.txt"),
        ("picture", "p.jpg"),
    ]


def test_bad_files_with_a_media_name_are_inputs_too(tmp_path):
    tree(tmp_path, "empty.mp4")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    assert {name for _, name in found(tmp_path)} == {"empty.mp4", "dangling.mp4"}


def test_what_is_reached_twice_counts_once(tmp_path):
    tree(tmp_path, "a.mp4")
    assert len(found(tmp_path, tmp_path / "a.mp4", tmp_path)) == 1


def test_links_in_a_circle(tmp_path):
    tree(tmp_path, "sub/a.mp4")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    assert found(tmp_path) == [("video", "a.mp4")]


def test_results_of_earlier_scans_are_left_out(tmp_path):
    tree(
        tmp_path,
        "a.mp4",
        "out/run.json",
        "out/detections.parquet",
        "out/evidence/1.jpg",
        "out/evidence/2.jpg",
        "stopped/.lock",
        "stopped/inputs/x/looks.parquet",
        "stopped/captured/stream.mkv",
    )
    assert found(tmp_path) == [("video", "a.mp4")]


def test_streams(tmp_path):
    (item,) = discover(["rtsp://admin:s3cret@10.0.0.7:554/live/1?token=abc"])
    assert item == ScanInput(
        kind="stream",
        paths=(),
        name="rtsp://10.0.0.7:554/live/1?token=***",
        camera_id="10.0.0.7_554_live_1",
        url="rtsp://admin:s3cret@10.0.0.7:554/live/1?token=abc",
    )
    assert "s3cret" not in str(item.path) + repr(item)


def test_an_argument_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.mp4: does not exist"):
        discover([str(tmp_path / "nowhere.mp4")])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(InputError, match="permission denied"):
        discover([str(tmp_path / "closed")])
    assert found(tmp_path) == [("video", "closed")]


def test_content_is_hashed(tmp_path):
    tree(tmp_path, "a.mp4", "b.mp4")
    one, two = tmp_path / "a.mp4", tmp_path / "b.mp4"
    assert content_sha256(one) == hashlib.sha256(b"a.mp4").hexdigest() == content_sha256((one,))
    assert content_sha256((one, two)) != content_sha256((two, one))
    with pytest.raises(InputError, match="does not exist"):
        content_sha256(tmp_path / "nowhere")
