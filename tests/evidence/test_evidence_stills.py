"""Stills: what they show, that nothing private is in them, and that they can be checked."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage

from vision.evidence.manifest import Evidence, EvidenceFile
from vision.evidence.stills import MAX_SIDE, crop_of, write_evidence
from vision.frames.frame import Frame, Image, Rung
from vision.zones import WHOLE_FRAME, Purpose, Zone

CHINA = timezone(timedelta(hours=8))
FOOTWAY = Zone(id="footway", purpose=Purpose.FOOTWAY, points=((0.1, 0.2), (0.9, 0.2), (0.5, 0.9)))
WINDOW = Zone(
    id="window", purpose=Purpose.PRIVACY, points=((0.6, 0.1), (0.9, 0.1), (0.9, 0.5), (0.6, 0.5))
)


def street(width: int = 640, height: int = 360, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(90, 140, (height, width, 3), np.uint8)


def frame(image: Image, time_s: float = 5.0, camera_id: str = "cam-01") -> Frame:
    height, width = image.shape[:2]
    return Frame(
        camera_id=camera_id,
        time_s=time_s,
        timestamp=datetime(2026, 11, 23, 8, tzinfo=CHINA) + timedelta(seconds=time_s),
        pts=None,
        luma=np.zeros((180, 320), np.uint8),
        width=width,
        height=height,
        rung=Rung.STILL,
        render=lambda: image,
    )


def write(tmp_path: Path, **changes: object) -> Evidence:
    options: dict[str, object] = {
        "stem": "v1",
        "kind": "debris_pile",
        "box": (100.0, 120.0, 220.0, 200.0),
        "zone": FOOTWAY,
        "scene": frame(street()),
        "before": frame(street(seed=1), 1.0),
        "after": frame(street(seed=2), 9.0),
        "camera_name": "人民路口",
        "dwell_s": 75.0,
    }
    return write_evidence(tmp_path / "evidence", tmp_path, **{**options, **changes})  # type: ignore[arg-type]


def load(tmp_path: Path, file: EvidenceFile) -> np.ndarray:
    return np.asarray(PillowImage.open(tmp_path / file.path).convert("RGB"))


def files(evidence: Evidence) -> list[EvidenceFile]:
    views = (evidence.scene, evidence.crop, evidence.before, evidence.after)
    return [file for file in views if file is not None]


def test_every_file_is_described_as_it_lies_on_disk(tmp_path: Path) -> None:
    evidence = write(tmp_path)
    assert [file.path for file in files(evidence)] == [
        f"evidence/v1_{role}.jpg" for role in ("scene", "crop", "before", "after")
    ]
    assert evidence.clip is None
    for file in files(evidence):
        data = (tmp_path / file.path).read_bytes()
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert file.bytes == len(data)
        assert PillowImage.open(BytesIO(data)).size == (file.width, file.height)
        assert file.media_type == "image/jpeg"
    assert evidence.before is not None
    assert evidence.before.timestamp.isoformat() == "2026-11-23T08:00:01+08:00"
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == sorted(
        Path(file.path).name for file in files(evidence)
    )


def test_pictures_carry_no_exif_and_no_comment(tmp_path: Path) -> None:
    for file in files(write(tmp_path)):
        data = (tmp_path / file.path).read_bytes()
        segments = set()
        at = 2
        while data[at + 1] != 0xDA:
            segments.add(data[at + 1])
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
        # JFIF header, tables and frame only: no APP1 … APP15, no comment.
        assert segments <= {0xE0, 0xDB, 0xC0, 0xC2, 0xC4, 0xDD}
        assert b"Exif" not in data


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a"), write(tmp_path / "b")
    assert [file.sha256 for file in files(one)] == [file.sha256 for file in files(two)]


def test_scene_shows_box_zone_and_caption_and_the_crop_neither(tmp_path: Path) -> None:
    grey = np.full((360, 640, 3), 120, np.uint8)
    evidence = write(tmp_path, scene=frame(grey))
    scene = load(tmp_path, evidence.scene).astype(int)
    assert scene.shape[0] > 360, "the caption stands below the picture, not over it"
    orange = np.array([0xA0, 0x60, 0x00])
    assert np.abs(scene[118:123, 130:190] - orange).sum(axis=2).min() < 60
    assert np.abs(scene[int(0.2 * 360) - 3 : int(0.2 * 360) + 3, 300] - 255).max(axis=1).min() < 60
    assert scene[366:, :].max() > 200
    crop = load(tmp_path, evidence.crop).astype(int)
    assert np.abs(crop - 120).max() <= 3


def test_the_place_is_dashed_before_and_after(tmp_path: Path) -> None:
    grey = np.full((360, 640, 3), 120, np.uint8)
    evidence = write(tmp_path, scene=frame(grey), before=frame(grey, 1.0), zone=None)
    assert evidence.before is not None
    scene, before = (load(tmp_path, file).astype(int) for file in (evidence.scene, evidence.before))
    assert scene.shape == before.shape
    assert np.abs(scene[115:126, 100:220] - 120).max(axis=(0, 2)).min() > 60
    along = np.abs(before[115:126, 100:220] - 120).max(axis=(0, 2))
    assert along.max() > 60
    assert along.min() < 25


def test_the_whole_frame_is_not_outlined(tmp_path: Path) -> None:
    grey = np.full((360, 640, 3), 120, np.uint8)
    evidence = write(tmp_path, scene=frame(grey), zone=WHOLE_FRAME)
    assert np.abs(load(tmp_path, evidence.scene)[:100].astype(int) - 120).max() <= 3


def test_what_was_not_seen_is_not_written(tmp_path: Path) -> None:
    evidence = write(tmp_path, before=None, after=None)
    assert evidence.before is None
    assert evidence.after is None
    assert len(list((tmp_path / "evidence").iterdir())) == 2


def test_privacy_zones_are_masked_in_every_picture(tmp_path: Path) -> None:
    noise = [np.random.default_rng(n).integers(0, 256, (360, 640, 3), np.uint8) for n in range(3)]
    evidence = write(
        tmp_path,
        box=(400.0, 60.0, 520.0, 160.0),
        zone=None,
        scene=frame(noise[0]),
        before=frame(noise[1], 1.0),
        after=frame(noise[2], 9.0),
        privacy=[WINDOW, FOOTWAY],
    )
    views = (evidence.scene, evidence.before, evidence.after)
    for view in (load(tmp_path, file) for file in views if file is not None):
        assert view[40:56, 400:560].std() < 12, "masked"
        assert view[250:330, 50:300].std() > 40, "left alone"
    assert load(tmp_path, evidence.crop)[40:100, 20:120].std() < 12


@pytest.mark.parametrize(("width", "height"), [(3840, 2160), (1080, 2400), (4000, 300)])
def test_large_pictures_are_scaled_to_the_longest_side_with_caption(
    tmp_path: Path, width: int, height: int
) -> None:
    flat = np.full((height, width, 3), 120, np.uint8)
    box = (0.4 * width, 0.4 * height, 0.5 * width, 0.5 * height)
    evidence = write(tmp_path, scene=frame(flat), before=None, after=None, box=box)
    assert max(evidence.scene.width, evidence.scene.height) <= MAX_SIDE
    assert max(evidence.scene.width, evidence.scene.height) >= MAX_SIDE - 80


def test_before_of_another_size_shows_the_same_place(tmp_path: Path) -> None:
    small = np.full((180, 320, 3), 120, np.uint8)
    evidence = write(tmp_path, before=frame(small, 1.0), zone=None)
    assert evidence.before is not None
    before = load(tmp_path, evidence.before).astype(int)
    changed = np.argwhere(np.abs(before[:180] - 120).max(axis=2) > 60)
    assert changed.min(axis=0) == pytest.approx([60, 50], abs=4)
    assert changed.max(axis=0) == pytest.approx([100, 110], abs=4)


def test_a_folder_outside_the_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside the run folder"):
        write_evidence(
            tmp_path / "elsewhere",
            tmp_path / "run",
            stem="v1",
            kind="debris_pile",
            box=(0.0, 0.0, 9.0, 9.0),
            zone=None,
            scene=frame(street()),
        )
    assert not (tmp_path / "elsewhere").exists()


def test_kinds_added_later_are_drawn_too(tmp_path: Path) -> None:
    assert write(tmp_path, kind="bare_soil").scene.bytes > 0


@given(
    box=st.tuples(*[st.floats(-300, 900)] * 4).map(
        lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
    )
)
@settings(max_examples=60, deadline=None)
def test_a_crop_lies_in_the_picture_and_is_never_empty(
    box: tuple[float, float, float, float],
) -> None:
    rows, columns = np.mgrid[:360, :640]
    image = np.stack([rows // 2, columns // 4, columns % 4], axis=2).astype(np.uint8)
    crop = crop_of(image, box)
    height, width = crop.shape[:2]
    assert 0 < height <= 360
    assert 0 < width <= 640
    x1, y1, x2, y2 = box
    if x1 >= 0 and x2 <= 640 and y1 >= 0 and y2 <= 360:
        assert width >= min(x2 - x1, 640) - 1
        assert height >= min(y2 - y1, 360) - 1


def test_the_frame_is_kept_as_it_was_without_drawings_where_it_is_asked_for(tmp_path: Path) -> None:
    wide = street(MAX_SIDE + 160, 64)
    kept = write(tmp_path, scene=frame(wide), privacy=(WINDOW,), keep_frame=True).frame
    assert kept is not None
    assert (kept.width, kept.height) == (MAX_SIDE + 160, 64), "the box fits it"
    shown = load(tmp_path, kept).astype(int)
    assert np.abs(shown[:, :1000] - wide[:, :1000, ::-1]).mean() < 20, "nothing is drawn"
    hidden = shown[8:30, 1300:1800]
    assert hidden.std() < wide[8:30, 1300:1800].std() / 2, "privacy zones are masked"
    assert write(tmp_path).frame is None
