"""Small pictures that are part of the page."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

JPEG_QUALITY = 72


def data_uri(path: Path, max_side: int) -> str | None:
    """A picture scaled down to ``max_side`` pixels as a ``data:`` URI.

    Args:
        path: The picture.
        max_side: Longest side in pixels; smaller pictures keep their size.

    Returns:
        The URI, ``None`` when the file is missing or no picture.
    """
    try:
        with Image.open(path) as picture:
            # Lets the JPEG decoder scale by powers of two, several times faster.
            picture.draft("RGB", (max_side, max_side))
            small = picture.convert("RGB")
            small.thumbnail((max_side, max_side), Image.Resampling.LANCZOS, reducing_gap=2.0)
            buffer = BytesIO()
            small.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return None
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
