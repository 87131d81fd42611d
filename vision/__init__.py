"""Jiexu 街序: frames in, street-order violations with evidence out.

This package knows nothing of the web or of a database; ``service`` composes it.
"""

from vision.telemetry import switch_off

__version__ = "0.1.0"

switch_off()
