from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.learn.compose.cutouts import cut_out
from vision.learn.compose.ground import CAR_EXTENT_M, SHRINK, GroundView, fit_view, open_ground
from vision.learn.compose.panels import Row
from vision.learn.compose.paste import Layer, blend, bounds, detail, fit_light, look_of, soften
from vision.learn.compose.places import find_spot, look_at
from vision.learn.compose.plumes import air
from vision.learn.compose.shadow import cast_shadow
from vision.learn.data.labels import Box


def noisy(level: int, size: tuple[int, int] = (360, 640), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.clip(rng.normal(level, 3, (*size, 3)), 0, 255)
    return image.astype(np.uint8)


@given(
    horizon=st.floats(-300, 150),
    height_m=st.floats(1.2, 15),
    seed=st.integers(0, 1000),
)
def test_the_view_is_learnt_from_vehicles(horizon: float, height_m: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    view = GroundView(horizon, height_m)
    bottoms = np.linspace(max(horizon, 0) + 40, 355, 8)
    boxes = []
    for bottom in bottoms:
        extent = CAR_EXTENT_M * view.px_per_m(float(bottom)) * rng.uniform(0.99, 1.01)
        aspect = rng.uniform(0.9, 2.2)
        w, h = extent * np.sqrt(aspect), extent / np.sqrt(aspect)
        boxes.append((100.0, bottom - h, 100 + w, float(bottom)))
    found = fit_view(boxes, 360)
    assert found is not None
    for row in (bottoms[0], 200.0, 350.0):
        assert found.px_per_m(row) == pytest.approx(view.px_per_m(row), rel=0.12)


def test_vehicles_of_one_row_tell_no_view() -> None:
    assert fit_view([(i * 50.0, 80.0, i * 50 + 40.0, 100.0) for i in range(9)], 360) is None


@given(horizon=st.floats(-600, 170), height_m=st.floats(1.2, 12), row=st.floats(220, 350))
def test_the_drawing_camera_has_the_views_scale(
    horizon: float, height_m: float, row: float
) -> None:
    view = GroundView(horizon, height_m)
    camera = view.camera((640, 360))
    spot = camera.ground(np.array([[320.0, row]]))[0]
    side = np.array([[spot[0] - 0.5, spot[1], 0.0], [spot[0] + 0.5, spot[1], 0.0]])
    pixels = camera.project(side)[0]
    assert pixels[:, 1] == pytest.approx([row, row], abs=1e-6)
    assert pixels[1, 0] - pixels[0, 0] == pytest.approx(view.px_per_m(row), rel=1e-6)


def test_ground_ends_at_kerb_and_vehicles() -> None:
    image = noisy(110)
    image[:200] = noisy(110, (200, 640), 3) // 2 + np.array([20, 90, 20], np.uint8)
    image[200:206] = 240
    car = (280.0, 230.0, 360.0, 280.0)
    cv2.rectangle(image, (280, 230), (360, 280), (30, 30, 160), -1)
    ground = open_ground(image, [car, (500.0, 290.0, 560.0, 330.0)], 40)
    assert ground[: 198 // SHRINK].mean() == 0
    assert ground[300 // SHRINK :, : 400 // SHRINK].mean() > 230
    assert ground[240 // SHRINK : 270 // SHRINK, 290 // SHRINK : 350 // SHRINK].mean() == 0


@pytest.mark.parametrize("seed", range(5))
def test_things_stand_on_ground_and_hide_nothing_nearer(seed: int) -> None:
    ground = np.zeros((90, 160), np.uint8)
    ground[50:, 20:140] = 255
    view = GroundView(60.0, 5.0)
    site = look_at(view, (640, 360), ground)
    taken = [(200.0, 250.0, 300.0, 330.0)]
    spot = find_spot(
        site, np.random.default_rng(seed), lambda s: (2.0 * s, 1.2 * s), taken,
        place="road", side_px=(20, 200),
    )  # fmt: skip
    assert spot is not None
    assert ground[int(spot.y / SHRINK), int(spot.x / SHRINK)] == 255
    assert spot.px_per_m == pytest.approx(view.px_per_m(spot.y))
    w, h = 2.0 * spot.px_per_m, 1.2 * spot.px_per_m
    if spot.y < 330:
        inside_w = min(spot.x + w / 2, 300) - max(spot.x - w / 2, 200)
        inside_h = min(spot.y, 330) - max(spot.y - h, 250)
        assert max(0.0, inside_w) * max(0.0, inside_h) <= 0.16 * 100 * 80


def test_no_ground_no_spot() -> None:
    site = look_at(GroundView(60.0, 5.0), (640, 360), np.zeros((90, 160), np.uint8))
    rng = np.random.default_rng(0)
    assert find_spot(
        site, rng, lambda s: (s, s), [], place="road", side_px=(5, 200)
    ) is None  # fmt: skip


def car_picture() -> tuple[np.ndarray, np.ndarray, Box]:
    image, truth = noisy(190, (240, 320)), np.zeros((240, 320), np.uint8)
    cv2.ellipse(truth, (160, 125), (100, 55), 0, 0, 360, 255, -1)
    image[truth > 0] = (40, 50, 130)
    return image, truth, Box("car", (59 / 320, 69 / 240, 261 / 320, 181 / 240))


def test_a_thing_is_cut_out_along_its_outline() -> None:
    image, truth, box = car_picture()
    found = cut_out(image, box, "compact")
    assert not isinstance(found, str), found
    part, mask = found
    assert part.shape[:2] == mask.shape
    whole = cv2.resize(truth[70:181, 60:261], mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
    both = ((mask > 0) & (whole > 0)).sum() / ((mask > 0) | (whole > 0)).sum()
    # Between what reaches the ground the mask is filled, so it is a little larger.
    assert both > 0.88
    assert (
        np.abs(part[mask.shape[0] // 2, mask.shape[1] // 2].astype(int) - [40, 50, 130]).max() < 8
    )


def test_things_cut_off_by_the_picture_are_refused() -> None:
    image, _, _ = car_picture()
    assert cut_out(image, Box("car", (0.0, 0.3, 0.6, 0.8)), "compact") == (
        "cut off by the picture's border"
    )


def test_a_mask_of_plain_ground_is_refused() -> None:
    found = cut_out(noisy(120, (240, 320)), Box("car", (0.2, 0.2, 0.8, 0.8)), "compact")
    assert isinstance(found, str)


def test_things_before_white_lose_the_white() -> None:
    image = np.full((240, 320, 3), 252, np.uint8)
    cv2.rectangle(image, (90, 60), (230, 110), (40, 40, 200), -1)
    for x in (100, 220):
        cv2.line(image, (x, 110), (x, 200), (60, 60, 60), 6)
    found = cut_out(image, Box("stall", (88 / 320, 58 / 240, 232 / 320, 204 / 240)), "white")
    assert not isinstance(found, str), found
    part, mask = found
    middle = mask[int(mask.shape[0] * 0.75), mask.shape[1] // 2]
    assert middle == 0
    assert mask[mask.shape[0] // 5, mask.shape[1] // 2] == 255
    assert part[mask > 0].mean() < 140


def test_blend_tells_what_is_seen_and_leaves_the_rest() -> None:
    picture = noisy(100)
    before = picture.copy()
    layer = Layer(600, 20, np.full((50, 80, 3), 220, np.uint8), np.full((50, 80), 255, np.uint8))
    seen = blend(picture, layer)
    assert bounds(seen) == (600.0, 20.0, 640.0, 70.0)
    assert (picture[~seen] == before[~seen]).all()
    assert (picture[seen] == 220).all()


def test_a_thing_becomes_as_blurred_as_the_background() -> None:
    rng = np.random.default_rng(2)
    coarse = rng.integers(0, 255, (90, 160, 3), np.uint8)
    sharp = np.kron(coarse, np.ones((4, 4, 1), np.uint8))
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2.0)
    thing = Layer(0, 0, sharp[:100, :140].copy(), np.full((100, 140), 255, np.uint8))
    of_sharp = soften(thing, look_of(sharp, rng), rng, feather=0.5)
    of_blurred = soften(thing, look_of(blurred, rng), rng, feather=0.5)
    assert detail(of_blurred.image, of_blurred.alpha) < 0.75 * detail(
        of_sharp.image, of_sharp.alpha
    )


def test_a_thing_takes_on_the_light() -> None:
    rng = np.random.default_rng(0)
    thing = np.full((20, 20, 3), 150, np.uint8)
    mean = np.array([150, 128, 128], np.float32)
    dark = fit_light(thing, mean, 40.0, look_of(noisy(60), rng), 0.8)
    same = fit_light(thing, mean, 40.0, look_of(noisy(60), rng), 0.0)
    assert dark.mean() < 125
    assert abs(float(same.mean()) - 150) < 2


def test_the_shadow_lies_at_the_foot() -> None:
    picture = np.full((200, 300, 3), 150, np.uint8)
    alpha = np.zeros((60, 100), np.uint8)
    alpha[5:, 10:90] = 255
    rng = np.random.default_rng(0)
    layer = Layer(100, 80, np.zeros((60, 100, 3), np.uint8), alpha)
    cast_shadow(picture, layer, look_of(noisy(100), rng), 0.6)
    assert picture.max() == 150
    assert picture[139, 150].max() < 110
    assert (picture[:70] == 150).all()


@given(st.integers(1, 20), st.sets(st.integers(0, 19)))
def test_runs_are_the_panels_between_gaps(count: int, gaps: set[int]) -> None:
    row = Row((0.0, 10.0), (2.0 * count, 10.0), 2.0, 2.2, frozenset(gaps))
    runs = row.runs()
    assert row.count == count
    shown = [i for first, last in runs for i in range(first, last + 1)]
    assert shown == [i for i in range(count) if i not in gaps]
    assert all(b[0] - a[1] >= 2 for a, b in itertools.pairwise(runs))


def test_dust_has_a_box_that_holds_the_change_and_look_alikes_have_none() -> None:
    picture = noisy(95)
    picture[:120] += 100
    camera = GroundView(120.0, 5.0).camera((640, 360))
    boxes = 0
    for seed in range(8):
        made = air(picture, "dust", camera, (320.0, 260.0), np.random.default_rng(seed))
        if made is None:
            continue
        laid, box = made
        assert box is not None
        x1, y1, x2, y2 = (int(v) for v in box)
        change = np.abs(laid.astype(int) - picture).mean(axis=2)
        inside = change[y1:y2, x1:x2].sum() / max(1.0, change.sum())
        assert inside > 0.75
        assert change[y1:y2, x1:x2].mean() > 6
        boxes += 1
    assert boxes >= 3
    for kind in ("steam", "exhaust", "haze", "glare"):
        seen = [
            air(picture, kind, camera, (320.0, 260.0), np.random.default_rng(seed))  # type: ignore[arg-type]
            for seed in range(4)
        ]
        changed = [m for m in seen if m is not None]
        assert changed, kind
        assert all(box is None for _, box in changed)
        assert any((laid != picture).any() for laid, _ in changed)
