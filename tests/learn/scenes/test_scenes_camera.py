"""The scene maker's camera: ground to pixels and back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vision.learn.scenes.camera import NEAR_M, Camera
from vision.learn.scenes.layout import strip

cameras = st.builds(
    Camera,
    x_m=st.floats(-10, 10),
    height_m=st.floats(2, 12),
    yaw_rad=st.floats(-0.8, 0.8),
    pitch_rad=st.floats(0.05, 0.9),
    focal_px=st.floats(300, 2000),
    size=st.just((1280, 720)),
)


@given(cameras, st.floats(0, 1280), st.floats(0, 720))
def test_a_ground_pixel_projects_back_to_itself(camera: Camera, x: float, y: float) -> None:
    ground = camera.ground(np.array([[x, y]]))
    if np.isnan(ground).any() or np.abs(ground).max() > 2000:
        return
    pixels, depth = camera.project(np.append(ground, [[0.0]], axis=1))
    assert depth[0] > 0
    assert np.allclose(pixels[0], [x, y], atol=1e-3)


@given(cameras)
def test_pixels_above_the_horizon_show_no_ground(camera: Camera) -> None:
    horizon = 360 - camera.focal_px * np.tan(camera.pitch_rad)
    above = camera.ground(np.array([[640.0, horizon - 5], [100.0, horizon - 50]]))
    assert np.isnan(above).all()


@given(cameras)
def test_rows_of_ground_points_agree_with_single_points(camera: Camera) -> None:
    top = max(0, int(360 - camera.focal_px * np.tan(camera.pitch_rad)) + 20)
    if top >= 720:
        return
    x, y = camera.ground_rows(top)
    single = camera.ground(np.array([[0.0, top], [1279.0, 719.0]]))
    assert np.allclose([x[0, 0], y[0, 0]], single[0], rtol=1e-3, atol=1e-3)
    assert np.allclose([x[-1, -1], y[-1, -1]], single[1], rtol=1e-3, atol=1e-3)


@given(cameras, st.floats(-30, 5))
def test_a_strip_that_passes_under_the_camera_is_cut_in_front_of_it(
    camera: Camera, begin: float
) -> None:
    corners = strip(-3, 3, begin, 60)
    outline = camera.outline(corners)
    assert len(outline) >= 3
    assert np.isfinite(outline).all()
    back = camera.ground(outline)
    seen = ~np.isnan(back).any(axis=1)
    depth = camera.project(np.column_stack([back[seen], np.zeros(seen.sum())]))[1]
    assert (depth > NEAR_M - 1e-3).all()


def test_fractions_of_ground_behind_the_camera_are_empty() -> None:
    camera = Camera(0, 6, 0, 0.3, 1000, (1280, 720))
    assert camera.fractions(strip(-3, 3, -40, -20)) == ()
    whole = np.array(camera.fractions(strip(-3, 3, 8, 30)))
    assert ((whole >= 0) & (whole <= 1)).all()
