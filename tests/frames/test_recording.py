from __future__ import annotations

import os
import random
from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from encoded_clips import copy_packets, decode_plainly, encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vision.errors import InputError
from vision.frames import demux
from vision.frames.frame import LUMA_WIDTH, Frame, Rung
from vision.frames.recording import Recording, open_recording, stored_size, stretch
from vision.frames.wallclock import StartTime

SHARED = os.environ.get("JIEXU_SHARED_DATA")


def open_clip(path: Path, **more) -> Recording:
    return open_recording(path, camera_id="gate", timezone=UTC, **more)


def look_through(
    recording: Recording, every_s: float, tolerance_s: float | None = None
) -> list[Frame]:
    """Look as the scan does: the next look is counted from the keyframe that was taken."""
    tolerance_s = every_s / 4 if tolerance_s is None else tolerance_s
    frames, wanted_s = [], 0.0
    while (frame := recording.submit(wanted_s, tolerance_s).result()) is not None:
        frames.append(frame)
        base_s = recording.anchor_s(wanted_s, tolerance_s)
        if frame.time_s > wanted_s + tolerance_s:
            base_s = frame.time_s
        recording.release(frame.time_s)
        wanted_s = base_s + every_s
    return frames


def rungs(frames: list[Frame]) -> set[Rung]:
    return {frame.rung for frame in frames}


CLIPS = {
    "h264-b.mp4": {"gop": 25},
    "h264-b.mkv": {"gop": 25},
    "h264-b.mov": {"gop": 25},
    "h264-b.ts": {"gop": 25},
    "h264-b.flv": {"gop": 25},
    "h264-b.avi": {"gop": 25},
    "h264.mp4": {"gop": 7, "b_frames": 0},
    "hevc.mp4": {"codec": "libx265", "gop": 25},
    "mpeg4.avi": {"codec": "mpeg4", "gop": 12, "b_frames": 0},
    "mpeg4-b.avi": {"codec": "mpeg4", "gop": 12},
    "mjpeg.avi": {"codec": "mjpeg"},
    "mpeg2.ts": {"codec": "mpeg2video", "gop": 12, "rate": 25},
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: encode(folder / name, **options) for name, options in CLIPS.items()}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("every_s", [1.0, 2.0, 10.0])
def test_a_look_shows_what_plain_decoding_shows(clips, name, every_s):
    plain = decode_plainly(clips[name])
    with open_clip(clips[name]) as recording:
        frames = look_through(recording, every_s)
        assert recording.notes == []
    times = [frame.time_s for frame in frames]
    gaps = np.diff(times)
    assert times[0] == 0.0
    assert len(frames) >= 12.0 / every_s / 1.25
    assert (gaps > 0.0).all()
    assert (gaps < every_s * 1.5 + 0.01).all()
    for frame in frames:
        np.testing.assert_array_equal(frame.image, plain[frame.pts])
        assert frame.luma.shape == (round(LUMA_WIDTH * 64 / 96), LUMA_WIDTH)


@pytest.mark.parametrize("name", CLIPS)
def test_pictures_stand_where_they_were_filmed(clips, name):
    """Times are those of display, in AVI too, which stores none."""
    with open_clip(clips[name]) as recording:
        times = [frame.time_s for frame in recording.stretch(0.0, 99.0)]
    rate = CLIPS[name].get("rate", 5)
    np.testing.assert_allclose(times, np.arange(len(times)) / rate, atol=0.0015)
    assert len(times) == 12 * rate


def test_keyframes_near_the_interval_are_all_that_is_decoded(tmp_path):
    clip = encode(tmp_path / "ntsc.mp4", seconds=40, rate=30, gop=63, size=(64, 48))
    with open_clip(clip) as recording:
        frames = look_through(recording, 2.0)
        counts = recording.counts()
    assert rungs(frames) == {Rung.KEYFRAME}
    np.testing.assert_allclose(np.diff([f.time_s for f in frames]), 2.1, atol=0.001)
    assert counts["decoded_keyframe"] == len(frames) == 20
    assert counts["decoded_full"] == counts["decoded_non_reference_skipped"] == 0
    assert counts["packets_read"] == 1200


def test_keyframes_too_far_apart_make_it_climb(tmp_path):
    clip = encode(tmp_path / "far.mp4", seconds=20, rate=10, gop=33)
    with open_clip(clip) as recording:
        frames = look_through(recording, 2.0)
    assert Rung.NON_REFERENCE_SKIPPED in rungs(frames)
    assert np.diff([frame.time_s for frame in frames]).max() <= 2.5 + 0.1


def test_only_a_tolerance_narrower_than_the_reference_pictures_needs_full_decoding(tmp_path):
    clip = encode(tmp_path / "b.mp4", seconds=10, rate=5, gop=50, b_frames=3)
    with open_clip(clip) as recording:
        wide = recording.submit(3.0, 1.0).result()
        exact = [recording.submit(0.2 * number, 0.01).result() for number in range(50)]
    assert wide.rung is Rung.NON_REFERENCE_SKIPPED
    assert rungs(exact) == {Rung.KEYFRAME, Rung.NON_REFERENCE_SKIPPED, Rung.FULL}
    np.testing.assert_allclose([f.time_s for f in exact], 0.2 * np.arange(50), atol=0.001)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(["h264-b.mp4", "h264-b.ts", "mpeg4-b.avi", "hevc.mp4"]),
    wanted=st.lists(
        st.tuples(st.integers(0, 130).map(lambda n: n / 10), st.sampled_from([0.02, 0.3, 1.0])),
        min_size=1,
        max_size=8,
    ),
    threads=st.integers(1, 3),
)
def test_a_frame_does_not_depend_on_what_else_is_asked(clips, name, wanted, threads):
    with open_clip(clips[name], decode_threads=threads) as together:
        futures = [together.submit(*look) for look in wanted]
        got = [future.result() for future in futures]
    for look, frame in zip(wanted, got, strict=True):
        with open_clip(clips[name], decode_threads=1) as alone:
            expected = alone.submit(*look).result()
        if expected is None:
            assert frame is None
            continue
        assert (frame.time_s, frame.pts, frame.rung) == (
            expected.time_s,
            expected.pts,
            expected.rung,
        )
        np.testing.assert_array_equal(frame.luma, expected.luma)
        np.testing.assert_array_equal(frame.image, expected.image)


def test_releasing_changes_no_frame_and_frees_packets(tmp_path):
    clip = encode(tmp_path / "long.mkv", seconds=120, rate=5, gop=20, size=(64, 48))
    with open_clip(clip) as kept, open_clip(clip) as released:
        most = 0
        for number in range(60):
            a, b = kept.submit(2.0 * number, 0.01).result(), released.submit(2.0 * number, 0.01)
            np.testing.assert_array_equal(a.image, b.result().image)
            released.release(2.0 * number)
            most = max(most, len(released._window.head()))
    assert most < 100 < 600


def test_going_on_far_into_a_file_keeps_only_what_is_needed(tmp_path):
    clip = encode(tmp_path / "long.ts", seconds=120, rate=5, gop=20, size=(64, 48))
    with open_clip(clip) as recording:
        recording.release(100.0)
        assert recording.submit(100.0, 0.5).result().time_s == pytest.approx(100.0)
        assert len(recording._window.head()) < 100
        assert recording.counts()["packets_read"] > 500


def test_a_group_without_end_does_not_fill_the_memory(tmp_path, monkeypatch):
    clip = encode(tmp_path / "one_gop.ts", seconds=60, rate=5, gop=1000)
    wanted = [0.0, 10.0, 30.0, 20.0, 22.0, 40.0, 24.0, 58.0]
    with open_clip(clip) as recording:
        whole = [recording.submit(time_s, 0.5).result() for time_s in wanted]
    monkeypatch.setattr(demux, "KEPT_BYTES", 2000)
    with open_clip(clip) as recording:
        released = [0, 0, 10, 20, 20, 20, 24, 30]
        for time_s, released_s, expected in zip(wanted, released, whole, strict=True):
            recording.release(released_s)
            frame = recording.submit(time_s, 0.5).result()
            assert (frame.time_s, frame.rung) == (expected.time_s, expected.rung)
            np.testing.assert_array_equal(frame.image, expected.image)
        recording.release(58.0)
        assert recording._window.kept_bytes < 4000 < clip.stat().st_size / 3


def test_guesses_out_of_order_are_served(tmp_path):
    clip = encode(tmp_path / "one_gop.mp4", seconds=24, rate=5, gop=500)
    with open_clip(clip) as recording:
        wanted = [10.0, 20.0, 12.0, 14.0, 16.0, 18.0, 20.0, 2.0]
        got = [recording.submit(time_s, 0.5) for time_s in wanted]
        assert all(abs(f.result().time_s - t) <= 0.5 for f, t in zip(got, wanted, strict=True))


def test_a_gap_is_kept_and_the_next_picture_follows_it(tmp_path):
    times = [n / 5 for n in range(20)] + [34.0 + n / 5 for n in range(20)]
    clip = encode(tmp_path / "gap.mkv", times_s=times, gop=10)
    with open_clip(clip) as recording:
        inside = recording.submit(20.0, 0.5).result()
        frames = look_through(recording, 2.0)
    assert inside.time_s == pytest.approx(34.0, abs=0.01)
    assert [round(frame.time_s) for frame in frames] == [0, 2, 4, 34, 36, 38]


def test_uneven_picture_spacing_is_real_time(tmp_path):
    rng = random.Random(4)
    times = np.cumsum([0.0, *(rng.choice([0.04, 0.2, 1.3]) for _ in range(60))]).round(3).tolist()
    clip = encode(tmp_path / "vfr.mkv", times_s=times, rate=25, gop=12)
    with open_clip(clip) as recording:
        got = [frame.time_s for frame in recording.stretch(0.0, 1e6)]
    np.testing.assert_allclose(got, times, atol=0.002)


def test_the_end_is_none(clips):
    with open_clip(clips["h264-b.mp4"]) as recording:
        assert recording.submit(11.8, 0.5).result() is not None
        assert recording.submit(12.5, 0.5).result() is None


def test_a_clip_that_starts_in_the_middle_of_a_group(tmp_path):
    whole = encode(tmp_path / "whole.mkv", seconds=12, gop=25, b_frames=0)
    cut = copy_packets(whole, tmp_path / "cut.mkv", skip=9)
    with open_clip(cut) as recording:
        first = recording.submit(0.0, 0.5).result()
        assert first.time_s == pytest.approx(3.2, abs=0.01)
        assert recording.notes == ["starts without a keyframe: first 3.2 s unreadable"]
        frames = look_through(recording, 2.0)
    plain = decode_plainly(cut)
    for frame in frames:
        np.testing.assert_array_equal(frame.image, plain[frame.pts])


def test_damaged_packets_cost_only_their_group(tmp_path):
    whole = encode(tmp_path / "whole.mkv", seconds=20, gop=10, b_frames=0)
    broken = copy_packets(whole, tmp_path / "broken.mkv", damage=[20, 45])
    with open_clip(broken) as recording:
        frames = look_through(recording, 2.0)
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))
    assert times[-1] >= 18.0
    assert {0.0, 2.0, 6.0, 8.0} <= {round(t, 1) for t in times}


def test_a_cut_off_file_is_read_as_far_as_it_goes(tmp_path):
    whole = encode(tmp_path / "whole.mp4", seconds=20, gop=10, options={"movflags": "faststart"})
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 2 // 3])
    with open_clip(cut) as recording:
        frames = look_through(recording, 2.0)
        note = recording.notes[-1]
    assert 10.0 < frames[-1].time_s < 15.0
    assert note.startswith("truncated after 1") and note.endswith(" s of 20.0 s")


def test_joined_recordings_go_on_where_the_clock_jumps_back(tmp_path):
    one = encode(tmp_path / "one.ts", seconds=6, gop=10)
    two = encode(tmp_path / "two.ts", seconds=6, gop=10, first_number=200)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    with open_clip(joined) as recording:
        times = [frame.time_s for frame in recording.stretch(0.0, 99.0)]
        frames = look_through(recording, 2.0)
        assert any(note.startswith("timestamps repaired at 6") for note in recording.notes)
    assert len(times) == pytest.approx(60, abs=3)
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx(11.8, abs=0.5)
    assert frames[-1].time_s >= 10.0


def test_the_picture_size_may_change(tmp_path):
    one = encode(tmp_path / "one.ts", seconds=6, gop=10)
    two = encode(tmp_path / "two.ts", seconds=6, gop=10, size=(64, 80))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    with open_clip(joined) as recording:
        frames = look_through(recording, 2.0)
    sizes = [(frame.width, frame.height) for frame in frames]
    assert sizes[0] == (96, 64) and sizes[-1] == (64, 80)
    for frame in frames:
        assert frame.image.shape == (frame.height, frame.width, 3)
        assert frame.luma.shape == (round(LUMA_WIDTH * frame.height / frame.width), LUMA_WIDTH)


@pytest.mark.parametrize(("turn", "k"), [(90, -1), (180, 2), (270, 1)])
def test_rotation_is_applied(tmp_path, turn, k):
    clip = encode(tmp_path / "turned.mp4", seconds=4, turn=turn)
    plain = decode_plainly(clip)
    with open_clip(clip) as recording:
        frame = recording.submit(0.0, 0.5).result()
        info = recording.info
    assert info.rotation == turn
    upright = np.rot90(plain[frame.pts], k)
    np.testing.assert_array_equal(frame.image, upright)
    assert (info.width, info.height) == (frame.width, frame.height) == upright.shape[1::-1]
    height = round(LUMA_WIDTH * frame.height / frame.width)
    assert frame.luma.shape == (height, LUMA_WIDTH)
    small = np.rot90(plain[frame.pts], k).mean(axis=2)
    corner = frame.luma[: height // 2, : LUMA_WIDTH // 2].mean()
    half = small[: small.shape[0] // 2, : small.shape[1] // 2].mean()
    assert corner == pytest.approx(half, abs=12)


def test_brightness_uses_the_full_range(tmp_path):
    for name, codec in (("limited.mp4", "libx264"), ("full.avi", "mjpeg")):
        clip = tmp_path / name
        with av.open(str(clip), "w") as container:
            stream = container.add_stream(codec, rate=5)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            white = np.zeros((48, 64, 3), np.uint8)
            white[:, 32:] = 255
            for number in range(5):
                frame = av.VideoFrame.from_ndarray(white, format="rgb24")
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        with open_clip(clip) as recording:
            frame = recording.submit(0.0, 0.5).result()
        assert frame.luma[:, :100].mean() < 4
        assert frame.luma[:, -100:].mean() > 251
        assert frame.image[:, 40:].mean() > 250


def test_odd_sizes(tmp_path):
    clip = encode(tmp_path / "odd.avi", codec="mjpeg", size=(97, 53), seconds=2)
    with open_clip(clip) as recording:
        assert recording.submit(0.0, 0.5).result().image.shape == (53, 97, 3)


def test_stretch_gives_every_picture_with_the_times_of_looks(clips):
    for name in ("h264-b.mp4", "h264-b.mkv", "h264-b.ts", "mpeg4-b.avi"):
        with open_clip(clips[name]) as recording:
            looks = {f.time_s: f for f in look_through(recording, 1.0)}
            part = list(recording.stretch(6.9, 9.1))
            whole = list(recording.stretch(0.0, 99.0))
        assert [f.time_s for f in part] == [f.time_s for f in whole if 6.89 < f.time_s < 9.11]
        shared = [f for f in part if f.time_s in looks]
        assert shared
        for frame in shared:
            np.testing.assert_array_equal(frame.image, looks[frame.time_s].image)


def test_stretch_seeks_in_long_files(tmp_path):
    clip = encode(tmp_path / "long.mp4", seconds=120, rate=5, gop=20)
    start = StartTime(datetime(2024, 5, 1, tzinfo=UTC), "option")
    far = list(stretch(clip, 100.0, 102.0, camera_id="gate", start=start))
    read = list(stretch(clip, 100.0, 102.0, camera_id="gate", start=start, seek=False))
    assert [f.time_s for f in far] == [f.time_s for f in read]
    assert len(far) == 11
    for a, b in zip(far, read, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        assert a.timestamp == b.timestamp


def test_timestamps_count_from_the_start(clips):
    start = StartTime(datetime(2024, 5, 1, 8, tzinfo=UTC), "option")
    with open_clip(clips["h264-b.ts"], start=start) as recording:
        frame = recording.submit(4.0, 0.01).result()
    assert frame.timestamp == datetime(2024, 5, 1, 8, 0, 4, tzinfo=UTC)
    assert frame.camera_id == "gate"


def test_what_is_known_of_a_file(clips):
    with open_clip(clips["h264-b.mp4"]) as recording:
        info = recording.info
    assert (info.width, info.height, info.codec) == (96, 64, "h264")
    assert info.duration_s == pytest.approx(12.0, abs=0.2)
    assert info.keyframe_interval_s == pytest.approx(5.0, abs=0.1)


def only_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def broken_files(folder: Path) -> dict[Path, str]:
    whole = encode(folder / "whole.mp4", seconds=4)
    cases = {}

    def case(name: str, content: bytes, reason: str) -> None:
        (folder / name).write_bytes(content)
        cases[folder / name] = reason

    case("empty.mp4", b"", "is empty")
    case("text.mp4", b"this is no video\n" * 50, "is text, not a video")
    case("noise.mkv", random.Random(1).randbytes(5000), "is not a video that can be read")
    case("no_index.mp4", whole.read_bytes()[: whole.stat().st_size // 2], r"index \(moov\)")
    case("png.mp4", b"\x89PNG\r\n\x1a\n" + bytes(50), "is a picture, not a recording")
    cases[only_sound(folder / "sound.mp4")] = "holds only sound"
    ruined = encode(folder / "for_ruin.mkv", seconds=4, b_frames=0)
    cases[copy_packets(ruined, folder / "ruined.mkv", damage=range(20))] = (
        "no picture in it can be decoded"
    )
    (folder / "dangling.mp4").symlink_to(folder / "nowhere.mp4")
    cases[folder / "dangling.mp4"] = "link to a file that does not exist"
    cases[folder / "missing.mp4"] = "does not exist"
    cases[folder] = "is a folder"
    return cases


def test_a_file_that_cannot_be_read_is_named_with_its_reason(tmp_path, capfd):
    for path, reason in broken_files(tmp_path).items():
        with pytest.raises(InputError, match=reason) as caught:
            open_clip(path)
        assert str(path) in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    clip = encode(tmp_path / "secret.mp4", seconds=1)
    clip.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        open_clip(clip)


@pytest.mark.slow
@pytest.mark.skipif(SHARED is None, reason="JIEXU_SHARED_DATA is not set")
def test_real_clips_show_what_plain_decoding_shows():
    folder = Path(SHARED) / "clips" / "dev"
    clips = sorted(p for p in folder.iterdir() if p.suffix in {".mp4", ".avi", ".mkv"})
    assert len(clips) == 15
    for clip in clips:
        wanted: dict[int | None, list[Frame]] = {}
        for every_s in (2.0, 10.0):
            with open_clip(clip) as recording:
                for frame in look_through(recording, every_s):
                    wanted.setdefault(frame.pts, []).append(frame)
        with av.open(str(clip)) as container:
            for raw in container.decode(video=0):
                for frame in wanted.pop(raw.pts, []):
                    np.testing.assert_array_equal(frame.image, raw.to_ndarray(format="bgr24"))
        assert not wanted


@pytest.mark.parametrize("name", ["h264-b.mp4", "h264-b.mkv", "h264-b.ts", "mpeg4-b.avi"])
def test_frames_are_the_same_after_a_stretch_was_passed_over(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, seconds=20, **CLIPS[name])
    with open_clip(path) as whole, open_clip(path) as hasty:
        wanted = [(time_s, whole.starts_at_s(time_s, 0.1)) for time_s in (0.5, 9.3, 9.9, 17.1)]
        frames = [whole.submit(time_s, 0.1).result() for time_s, _ in wanted]
        for (time_s, start_s), frame in zip(wanted, frames, strict=True):
            hasty.pass_over(start_s)
            again = hasty.submit(time_s, 0.1).result()
            assert frame is not None
            assert again is not None
            assert (again.time_s, again.pts, again.rung) == (frame.time_s, frame.pts, frame.rung)
            assert np.array_equal(again.luma, frame.luma)


def test_the_header_tells_the_size_of_the_pictures(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", seconds=1)
    with open_clip(path) as recording:
        assert stored_size(path) == (recording.info.width, recording.info.height)
    (tmp_path / "text.mp4").write_text("no video")
    assert stored_size(tmp_path / "text.mp4") is None
    assert stored_size(tmp_path / "nowhere.mp4") is None
