from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image

from vision.errors import InputError
from vision.frames.frame import LUMA_WIDTH, Rung
from vision.frames.stills import open_stills
from vision.frames.wallclock import StartTime

CHINA = ZoneInfo("Asia/Shanghai")


def save(path: Path, grey: int = 100, taken: str | None = None, orientation: int = 1) -> Path:
    image = Image.new("RGB", (60, 40), (grey, grey, grey))
    image.paste((255, 0, 0), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    if taken:
        exif.get_ifd(0x8769)[0x9003] = taken
    image.save(path, exif=exif)
    return path


def open_them(paths, **more):
    return open_stills(paths, camera_id="gate", timezone=CHINA, **more)


def times(source) -> list[float]:
    found, wanted = [], 0.0
    while (frame := source.submit(wanted, 0.0).result()) is not None:
        found.append(frame.time_s)
        wanted = frame.time_s + 1e-6
    return found


def test_times_come_from_exif(tmp_path):
    paths = [
        save(tmp_path / f"{n}.jpg", taken=f"2024:05:01 08:30:{second:02}")
        for n, second in enumerate((0, 7, 45))
    ]
    with open_them(paths) as source:
        assert times(source) == [0.0, 7.0, 45.0]
        frame = source.submit(7.0, 0.5).result()
        assert frame.timestamp == datetime(2024, 5, 1, 8, 30, 7, tzinfo=CHINA)
        assert source.info.start.origin == "exif"
        assert source.info.duration_s == 45.0
        assert source.notes == []


def test_times_come_from_names_and_put_pictures_in_order(tmp_path):
    paths = [save(tmp_path / f"20240501_0830{s}.png") for s in ("20", "00", "05")]
    with open_them(paths) as source:
        assert times(source) == [0.0, 5.0, 20.0]
        assert source.info.start == StartTime(
            datetime(2024, 5, 1, 8, 30, tzinfo=CHINA), "file_name"
        )


def test_pictures_without_time_stand_apart_as_told(tmp_path):
    paths = [save(tmp_path / f"{n}.bmp") for n in range(3)]
    with open_them(paths) as source:
        assert times(source) == [0.0, 10.0, 20.0]
        assert source.notes == ["pictures tell no time: taken as 10 s apart"]
    start = StartTime(datetime(2020, 1, 1, tzinfo=UTC), "option")
    with open_them(paths, spacing_s=2.0, start=start) as source:
        assert times(source) == [0.0, 2.0, 4.0]
        assert source.notes == []
        assert source.submit(4.0, 0.1).result().timestamp == start.value + timedelta(seconds=4)


def test_pictures_of_the_same_second_are_kept_apart(tmp_path):
    paths = [save(tmp_path / f"{n}.jpg", taken="2024:05:01 08:30:00") for n in range(3)]
    with open_them(paths) as source:
        assert times(source) == pytest.approx([0.0, 0.001, 0.002])


def test_looks_take_the_nearest_picture_or_the_next(tmp_path):
    paths = [save(tmp_path / f"{n}.png", grey=n * 20) for n in range(5)]
    with open_them(paths) as source:
        assert source.submit(11.0, 2.5).result().time_s == 10.0
        assert source.submit(14.0, 2.5).result().time_s == 20.0
        assert source.anchor_s(11.0, 2.5) == 10.0
        assert source.anchor_s(14.0, 2.5) == 14.0
        assert source.submit(43.0, 2.5).result() is None
        frame = source.submit(40.0, 2.5).result()
        assert (frame.rung, frame.pts) == (Rung.STILL, None)
        assert tuple(frame.image[30, 40]) == (80, 80, 80)
        assert tuple(frame.image[5, 5]) == (0, 0, 255)
        assert frame.luma.shape == (round(LUMA_WIDTH * 40 / 60), LUMA_WIDTH)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_orientation_is_applied(tmp_path, suffix):
    path = save(tmp_path / f"turned.{suffix}", orientation=6)
    with open_them([path]) as source:
        frame = source.submit(0.0, 1.0).result()
        assert (source.info.width, source.info.height, source.info.rotation) == (40, 60, 90)
    assert frame.image.shape == (60, 40, 3)
    assert frame.image[5, 35, 2] > 200 > frame.image[5, 5, 2]
    assert frame.luma.shape == (round(LUMA_WIDTH * 60 / 40), LUMA_WIDTH)


def test_deep_pictures_are_brought_to_eight_bits(tmp_path):
    Image.fromarray(np.full((20, 30), 40_000, np.uint16)).save(tmp_path / "deep.png")
    with open_them([tmp_path / "deep.png"]) as source:
        assert np.unique(source.submit(0.0, 1.0).result().image).tolist() == [40_000 >> 8]


def huge_png(path: Path) -> Path:
    """Header of a picture of 20,000 x 20,000 px."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )
    return path


def cut(path: Path) -> Path:
    noise = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    return path


def test_a_broken_picture_is_named_with_its_reason(tmp_path):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    cases = {
        huge_png(tmp_path / "huge.png"): "20000x20000 px is over the limit of 100 megapixels",
        tmp_path / "empty.jpg": "is empty",
        tmp_path / "text.jpg": "is not a picture",
        tmp_path / "dangling.jpg": "link to a file that does not exist",
        tmp_path / "missing.jpg": "does not exist",
    }
    for path, reason in cases.items():
        with pytest.raises(InputError, match=reason) as caught:
            open_them([path])
        assert str(path) in str(caught.value)


def test_a_broken_picture_among_good_ones_is_skipped(tmp_path):
    paths = [
        save(tmp_path / "0.jpg"),
        cut(tmp_path / "1.jpg"),
        huge_png(tmp_path / "2.png"),
        save(tmp_path / "3.jpg"),
    ]
    with open_them(paths, spacing_s=10.0) as source:
        assert times(source) == [0.0, 20.0]
        assert [note.split(":")[0] for note in source.notes] == [
            f"skipped {paths[2]}",
            f"skipped {paths[1]}",
        ]


def test_a_single_cut_off_picture_is_an_error_when_looked_at(tmp_path):
    with (
        open_them([cut(tmp_path / "cut.jpg")]) as source,
        pytest.raises(InputError, match=r"cut\.jpg: is damaged"),
    ):
        source.submit(0.0, 1.0).result()
