"""Set what calibration proposes in a site file, and leave the rest of it as people wrote it."""

from __future__ import annotations

import io
from collections.abc import Collection, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from vision.errors import ConfigError
from vision.files import write_atomically
from vision.learn.feedback.calibration import Proposal
from vision.site import load_site

SETTING = "min_confidence"


def set_site(path: Path, proposals: Sequence[Proposal], cameras: Collection[str] = ()) -> list[str]:
    """Set ``min_confidence`` in a site file; comments and order stay.

    Args:
        path: The site file; it is replaced only by one that is valid.
        proposals: What to set.
        cameras: Cameras of the file to set it for; without any, for the whole site.

    Returns:
        What was set, in words; and which cameras go on with a setting of their own.

    Raises:
        ConfigError: The file cannot be read or used, or has no such camera.
    """
    site = load_site(path)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(path.read_text("utf-8"))
    strange = sorted(set(cameras) - {camera.id for camera in site.cameras})
    if strange:
        raise ConfigError(f"{path}: cameras: there is no camera {', '.join(strange)}")
    chosen = [one for one in document["cameras"] if one["id"] in cameras]
    told = []
    for one in proposals:
        for place in chosen or [document]:
            _set(place, one)
            where = f"camera {place['id']}" if chosen else "the whole site"
            told.append(f"{path}: {one.kind}.{SETTING}: {one.min_confidence:g} for {where}")
        own = [c.id for c in site.cameras if c.id not in cameras and _has_own(c.rules, one.kind)]
        if own:
            told.append(f"{path}: {one.kind}.{SETTING}: as it was for {', '.join(own)}")
    text = io.StringIO()
    yaml.dump(document, text)
    trial = path.with_name(f".{path.name}.calibrated")
    try:
        trial.write_text(text.getvalue(), "utf-8")
        load_site(trial)
    finally:
        trial.unlink(missing_ok=True)
    write_atomically(path, text.getvalue())
    return told


def _set(place: MutableMapping[str, Any], one: Proposal) -> None:
    rules = place.get("rules") or {}
    settings = rules.get(one.kind) or {}
    settings[SETTING] = one.min_confidence
    rules[one.kind] = settings
    place["rules"] = rules


def _has_own(rules: object, kind: str) -> bool:
    settings = getattr(rules, kind, None)
    return settings is not None and SETTING in settings.model_fields_set
