"""Rendered clips: what is promised of duration, keyframes, metadata and truth."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest

from vision.errors import InputError
from vision.learn.scenes import CLASS_NAMES, load_preset, render_clip, truth_path
from vision.score.truth import read_truth


def test_a_clip_keeps_its_promises(tmp_path: Path) -> None:
    out = tmp_path / "clips" / "street.mp4"
    shares: list[float] = []
    truth = render_clip(
        load_preset("street_demo"),
        7,
        out,
        duration_s=4,
        fps=5,
        size=(320, 180),
        start_time=datetime(2026, 3, 1, 8, tzinfo=UTC),
        progress=shares.append,
    )
    assert shares[-1] == 1
    assert [p.name for p in out.parent.iterdir() if p.suffix == ".part"] == []
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert container.metadata["creation_time"].startswith("2026-03-01T08:00:00")
        frames = [(frame.time, frame.key_frame) for frame in container.decode(stream)]
    assert [round(t, 3) for t, _ in frames] == [round(i / 5, 3) for i in range(20)]
    assert [t for t, key in frames if key] == [0.0, 2.0]
    head = out.read_bytes()[:4096]
    assert b"moov" in head

    written = json.loads(truth_path(out).read_text())
    assert written == json.loads(json.dumps(truth.as_json()))
    assert len(written["frames"]) == 20
    assert written["zones"]
    assert written["events"][0]["type"] == "abandoned_vehicle"
    (clip,) = read_truth(truth_path(out)).clips
    assert clip.file == "street.mp4"
    assert len(clip.events) == len(truth.events)
    assert {b["class_name"] for f in written["frames"] for b in f["boxes"]} <= set(CLASS_NAMES)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"size": (321, 180)}, "321x180"),
        ({"fps": 500}, "fps"),
        ({"start_time": datetime(2026, 3, 1)}, "time zone"),
    ],
)
def test_a_clip_that_cannot_be_made_is_refused(
    tmp_path: Path, options: dict[str, object], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        render_clip(load_preset("street_quiet"), 1, tmp_path / "a.mp4", **options)
    assert list(tmp_path.iterdir()) == []
