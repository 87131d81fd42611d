from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from live_street import START

from service.cameras.history import KEEP_S, OLD_S, PictureHistory, masked_jpeg

SMALL = masked_jpeg(np.full((8, 8, 3), 100, np.uint8), ())


def grown(folder: Path, times_s: list[float]) -> PictureHistory:
    history = PictureHistory(folder, "cam")
    for time_s in times_s:
        history.add(time_s, START + timedelta(seconds=time_s), SMALL)
    return history


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(5.0, 30.0), min_size=2, max_size=300), st.randoms())
def test_the_picture_before_any_moment_is_not_much_older_than_the_moment(
    tmp_path_factory, pauses, random
) -> None:
    times_s = [sum(pauses[:i]) for i in range(1, len(pauses) + 1)]
    history = grown(tmp_path_factory.mktemp("h"), times_s)
    now_s = times_s[-1]
    assert len(history) <= 4 + 2 * math.log2(now_s / 5 + 2)
    for _ in range(20):
        moment_s = random.uniform(times_s[0] + 0.1, now_s)
        before = history.before(moment_s)
        assert before is not None
        assert before.time_s < moment_s
        latest_s = max(time_s for time_s in times_s if time_s < moment_s)
        assert now_s - before.time_s <= 2 * (now_s - latest_s) + 30.0


def test_old_pictures_outlive_a_restart_and_none_is_kept_for_ever(tmp_path: Path) -> None:
    times_s = [float(time_s) for time_s in range(0, 3000, 10)]
    history = grown(tmp_path, times_s)
    again = PictureHistory(tmp_path, "cam")
    assert again.times_s == [t for t in history.times_s if times_s[-1] - t >= OLD_S]
    before = again.before(2000.0)
    assert before is not None
    assert before.timestamp == START + timedelta(seconds=before.time_s)
    late_s = times_s[-1] + KEEP_S + 1
    again.add(late_s, START + timedelta(seconds=late_s), SMALL)
    again.add(late_s + 10, START + timedelta(seconds=late_s + 10), SMALL)
    assert again.times_s == [late_s, late_s + 10]
    assert not any(path.suffix == ".jpg" for path in tmp_path.iterdir())
