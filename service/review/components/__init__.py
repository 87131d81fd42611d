"""Elements that do their work in the browser; each has its script beside it."""

from __future__ import annotations

from pathlib import Path

SCREEN_PARTS = {"jiexu-screen": str(Path(__file__).parents[1] / "screen" / "parts")}
"""Where scripts find the parts that several of them show; one place, which NiceGUI names once."""
