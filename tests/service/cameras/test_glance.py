from __future__ import annotations

import cv2
import numpy as np
from live_street import picture

from service.cameras.glance import Glances, GlanceSettings
from vision.frames.frame import Luma

SETTINGS = GlanceSettings(every_s=1.5, share=0.01, fresh_s=6.0)


def glance(time_s: float, *, heap: bool = False, passer: int | None = None) -> Luma:
    """The place at a time, with a heap, or someone who passes ``passer`` pixels from the left."""
    grey = np.asarray(cv2.cvtColor(picture(time_s, heap=heap), cv2.COLOR_BGR2GRAY), np.uint8)
    if passer is not None:
        grey[60:150, passer : passer + 30] = 20
    return grey


def looked_at(*, heap: bool = False) -> Glances:
    glances = Glances(SETTINGS)
    glances.looked(glance(0.0, heap=heap))
    return glances


def test_nothing_is_worth_a_look_while_nothing_but_noise_changes() -> None:
    glances = looked_at()
    assert not any(glances.notice(glance(time_s), time_s) for time_s in (2.0, 4.0, 6.0, 8.0))


def test_what_comes_and_stays_is_looked_at_as_it_was_when_it_came() -> None:
    glances = looked_at()
    assert not glances.notice(glance(2.0), 2.0)
    assert not glances.notice(glance(4.0, heap=True), 4.0), "it may pass"
    assert glances.notice(glance(6.0, heap=True), 6.0)
    assert glances.onset_s(newer_s=0.0, now_s=6.1) == 4.0
    assert not glances.is_due(100.0), "now a look is waited for"
    glances.looked(glance(4.0, heap=True))
    assert not glances.notice(glance(8.0, heap=True), 8.0)
    assert not glances.notice(glance(10.0, heap=True), 10.0)


def test_what_goes_is_noticed_too() -> None:
    glances = looked_at(heap=True)
    assert not glances.notice(glance(2.0), 2.0)
    assert glances.notice(glance(4.0), 4.0)


def test_whoever_passes_is_not_worth_a_look() -> None:
    glances = looked_at()
    for number in range(8):
        time_s = 2.0 * (number + 1)
        assert not glances.notice(glance(time_s, passer=20 + 35 * number), time_s)


def test_a_light_switched_on_is_left_to_the_next_look() -> None:
    glances = looked_at()
    for time_s in (2.0, 4.0, 6.0):
        bright = np.clip(glance(time_s).astype(int) * 3, 0, 255).astype(np.uint8)
        assert not glances.notice(bright, time_s)


def test_the_picture_of_the_onset_is_no_use_when_it_is_old_or_another_was_asked_for() -> None:
    glances = looked_at()
    glances.notice(glance(2.0, heap=True), 2.0)
    glances.notice(glance(4.0, heap=True), 4.0)
    assert glances.onset_s(newer_s=0.0, now_s=8.0) == 2.0
    assert glances.onset_s(newer_s=0.0, now_s=8.1) is None
    assert glances.onset_s(newer_s=2.0, now_s=5.0) is None


def test_glances_cost_no_more_than_their_share() -> None:
    glances = looked_at()
    assert glances.is_due(0.0)
    glances.cost(began_s=0.0, spent_s=0.001, took_s=0.001)
    assert not glances.is_due(1.4)
    assert glances.is_due(1.5)
    glances.cost(began_s=10.0, spent_s=0.05, took_s=0.06)
    assert not glances.is_due(14.9)
    assert glances.is_due(15.0)
    glances.cost(began_s=20.0, spent_s=0.05, took_s=0.3)
    assert not glances.is_due(29.9), "the machine is busy"
    assert glances.is_due(30.1)


def test_without_a_look_there_is_nothing_to_compare_with() -> None:
    glances = Glances(SETTINGS)
    assert not glances.is_due(0.0)
    assert not glances.notice(glance(2.0), 2.0)
    assert not glances.notice(glance(4.0, heap=True), 4.0)
