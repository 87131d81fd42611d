from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from blobs import BlobDetector
from live_street import DWELL_S, START, KeepingSink, picture, settings, taken, watch

from service.cameras.history import frame_of
from service.cameras.sink import Role
from service.cameras.source import decoded_still
from service.cameras.watch import CLIP_PICTURES, CameraWatch
from vision.detect.detections import Detections
from vision.errors import InputError, ModelError
from vision.evidence import timelapse
from vision.evidence.stills import drawn_view
from vision.frames.frame import Image
from vision.observe.look import Health
from vision.record import ViolationRecord
from vision.zones import Purpose, Zone

APPEARS_S, LEAVES_S = 30.0, 120.0


def look_at(one: CameraWatch, times_s: Iterable[float], boot_s: float = 1000.0) -> list[bool]:
    return [
        one.look(taken(time_s, heap=APPEARS_S <= time_s < LEAVES_S, boot_s=boot_s))
        for time_s in times_s
    ]


def test_a_heap_is_told_from_its_start_to_its_end_with_proof(tmp_path: Path) -> None:
    sink = KeepingSink()
    one = watch(sink, tmp_path)
    active = look_at(one, range(0, 420, 5))
    start, end = sink.records[0], sink.records[-1]
    assert sink.ids == {start.id}
    assert start.ended_at is None
    assert start.started_at == START + timedelta(seconds=APPEARS_S)
    assert end.ended_at is not None
    assert end.end_reason == "gone"
    assert all(
        getattr(end.evidence, role) for role in ("scene", "frame", "crop", "before", "after")
    )
    assert end.evidence.frame == start.evidence.frame
    assert end.evidence.before is not None
    assert end.evidence.before.timestamp < start.started_at
    assert any(active), "something new deserves closer looks"
    assert not active[-1]
    assert list((tmp_path / "evidence").iterdir()) == [], "what was told to its end is left to it"


@pytest.mark.parametrize("killed_after_s", [20, 40, 50, 60, 100, 150])
def test_a_restart_raises_nothing_twice_and_loses_no_dwell(
    tmp_path: Path, killed_after_s: int
) -> None:
    sink = KeepingSink()
    look_at(watch(sink, tmp_path), range(0, killed_after_s, 5))
    # It is not told to stop, and the machine was started anew: its monotonic clock as well.
    look_at(watch(sink, tmp_path), range(killed_after_s + 5, 420, 5), boot_s=7.0)
    assert len(sink.ids) == 1
    assert sum(record.ended_at is not None for record in sink.records) == 1
    assert abs(sink.records[-1].started_at - START - timedelta(seconds=APPEARS_S)) <= timedelta(
        seconds=60
    )
    times = [one.time_s for one in sink.looks]
    assert times == sorted(set(times))


def test_time_without_pictures_is_neither_seen_nor_made_up(tmp_path: Path) -> None:
    sink = KeepingSink()
    one = watch(sink, tmp_path)
    look_at(one, [0, 5, 10, 30, 35])
    one.lost(START + timedelta(seconds=40), 1040.0)
    assert sink.looks[-1].health is Health.GAP
    assert len(sink.looks[-1].detections) == 0
    one.lost(START + timedelta(seconds=45), 1045.0)
    assert sum(look.health is Health.GAP for look in sink.looks) == 1, "one gap is told once"
    look_at(one, [100.0])
    assert sink.records == [], f"70 s have passed, of a dwell of {DWELL_S} s hardly 5 s were seen"
    look_at(one, [102, 104, 106, 108, 110, 112, 114])
    assert len(sink.ids) == 1
    one.lost(START + timedelta(seconds=119), 1119.0)
    look_at(one, range(125, 420, 5))
    assert sink.records[-1].ended_at is not None


def test_what_the_sink_could_not_take_is_told_later_under_the_same_id(tmp_path: Path) -> None:
    sink = KeepingSink()
    one = watch(sink, tmp_path)
    sink.broken = True
    look_at(one, range(0, 100, 5))
    assert sink.records == []
    assert one.has_pending
    sink.broken = False
    one.tell_pending()
    assert not one.has_pending
    assert len(sink.ids) == 1
    told = len(sink.records)
    look_at(watch(sink, tmp_path), [105.0, 110.0], boot_s=3.0)
    assert sink.ids == {sink.records[0].id}
    assert len(sink.records) >= told


def test_evidence_is_taken_anew_from_the_main_stream(tmp_path: Path) -> None:
    sink, wanted = KeepingSink(), []
    one = watch(sink, tmp_path, want_main=wanted.append)
    look_at(one, range(0, 60, 5))
    assert wanted == [sink.records[0].id]
    large = picture(60, heap=True, size=(1280, 720))
    one.refresh(wanted[0], frame_of("square", large, 60.0, START))
    first, refreshed = sink.records[0].evidence, sink.records[-1].evidence
    assert first.scene is not None
    assert refreshed.scene is not None
    assert refreshed.crop is not None
    assert refreshed.scene.width == 4 * first.scene.width
    assert refreshed.before == first.before
    crop = decoded_still((tmp_path / refreshed.crop.path).read_bytes())
    assert crop[crop.shape[0] // 2, crop.shape[1] // 2, 2] > 180, "the heap is in the crop"
    one.refresh(wanted[0], frame_of("square", large, 60.0, START))
    assert sink.records[-1].evidence == refreshed


def test_a_clip_shows_the_place_before_the_heap_came_and_since(tmp_path: Path) -> None:
    sink, wanted = KeepingSink(), []
    one = watch(sink, tmp_path, want_clip=wanted.append)
    look_at(one, range(0, 60, 5))
    raised = sink.records[0]
    assert wanted == [raised.id]
    assert raised.evidence.clip is None
    one.make_clip(raised.id)
    clip = sink.records[-1].evidence.clip
    assert clip is not None
    assert clip.media_type == "video/mp4"
    assert clip.timestamp < raised.started_at
    assert sink.records[-1].evidence.scene == raised.evidence.scene
    with av.open(str(tmp_path / clip.path)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert 5 <= len(pictures) <= CLIP_PICTURES
    red = [int(picture[120, 200, 2]) > 150 > int(picture[120, 200, 0]) for picture in pictures]
    assert red == sorted(red), "first without the heap, then with it"
    assert {*red} == {True, False}
    look_at(one, range(120, 420, 5))
    assert sink.records[-1].ended_at is not None
    assert sink.records[-1].evidence.clip == clip
    one.make_clip(raised.id)
    assert list((tmp_path / "evidence").iterdir()) == []


def test_a_violation_that_is_over_while_its_clip_is_encoded_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = KeepingSink()
    one = watch(sink, tmp_path)
    look_at(one, range(0, 60, 5))
    (raised,) = sink.records

    def drawn(*args: Any, **kwargs: Any) -> Image:
        if sink.records[-1].ended_at is None:
            look_at(one, range(120, 420, 5))
        return drawn_view(*args, **kwargs)

    monkeypatch.setattr(timelapse, "drawn_view", drawn)
    one.make_clip(raised.id)
    assert sink.records[-1].ended_at is not None
    assert sink.records[-1].evidence.clip is None
    assert list((tmp_path / "evidence").iterdir()) == []


def test_a_clip_that_cannot_be_made_of_what_still_stands_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = KeepingSink()
    one = watch(sink, tmp_path)
    look_at(one, range(0, 60, 5))

    def drawn(*args: Any, **kwargs: Any) -> Image:
        shutil.rmtree(tmp_path / "evidence", ignore_errors=True)
        return drawn_view(*args, **kwargs)

    monkeypatch.setattr(timelapse, "drawn_view", drawn)
    with pytest.raises(InputError, match="cannot be encoded"):
        one.make_clip(sink.records[0].id)


class SlowSink(KeepingSink):
    """Takes its time for records with a clip."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        if record.evidence.clip is not None and not self.go_on.is_set():
            self.begun.set()
            assert self.go_on.wait(30)
        super().violation_changed(record, evidence)


def test_looks_go_on_while_a_clip_is_masked_and_what_happened_is_told_after(tmp_path: Path) -> None:
    sink = SlowSink()
    one = watch(sink, tmp_path)
    look_at(one, range(0, 60, 5))
    (raised,) = sink.records
    making = threading.Thread(target=one.make_clip, args=(raised.id,))
    making.start()
    assert sink.begun.wait(30)
    look_at(one, range(120, 420, 5))
    assert sink.records == [raised]
    sink.go_on.set()
    making.join(30)
    assert sink.records[1].evidence.clip is not None
    assert sink.records[-1].ended_at is not None
    assert sink.records[-1].evidence.clip == sink.records[1].evidence.clip
    assert not one.has_pending


def test_privacy_zones_are_masked_in_all_that_is_kept(tmp_path: Path) -> None:
    zone = Zone(
        id="window",
        purpose=Purpose.PRIVACY,
        points=((0.5, 0.5), (0.8, 0.5), (0.8, 0.85), (0.5, 0.85)),
    )
    sink = KeepingSink()
    look_at(watch(sink, tmp_path, zone), range(0, 1200, 10))
    kept = sorted((tmp_path / "earlier").glob("*.jpg"))
    assert kept
    for path in kept:
        image = decoded_still(path.read_bytes())
        masked = image[95:150, 170:250].astype(np.int16)
        assert np.abs(np.diff(masked, axis=1)).max() < 25


class Fainting(BlobDetector):
    """Fails when told to."""

    faint = False

    def _detect(self, image: Image) -> Detections:
        if self.faint:
            raise ModelError("the detector hung")
        return super()._detect(image)


def test_a_picture_that_the_detector_failed_does_not_pass_for_inspected(tmp_path: Path) -> None:
    sink, detector = KeepingSink(), Fainting()
    one = CameraWatch(settings(tmp_path), detector, sink)
    look_at(one, [0.0, 5.0])
    detector.faint = True
    with pytest.raises(ModelError):
        look_at(one, [30.0])
    detector.faint = False
    look_at(one, [32.0])
    assert sink.looks[-1].inspected
    assert len(sink.looks[-1].detections) == 1


def test_a_state_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    sink = KeepingSink()
    sink.states["square"] = b"not a state"
    look_at(watch(sink, tmp_path), range(0, 60, 5))
    assert len(sink.ids) == 1


class Unheard(KeepingSink):
    """Keeps memories, and takes no violation while ``deaf``."""

    deaf = False

    def violation_changed(self, record: ViolationRecord, evidence: Mapping[Role, Path]) -> None:
        if self.deaf:
            raise ConnectionError("no bucket")
        super().violation_changed(record, evidence)


def test_pictures_lost_with_a_machine_before_they_were_told_are_taken_anew(tmp_path: Path) -> None:
    sink = Unheard()
    sink.deaf = True
    look_at(watch(sink, tmp_path / "lost"), range(0, 80, 5))
    sink.deaf = False
    elsewhere = watch(sink, tmp_path / "elsewhere")
    look_at(elsewhere, range(90, 100, 5), boot_s=7.0)
    (raised,) = sink.records
    assert raised.started_at == START + timedelta(seconds=APPEARS_S)
    assert raised.evidence.scene is not None
    assert raised.evidence.scene.timestamp == START + timedelta(seconds=90)
    assert (tmp_path / "elsewhere" / raised.evidence.scene.path).is_file()
    look_at(elsewhere, range(100, 420, 5), boot_s=7.0)
    assert sink.ids == {raised.id}
    assert sink.records[-1].ended_at is not None


def test_what_was_told_elsewhere_is_told_to_its_end_without_its_first_pictures(
    tmp_path: Path,
) -> None:
    sink = KeepingSink()
    look_at(watch(sink, tmp_path / "lost"), range(0, 80, 5))
    (raised,) = {record.id: record for record in sink.records}.values()
    look_at(watch(sink, tmp_path / "elsewhere"), range(90, 420, 5), boot_s=7.0)
    end = sink.records[-1]
    assert end.id == raised.id
    assert end.ended_at is not None
    assert end.evidence.scene == raised.evidence.scene
    assert end.evidence.after is not None


def test_evidence_of_what_was_over_elsewhere_is_not_left_lying(tmp_path: Path) -> None:
    sink = KeepingSink()
    look_at(watch(sink, tmp_path / "first"), range(0, 80, 5))
    assert len(list((tmp_path / "first" / "evidence").iterdir())) == 1
    look_at(watch(sink, tmp_path / "other"), range(90, 420, 5), boot_s=7.0)
    watch(sink, tmp_path / "first")
    assert list((tmp_path / "first" / "evidence").iterdir()) == []
