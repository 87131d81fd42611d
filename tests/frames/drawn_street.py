"""A street drawn by code, with sensor noise and traffic, for tests of gate and health."""

from __future__ import annotations

import cv2
import numpy as np

from vision.frames.frame import LUMA_WIDTH, Luma

WIDTH, HEIGHT = 720, 480


def street(seed: int = 0) -> Luma:
    """Draw an empty street: houses with windows, a pavement of slabs, a road with markings."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH), 105.0, np.float32)
    horizon = int(random.integers(150, 200))
    picture[:horizon] = 190
    x = 0
    while x < WIDTH:
        width, top = int(random.integers(60, 150)), int(random.integers(10, horizon - 60))
        wall = float(random.integers(60, 180))
        cv2.rectangle(picture, (x, top), (x + width, horizon), wall, -1)
        pane = wall + (60 if wall < 120 else -60)
        step = int(random.integers(18, 30))
        for window_x in range(x + 8, x + width - 12, step):
            for window_y in range(top + 8, horizon - 14, step + 4):
                cv2.rectangle(
                    picture, (window_x, window_y), (window_x + 9, window_y + 13), pane, -1
                )
        x += width
    kerb = int(random.integers(250, 300))
    cv2.rectangle(picture, (0, horizon), (WIDTH, kerb), 135.0, -1)
    for x in range(-300, WIDTH + 300, int(random.integers(30, 50))):
        cv2.line(picture, (x, kerb), (x + 90, horizon), 110.0, 1)
    for y in range(horizon, kerb, 14):
        cv2.line(picture, (0, y), (WIDTH, y), 115.0, 1)
    cv2.line(picture, (0, kerb), (WIDTH, kerb + 6), 200.0, 4)
    for x in range(0, WIDTH, 90):
        cv2.line(picture, (x, kerb + 90), (x + 50, kerb + 94), 220.0, 5)
    for x in range(int(random.integers(40, 90)), WIDTH, 190):
        cv2.line(picture, (x, kerb), (x, horizon - 90), 45.0, 5)
    # What makes every real street its own: trees, stains, patches, a camera that hangs askew.
    for _ in range(14):
        x, y = int(random.integers(0, WIDTH)), int(random.integers(horizon - 60, kerb))
        for _ in range(25):
            leaf = (x + int(random.normal(0, 22)), y + int(random.normal(0, 16)))
            cv2.circle(
                picture, leaf, int(random.integers(3, 8)), float(random.integers(30, 110)), -1
            )
    for _ in range(160):
        start = random.integers((0, kerb), (WIDTH, HEIGHT))
        end = start + random.integers(-50, 50, 2)
        thickness = int(random.integers(1, 6))
        cv2.line(picture, start.tolist(), end.tolist(), float(random.integers(60, 170)), thickness)
    askew = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), float(random.uniform(-15, 15)), 1.1)
    picture = cv2.warpAffine(picture, askew, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    grain = cv2.GaussianBlur(random.normal(0, 1, picture.shape).astype(np.float32), (0, 0), 1.5)
    return np.clip(picture + 10 * grain, 0, 255).astype(np.uint8)


def with_traffic(picture: Luma, seed: int, share: float = 0.08) -> Luma:
    """Put people and cars over a share of the picture, elsewhere with every seed."""
    random = np.random.default_rng(seed)
    busy, mask = picture.copy(), np.zeros_like(picture)
    while mask.mean() < share:
        x, y = int(random.integers(0, WIDTH)), int(random.integers(HEIGHT // 3, HEIGHT))
        half = (int(random.integers(10, 45)), int(random.integers(18, 40)))
        for canvas, level in ((busy, int(random.integers(15, 240))), (mask, 1)):
            cv2.ellipse(canvas, (x, y), half, 0, 0, 360, level, -1)
    return busy


def seen(picture: Luma, seed: int = 0, noise: float = 2.5) -> Luma:
    """Look at a full picture: sensor noise, then the small brightness picture."""
    random = np.random.default_rng(seed)
    noisy = np.clip(picture + random.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)
    height = round(LUMA_WIDTH * picture.shape[0] / picture.shape[1])
    return cv2.resize(noisy, (LUMA_WIDTH, height), interpolation=cv2.INTER_AREA)


def moved(
    picture: Luma, right: float = 0, down: float = 0, turn: float = 0, zoom: float = 1
) -> Luma:
    """Move the camera: shifts in shares of the width, turn in degrees."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), turn, zoom)
    matrix[:, 2] += (right * WIDTH, down * WIDTH)
    return cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)


def brightened(picture: Luma, gain: float, offset: float = 0) -> Luma:
    return np.clip(picture * gain + offset, 0, 255).astype(np.uint8)


def at_night(picture: Luma, seed: int) -> Luma:
    """Darken as a camera at night: gamma, little light, strong noise."""
    noise = np.random.default_rng(seed).normal(0, 5, picture.shape)
    return np.clip((picture / 255.0) ** 2.2 * 90 + 10 + noise, 0, 255).astype(np.uint8)


def covered(picture: Luma, share: float, level: float) -> Luma:
    """Hang something soft and out of focus before the left part of the lens."""
    mask = np.zeros(picture.shape, np.float32)
    mask[:, : int(share * WIDTH)] = 1
    mask = cv2.GaussianBlur(mask, (0, 0), 12)
    folds = level + 8 * np.sin(np.arange(WIDTH) / 40)[None, :]
    return (picture * (1 - mask) + folds * mask).clip(0, 255).astype(np.uint8)
