"""Text on pictures: Chinese where the system has a font for it, plain Latin where not."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

_FOLDERS = (
    "~/.local/share/fonts",
    "~/.fonts",
    "/usr/local/share/fonts",
    "/usr/share/fonts",
    "~/Library/Fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "C:/Windows/Fonts",
)
_NAMES = (
    "NotoSansCJK-Regular",
    "NotoSansCJKsc-Regular",
    "NotoSansSC-Regular",
    "NotoSansSC",
    "SourceHanSansSC-Regular",
    "SourceHanSans-Regular",
    "SourceHanSansCN-Regular",
    "wqy-microhei",
    "wqy-zenhei",
    "DroidSansFallbackFull",
    "DroidSansFallback",
    "PingFang",
    "Hiragino Sans GB",
    "STHeiti Medium",
    "msyh",
    "simhei",
    "simsun",
)
_SAMPLE = "废弃车辆街道时间"


@dataclass(frozen=True)
class _Face:
    path: str
    index: int


def _candidates() -> Iterator[Path]:
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        root = Path(folder).expanduser()
        if not root.is_dir():
            continue
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() in {".ttc", ".ttf", ".otf"}:
                found.setdefault(path.stem.lower(), path)
    for name in _NAMES:
        if name.lower() in found:
            yield found[name.lower()]


def _renders(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> bool:
    """Whether ``font`` has a glyph of its own for every character of ``text``."""
    missing = bytes(font.getmask("\U0010fffe"))
    return all(char.isspace() or bytes(font.getmask(char)) != missing for char in text)


@lru_cache(maxsize=1)
def _chinese_face() -> _Face | None:
    for path in _candidates():
        faces: list[tuple[bool, int]] = []
        for index in range(10):
            try:
                font = ImageFont.truetype(str(path), 20, index=index)
            except OSError:
                break
            if _renders(font, _SAMPLE):
                family = str(font.getname()[0])
                # One collection holds Japanese, Korean and Chinese shapes of the same characters.
                faces.append((not family.endswith((" SC", " CN")), index))
        if faces:
            return _Face(str(path), min(faces)[1])
    return None


@lru_cache(maxsize=16)
def font_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Font for captions.

    Args:
        size: Height in pixels.

    Returns:
        A Chinese font of this system when there is one, else the Latin font inside Pillow.
    """
    face = _chinese_face()
    if face is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(face.path, size, index=face.index)


def shows_chinese() -> bool:
    """Whether captions can be written in Chinese on this system."""
    return _chinese_face() is not None


def can_show(text: str) -> bool:
    """Whether every character of ``text`` can be drawn on this system."""
    return _renders(font_of(20), text)


def drawable(choices: Sequence[str]) -> str:
    """The first of ``choices`` that can be drawn whole, never with boxes for missing glyphs.

    Where none can, accents are taken off the last one; where that leaves characters that cannot
    be drawn, they are replaced by a short hash, so that two names stay apart.

    Args:
        choices: Texts for the same thing, best first, such as a camera's name and its id.
    """
    for text in choices:
        if text and can_show(text):
            return text
    last = choices[-1] if choices else ""
    decomposed = unicodedata.normalize("NFKD", last)
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    plain = "".join(char for char in bare if char.isascii() and char.isprintable())
    if len(plain) < len(bare):
        plain = f"{plain.strip()} #{hashlib.sha256(last.encode()).hexdigest()[:6]}".strip()
    return " ".join(plain.split()) or "-"
