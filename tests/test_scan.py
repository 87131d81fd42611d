"""Whole scans with the model that ships, as a user runs them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from PIL import Image

from vision.record import read_violations

JIEXU = [sys.executable, "-m", "service"]


def jiexu(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*JIEXU, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    jiexu("demo", "--out", out, "--seconds", 60)
    return out


@pytest.mark.slow
def test_the_demo_finds_what_its_scenes_show(demo: Path) -> None:
    records = read_violations(demo / "run" / "violations.jsonl")
    found = {(record.camera_id.split("-")[0], record.kind) for record in records}
    assert ("street_demo", "debris_pile") in found
    assert ("street_demo", "street_stall") in found
    assert ("site_demo", "construction_dust") in found
    assert ("site_demo", "hoarding_missing") in found
    for record in records:
        scene = record.evidence.scene
        assert scene is not None
        assert (demo / "run" / scene.path).stat().st_size == scene.bytes
    jiexu("score", demo / "run", "--truth", demo / "truth.json", "--json", demo / "score.json")
    assert json.loads((demo / "score.json").read_text())["total"]["found"] >= 1
    run = json.loads((demo / "run" / "run.json").read_text())
    assert run["status"] == "complete"
    assert run["totals"]["gated"] + run["totals"]["inspected"] == run["totals"]["looks"]
    assert (demo / "run" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_killed_at_ten_moments_a_scan_comes_to_the_same_end(demo: Path, tmp_path: Path) -> None:
    command = ["scan", demo / "clips", "--site", demo / "site.yaml", "--out", tmp_path / "killed"]
    command += ["--every", "0.5"]
    began = time.monotonic()
    jiexu(*command[:-3], tmp_path / "whole", *command[-2:])
    whole_s = time.monotonic() - began
    moments = random.Random(11)
    kills = 0
    while kills < 10:
        process = subprocess.Popen(
            [*JIEXU, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=moments.uniform(0.2, 1.0) * whole_s)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    jiexu(*command)
    expected = (tmp_path / "whole" / "violations.jsonl").read_bytes()
    assert expected
    assert (tmp_path / "killed" / "violations.jsonl").read_bytes() == expected


@pytest.mark.slow
def test_a_rerun_skips_what_is_finished(demo: Path) -> None:
    command = ["scan", demo / "clips", "--site", demo / "site.yaml", "--out", demo / "run"]
    before = (demo / "run" / "violations.jsonl").read_bytes()
    said = jiexu(*command).stdout
    assert said.count("finished before") == 2
    assert (demo / "run" / "violations.jsonl").read_bytes() == before


@pytest.mark.slow
def test_an_interrupt_leaves_a_run_that_goes_on(demo: Path, tmp_path: Path) -> None:
    command = ["scan", demo / "clips", "--site", demo / "site.yaml", "--out", tmp_path / "run"]
    command += ["--every", "0.2"]
    process = subprocess.Popen([*JIEXU, *map(str, command)], stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob("run/inputs/*")):
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["status"] == "interrupted"
    jiexu(*command)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"


def test_a_stream_is_recorded_and_scanned(blob_clip: Path, tmp_path: Path) -> None:
    url = blob_clip.as_uri()
    missing = jiexu("scan", url, "--out", tmp_path / "run", check=False)
    assert missing.returncode == 1
    assert "--duration" in missing.stderr
    jiexu("scan", url, "--duration", 12, "--out", tmp_path / "run")
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["inputs"][0]["duration_s"] == pytest.approx(12, abs=2.5)
    assert run["inputs"][0]["start"]["origin"] == "clock"


def audio_only(path: Path) -> None:
    import numpy as np

    with av.open(path, "w") as writer:
        stream = writer.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))


def without_first_keyframe(source: Path, out: Path) -> None:
    with av.open(source) as reader, av.open(out, "w") as writer:
        track = reader.streams.video[0]
        target = writer.add_stream_from_template(track)
        for number, packet in enumerate(reader.demux(track)):
            if packet.dts is not None and number > 0:
                packet.stream = target
                writer.mux(packet)


def test_bad_files_are_named_and_the_good_ones_scanned(blob_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    good = blob_clip.read_bytes()
    (folder / "good.mp4").write_bytes(good)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "cut.mp4").write_bytes(good[: len(good) // 2])
    (folder / "text.mp4").write_text("this is not a video\n" * 50)
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")
    audio_only(folder / "sound.mp4")
    without_first_keyframe(blob_clip, folder / "late.mkv")
    (folder / "dangling.mp4").symlink_to(tmp_path / "nowhere.mp4")

    done = jiexu("scan", folder, "--out", tmp_path / "out", check=False)

    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    status = {Path(entry["name"]).name: entry["status"] for entry in run["inputs"]}
    assert status == {
        "good.mp4": "done",
        "late.mkv": "done",
        "cut.mp4": "failed",
        "dangling.mp4": "failed",
        "empty.mp4": "failed",
        "huge.png": "failed",
        "sound.mp4": "failed",
        "text.mp4": "failed",
    }
    for entry in run["inputs"]:
        if entry["status"] == "failed":
            assert Path(entry["name"]).name in entry["error"]
            assert entry["error"] in said
    late = next(entry for entry in run["inputs"] if entry["name"].endswith("late.mkv"))
    assert any("without a keyframe" in note for note in late["notes"])
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "nowhere.mp4"], "nowhere.mp4"),
        (["scan", ".", "--dwell", "litter=3"], "--dwell litter=3: unknown kind"),
        (["scan", ".", "--rule", "debris_pile.dwel_s=3"], "debris_pile.dwel_s"),
        (["scan", ".", "--start-time", "noon"], "--start-time: 'noon'"),
        (["scan", ".", "--timezone", "Mars/Base"], "--timezone: unknown time zone"),
        (["scan", ".", "--site", "none.yaml"], "none.yaml"),
        (["scan", ".", "--post", "http://127.0.0.1:9/"], "no secret to sign with"),
        (["scan", "here.mp4", "--model", "nosuch"], "no model 'nosuch'"),
        (["check", "none.yaml"], "none.yaml"),
        (["post", "."], "--url"),
    ],
)
def test_usage_errors_end_with_2_and_name_what_is_wrong(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "here.mp4").write_bytes(b"never opened")
    done = subprocess.run(
        [*JIEXU, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
