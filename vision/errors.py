"""Errors that a user can act on. Their text names the file, key or field that is wrong."""


class JiexuError(Exception):
    """Base of all errors that Jiexu raises on purpose; its text is shown without a traceback."""


class InputError(JiexuError):
    """A recording, picture or stream cannot be read; the text names it and says why."""


class ConfigError(JiexuError):
    """A site file, registry or option is wrong; the text names file, line and key."""


class ModelError(JiexuError):
    """A model is unknown, its files are missing or their hash differs, or its runtime fails."""
