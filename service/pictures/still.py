"""Pictures from outside: what they are is checked before they are decoded."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from vision.errors import InputError
from vision.frames.frame import Image

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""Formats that cameras and people send; each further decoder is one more to attack."""


class TooManyPixelsError(InputError):
    """A picture has more pixels than are decoded."""


def decode_still(data: bytes, max_pixels: int) -> Image:
    """Decode one picture, upright.

    Width and height are read from its head; a picture that says it has more pixels than allowed is
    refused before memory is taken for them. One that holds several pictures gives its first.

    Args:
        data: The file.
        max_pixels: Most pixels.

    Returns:
        ``(h, w, 3)`` uint8 BGR.

    Raises:
        TooManyPixelsError: It has more pixels.
        InputError: It is no picture of a format that is taken, or is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
                width, height = opened.size
                if width * height > max_pixels:
                    raise TooManyPixelsError(
                        f"the picture has {width} x {height} pixels; at most {max_pixels} are taken"
                    )
                opened.draft("RGB", opened.size)
                upright = ImageOps.exif_transpose(opened).convert("RGB")
    except UnidentifiedImageError:
        raise InputError(f"no picture of the formats {', '.join(FORMATS)}") from None
    except Pillow.DecompressionBombError:
        raise TooManyPixelsError(f"at most {max_pixels} pixels are taken") from None
    except (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, MemoryError) as error:
        raise InputError(f"the picture cannot be decoded: {type(error).__name__}") from None
    return np.ascontiguousarray(np.asarray(upright, np.uint8)[:, :, ::-1])
