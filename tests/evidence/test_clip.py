"""Clips: playable in a browser whatever the recording is, and of the seconds asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest

from tests.evidence.recordings import record, time_of, turn
from vision.errors import InputError
from vision.evidence.clip import LEAD_S, Cut, cut_clip, write_clip
from vision.zones import Purpose, Zone

CORNER = Zone(
    id="window", purpose=Purpose.PRIVACY, points=((0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5))
)
Pictures = list[tuple[float, np.ndarray]]


def play(clip: Path) -> Pictures:
    """Times and pictures of a clip, checked for what browsers ask."""
    data = clip.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat"), "must start before it is loaded whole"
    with av.open(str(clip)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt in {"yuv420p", "yuvj420p"}
        return [
            (frame.time, frame.to_ndarray(format="bgr24")) for frame in container.decode(stream)
        ]


def check(cut: Cut, pictures: Pictures, *, slack_s: float = 0.1) -> None:
    """The clip begins at 0, shows what it says it shows, and lasts as long as it says."""
    times = [time for time, _ in pictures]
    assert times[0] == pytest.approx(0.0, abs=0.01)
    assert times == sorted(set(times))
    assert {picture.shape for _, picture in pictures} == {(cut.height, cut.width, 3)}
    assert time_of(pictures[0][1]) == pytest.approx(cut.start_s, abs=slack_s + 0.01)
    assert times[-1] <= cut.duration_s + 0.01
    assert time_of(pictures[-1][1]) == pytest.approx(cut.start_s + times[-1], abs=slack_s + 0.11)


@pytest.mark.parametrize(
    ("name", "options", "copied"),
    [
        ("a.mp4", {}, True),
        ("a.mp4", {"b_frames": 2}, True),
        ("a.mkv", {}, True),
        ("a.ts", {}, True),
        ("a.flv", {}, True),
        ("a.mov", {"audio": True}, True),
        ("a.mp4", {"gop_s": 30.0}, False),
        ("a.mp4", {"pix_fmt": "yuv444p"}, False),
        ("a.avi", {"codec": "mpeg4"}, False),
        ("a.avi", {"codec": "mpeg4", "b_frames": 2}, False),
        ("a.avi", {"b_frames": 2}, False),
        ("a.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}, False),
        ("a.mkv", {"codec": "libx265"}, False),
    ],
)
def test_every_kind_of_recording_gives_a_clip_of_the_seconds_asked_for(
    tmp_path: Path, name: str, options: dict[str, object], copied: bool
) -> None:
    recording = record(tmp_path / name, **options)  # type: ignore[arg-type]
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=4.5, duration_s=4.0)
    check(cut, play(tmp_path / "clip.mp4"))
    assert cut.copied is copied
    assert 3.4 <= cut.start_s <= 4.6
    assert cut.start_s + cut.duration_s == pytest.approx(8.5, abs=0.35)


def test_a_start_before_the_recording_moves_to_its_start(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.mp4")
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=-3.0, duration_s=4.0)
    check(cut, play(tmp_path / "clip.mp4"))
    assert cut.start_s == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.avi"])
def test_a_start_past_the_end_shows_the_last_seconds(tmp_path: Path, name: str) -> None:
    recording = record(tmp_path / name, codec="mpeg4" if name == "a.avi" else "libx264")
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=500.0, duration_s=4.0)
    pictures = play(tmp_path / "clip.mp4")
    check(cut, pictures)
    assert time_of(pictures[-1][1]) == pytest.approx(11.9, abs=0.21)


def test_a_recording_shorter_than_the_clip_is_shown_whole(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.mp4", duration_s=1.5)
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=0.2)
    check(cut, play(tmp_path / "clip.mp4"))
    assert cut.duration_s <= 1.6


def test_one_picture_is_enough(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.mkv", codec="mjpeg", pix_fmt="yuvj420p", times_s=[0.0])
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=0.0)
    assert len(play(tmp_path / "clip.mp4")) >= 1
    assert cut.duration_s > 0


def test_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.2, 1.5, 1.6, 4.0, 4.1, 4.2, 7.0, 7.3, 9.0, 9.5]
    recording = record(tmp_path / "a.mkv", codec="libx265", times_s=times)
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=4.0, duration_s=4.0)
    assert not cut.copied
    for time_s, picture in play(tmp_path / "clip.mp4"):
        shown = max(t for t in times if t <= cut.start_s + time_s + 0.01)
        assert time_of(picture) == pytest.approx(shown, abs=0.01)


def test_a_recording_that_begins_between_keyframes_still_gives_a_clip(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.ts", gop_s=3.0, first_packet=7)
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=0.0, duration_s=6.0)
    pictures = play(tmp_path / "clip.mp4")
    # The first keyframe was recorded at 3.0 s; the recording begins at 0.7 s.
    assert any(time_of(p) == pytest.approx(3.0, abs=0.3) for _, p in pictures)
    assert len(pictures) > 10
    assert cut.start_s >= 0.0


@pytest.mark.parametrize("masks", [(), (CORNER,)])
def test_joined_recordings_are_cut_on_the_repaired_time_line(
    tmp_path: Path, masks: tuple[Zone, ...]
) -> None:
    """The clock of the second half starts anew: 15 s in all are 3 s into it."""
    half = record(tmp_path / "half.ts", size=(320, 240)).read_bytes()
    (tmp_path / "joined.ts").write_bytes(half + half)
    cut = cut_clip(
        tmp_path / "joined.ts", tmp_path / "c.mp4", start_s=15.0, duration_s=4.0, privacy=masks
    )
    pictures = play(tmp_path / "c.mp4")
    assert cut.start_s == pytest.approx(15.0, abs=0.01)
    assert cut.duration_s == pytest.approx(4.0, abs=0.2)
    if not masks:
        assert time_of(pictures[0][1]) == pytest.approx(3.0, abs=0.11)


def test_turned_recordings_come_out_upright(tmp_path: Path) -> None:
    recording = turn(record(tmp_path / "a.mp4"))
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=2.0, duration_s=2.0)
    _, picture = play(tmp_path / "clip.mp4")[0]
    assert not cut.copied
    assert (cut.width, cut.height) == (120, 160)
    assert picture.shape[:2] == (160, 120)
    with av.open(str(recording)) as container:
        frame = next(container.decode(video=0))
        expected = np.rot90(frame.to_ndarray(format="bgr24"), frame.rotation // 90)
    for edge in (np.s_[:8, 30:90], np.s_[-8:, 30:90], np.s_[30:130, :8], np.s_[30:130, -8:]):
        assert float(picture[edge].mean()) == pytest.approx(float(expected[edge].mean()), abs=40)


def test_privacy_zones_are_masked_in_every_picture(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.mp4", size=(320, 240))
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=2.0, duration_s=2.0, privacy=[CORNER])
    assert not cut.copied
    with av.open(str(recording)) as container:
        sharp = next(container.decode(video=0)).to_ndarray(format="bgr24")[:110, :150]
    for _, picture in play(tmp_path / "clip.mp4"):
        masked = picture[:110, :150]
        # The white stripe at the left and the black one at the top end in sharp edges.
        assert np.abs(np.diff(masked[..., 0].astype(int), axis=1)).max() < 40
        assert np.abs(np.diff(sharp[..., 0].astype(int), axis=1)).max() > 100


def test_other_zones_leave_the_recording_as_it_is(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.mp4")
    footway = CORNER.model_copy(update={"purpose": Purpose.FOOTWAY})
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=2.0, privacy=[footway])
    assert cut.copied


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_nothing_is_told_about_camera_place_or_encoder(tmp_path: Path, codec: str) -> None:
    told = {
        "comment": "serial 4711",
        "creation_time": "2020-02-02T02:02:02Z",
        "location": "+31.77+119.95/",
    }
    recording = record(tmp_path / "a.mp4", codec=codec, metadata=told)
    assert b"4711" in recording.read_bytes()
    cut_clip(recording, tmp_path / "clip.mp4", start_s=2.0)
    data = (tmp_path / "clip.mp4").read_bytes()
    for word in (b"4711", b"31.77", b"Lavf", b"Lavc", b"x264"):
        assert word not in data
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert "creation_time" not in container.metadata
        assert "creation_time" not in container.streams[0].metadata


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_the_same_seconds_give_the_same_bytes(tmp_path: Path, codec: str) -> None:
    recording = record(tmp_path / "a.mp4", codec=codec)
    for name in ("one.mp4", "two.mp4"):
        cut_clip(recording, tmp_path / name, start_s=3.0)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_large_recordings_are_scaled_down_when_encoded_anew(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.avi", codec="mpeg4", size=(1920, 1080), duration_s=0.4, fps=5)
    cut = cut_clip(recording, tmp_path / "clip.mp4", start_s=0.0)
    assert (cut.width, cut.height) == (1280, 720)


def _text(path: Path) -> Path:
    path.write_text("no video at all\n" * 50, encoding="utf-8")
    return path


def _audio(path: Path) -> Path:
    with av.open(str(path), "w") as sink:
        sound = sink.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 8000
        frame.pts = 0
        sink.mux(sound.encode(frame))
        sink.mux(sound.encode(None))
    return path


def _missing(path: Path) -> Path:
    return path


@pytest.mark.parametrize("make", [_text, _audio, _missing])
def test_what_is_no_recording_is_named_and_leaves_nothing_behind(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    recording = make(tmp_path / "bad.mp4")
    with pytest.raises(InputError, match=r"bad\.mp4"):
        cut_clip(recording, tmp_path / "out" / "clip.mp4", start_s=1.0)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_recording_cut_off_in_the_middle_gives_what_is_there(tmp_path: Path) -> None:
    whole = record(tmp_path / "whole.ts").read_bytes()
    (tmp_path / "cut.ts").write_bytes(whole[: len(whole) // 2])
    cut = cut_clip(tmp_path / "cut.ts", tmp_path / "clip.mp4", start_s=2.0, duration_s=8.0)
    pictures = play(tmp_path / "clip.mp4")
    assert time_of(pictures[0][1]) == pytest.approx(cut.start_s, abs=0.3)
    assert len(pictures) > 10


def test_a_written_clip_is_described_with_wall_clock_time(tmp_path: Path) -> None:
    recording = record(tmp_path / "a.mp4")
    started = datetime(2026, 11, 23, 8, tzinfo=UTC)
    file = write_clip(
        recording,
        tmp_path / "run" / "evidence",
        tmp_path / "run",
        stem="v1",
        around_s=7.0,
        started_at=started,
    )
    assert file.path == "evidence/v1_clip.mp4"
    assert file.media_type == "video/mp4"
    assert file.time_s == pytest.approx(7.0 - LEAD_S, abs=1.1)
    assert file.timestamp == started + timedelta(seconds=file.time_s)
    assert (file.width, file.height) == (160, 120)
