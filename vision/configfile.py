"""Read a YAML file into a pydantic model; errors name the file, the line and the key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vision.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

Loader: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where PyYAML was built with it: it reads the registry in a tenth of the time."""


def load_config(path: Path, model: type[M]) -> M:
    """Read and validate a YAML file.

    Args:
        path: UTF-8 YAML file.
        model: Pydantic model of the whole file; its unknown keys are errors. Its validators find
            the file's folder in their context as ``folder``.

    Raises:
        ConfigError: The file cannot be read, is no YAML, names a key twice, or does not fit the
            model. Every fault is listed with its line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        root = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: no valid YAML: {error}") from error
    _refuse_repeated_keys(path, root)
    content = yaml.load(text, Loader=Loader)  # noqa: S506  either is a safe loader
    try:
        return model.model_validate(content or {}, context={"folder": path.parent})
    except ValidationError as error:
        lines = [
            f"{path}:{_line(root, fault['loc'])}: {_dotted(fault['loc'])}: {_plain(fault)}"
            for fault in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error


def _plain(fault: object) -> str:
    assert isinstance(fault, dict)
    if fault["type"] == "extra_forbidden":
        return "unknown key"
    return str(fault["msg"]).removeprefix("Value error, ")


def _dotted(loc: tuple[int | str, ...]) -> str:
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(whole file)"


def _line(root: yaml.Node | None, loc: tuple[int | str, ...]) -> int:
    """Line, counted from 1, of the deepest part of ``loc`` that the file holds."""
    node, line = root, 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _refuse_repeated_keys(path: Path, node: yaml.Node | None) -> None:
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_repeated_keys(path, child)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if key.value in seen:
                raise ConfigError(f"{path}:{key.start_mark.line + 1}: {key.value}: named twice")
            seen.add(key.value)
            _refuse_repeated_keys(path, child)
