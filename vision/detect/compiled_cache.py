"""Networks compiled by OpenVINO, kept on this machine: reading one takes half the time or less.

A file is good for one network, canvas, way of compiling, release of OpenVINO and kind of processor;
its name is a hash of all of these. It begins with the hash of the rest, so that a damaged one is
compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openvino as ov
from openvino import properties

from vision.cache import cache_folder
from vision.files import write_atomically

log = logging.getLogger(__name__)

KEPT_FILES = 64
"""The one not used for longest goes first; each is about as large as the network's own file."""

_DIGEST_BYTES = hashlib.sha256().digest_size


def compiled(
    core: ov.Core,
    make: Callable[[], ov.Model],
    device: str,
    config: Mapping[Any, Any],
    identity: Sequence[str | int],
) -> ov.CompiledModel:
    """Compile a network, or read it as it was compiled before.

    A cache that cannot be read or written is done without.

    Args:
        core: OpenVINO.
        make: Makes the network; called only where it must be compiled.
        device: OpenVINO device name.
        config: How it is compiled.
        identity: Tells the network from every other, its canvas included.

    Raises:
        RuntimeError: OpenVINO cannot compile it.
    """
    folder = cache_folder("networks")
    if folder is None:
        return core.compile_model(make(), device, dict(config))
    file = folder / f"{_key(core, device, config, identity)}.blob"
    content = _read(file)
    if content is not None:
        try:
            return core.import_model(content, device, dict(config))
        except RuntimeError as error:
            log.info("%s: compiled anew: %s", file, error)
    network = core.compile_model(make(), device, dict(config))
    try:
        _keep(file, network.export_model().getvalue())
    except (OSError, RuntimeError) as error:
        log.info("%s: not kept: %s", file, error)
    return network


def _key(
    core: ov.Core, device: str, config: Mapping[Any, Any], identity: Sequence[str | int]
) -> str:
    text = json.dumps(
        [
            list(identity),
            ov.get_version(),
            device,
            core.get_property(device, properties.device.full_name()),
            core.get_property(device, properties.device.capabilities()),
            len(os.sched_getaffinity(0)),
            sorted((str(name), str(value)) for name, value in config.items()),
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _read(file: Path) -> bytes | None:
    try:
        content = file.read_bytes()
        os.utime(file)
    except OSError:
        return None
    digest, rest = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return rest if hashlib.sha256(rest).digest() == digest else None


def _keep(file: Path, content: bytes) -> None:
    # Several processes may compile the same network at once.
    write_atomically(file, hashlib.sha256(content).digest() + content, rivals=True)
    kept = sorted(file.parent.glob("*.blob"), key=_used_at, reverse=True)
    for old in kept[KEPT_FILES:]:
        old.unlink(missing_ok=True)


def _used_at(file: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_mtime
    return 0.0
