"""Fit a picture into the detector's input and bring boxes back; the same for every runtime.

The geometry is that of ultralytics' ``LetterBox(auto=True)``: the longer side is scaled to the
input size and the shorter one padded to the next multiple of the stride only, so that 1920 x 1080
at 640 becomes 640 x 384 and costs 40 % less than a square.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames.frame import Image

PAD_GREY = 114
"""Grey of the padding, as in the training of every YOLO model."""


@dataclass(frozen=True)
class Placement:
    """Where a picture lies on its canvas.

    Attributes:
        width: Width of the source picture in pixels.
        height: Height of the source picture in pixels.
        resized_width: Width in pixels that it takes up on the canvas.
        resized_height: Height in pixels that it takes up on the canvas.
        pad_x: Pixels of padding to its left.
        pad_y: Pixels of padding above it.
        canvas_width: Width of the canvas, a multiple of the stride.
        canvas_height: Height of the canvas, a multiple of the stride.
    """

    width: int
    height: int
    resized_width: int
    resized_height: int
    pad_x: int
    pad_y: int
    canvas_width: int
    canvas_height: int

    def to_source(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move boxes ``(n, 4)`` from canvas to source pixels, clipped to the picture."""
        # Each side was rounded by itself, so each has its own scale.
        scale_x, scale_y = self.resized_width / self.width, self.resized_height / self.height
        pad = np.array([self.pad_x, self.pad_y] * 2, np.float32)
        scale = np.array([scale_x, scale_y] * 2, np.float32)
        limit = np.array([self.width, self.height] * 2, np.float32)
        source: NDArray[np.float32] = np.clip((xyxy - pad) / scale, 0, limit)
        return source

    def to_canvas(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move boxes ``(n, 4)`` from source to canvas pixels."""
        scale_x, scale_y = self.resized_width / self.width, self.resized_height / self.height
        pad = np.array([self.pad_x, self.pad_y] * 2, np.float32)
        return (xyxy * np.array([scale_x, scale_y] * 2, np.float32) + pad).astype(np.float32)


def placement(width: int, height: int, input_size: int, stride: int) -> Placement:
    """Compute where a ``width`` x ``height`` picture lies on its smallest canvas.

    Args:
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        input_size: Pixels of the longer side on the canvas, a multiple of ``stride``.
        stride: Largest stride of the model in pixels.
    """
    scale = min(input_size / width, input_size / height)
    resized_width = max(round(width * scale), 1)
    resized_height = max(round(height * scale), 1)
    pad_width = (input_size - resized_width) % stride
    pad_height = (input_size - resized_height) % stride
    return Placement(
        width=width,
        height=height,
        resized_width=resized_width,
        resized_height=resized_height,
        # An odd pixel of padding goes to the right and the bottom.
        pad_x=pad_width // 2,
        pad_y=pad_height // 2,
        canvas_width=resized_width + pad_width,
        canvas_height=resized_height + pad_height,
    )


def letterbox(
    image: Image, input_size: int, stride: int, size: tuple[int, int] | None = None
) -> tuple[Image, Placement]:
    """Resize a picture onto a grey canvas of its own.

    Args:
        image: BGR uint8 ``(h, w, 3)``; not kept, so the caller may reuse it at once.
        input_size: Pixels of the longer side on the canvas, a multiple of ``stride``.
        stride: Largest stride of the model in pixels.
        size: Width and height of the source picture, where ``image`` shows it scaled down.

    Returns:
        BGR uint8 canvas ``(canvas_height, canvas_width, 3)``, contiguous, and the placement of the
        source picture.

    Raises:
        ValueError: The picture is empty or not BGR uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(
            f"a BGR uint8 picture (h, w, 3) is needed, not {image.shape} {image.dtype}"
        )
    height, width = image.shape[:2]
    place = placement(width, height, input_size, stride)
    canvas = np.empty((place.canvas_height, place.canvas_width, 3), np.uint8)
    bottom, right = place.pad_y + place.resized_height, place.pad_x + place.resized_width
    canvas[: place.pad_y] = PAD_GREY
    canvas[bottom:] = PAD_GREY
    canvas[:, : place.pad_x] = PAD_GREY
    canvas[:, right:] = PAD_GREY
    cv2.resize(
        image,
        (place.resized_width, place.resized_height),
        dst=canvas[place.pad_y : bottom, place.pad_x : right],
        interpolation=cv2.INTER_LINEAR,
    )
    return canvas, place if size is None else replace(place, width=size[0], height=size[1])


def to_tensor(canvas: Image) -> NDArray[np.float32]:
    """Turn a BGR uint8 canvas ``(h, w, 3)`` into RGB float32 ``(1, 3, h, w)`` in 0..1."""
    planes = np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1))
    return (planes[np.newaxis].astype(np.float32) / np.float32(255)).astype(np.float32, copy=False)
