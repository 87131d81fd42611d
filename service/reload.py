"""Settings read again while the service runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from service import audit
from service.context import Service
from service.dispatch.platforms import DispatchSettings
from service.settings import ServiceSettings
from vision.errors import ConfigError

log = logging.getLogger(__name__)

AT_ONCE = frozenset(
    {
        *("link_s", "sealed_link_s", "camera_networks", "camera_folders"),
        *("limits", "logins", "retention", "review", "dispatch"),
    }
)
"""Settings that hold from the moment they are read; all others from the next start."""


@dataclass(frozen=True)
class Reloaded:
    """What reading the settings again changed.

    Attributes:
        applied: Settings that have another value from now on, such as ``retention.closed_days``.
        needs_restart: Settings that have another value in the file and the old one here.
    """

    applied: tuple[str, ...]
    needs_restart: tuple[str, ...]


class Reloader:
    """Reads the settings again; to be used from any thread.

    Args:
        service: Whose settings are replaced.
        read: Reads them as at the start.
    """

    def __init__(self, service: Service, read: Callable[[], ServiceSettings]) -> None:
        self._service = service
        self._read = read
        self._lock = threading.Lock()

    def reload(self, actor: str, origin: audit.Origin = audit.NOWHERE) -> Reloaded:
        """Read the settings again, and let those hold that can.

        Args:
            actor: Who wants it.
            origin: From where.

        Raises:
            ConfigError: The file is wrong: everything stays as it was.
        """
        with self._lock:
            try:
                read = self._read()
            except ConfigError as error:
                log.error("settings stay as they are: %s", error)  # noqa: TRY400 - no fault here
                raise
            service, old = self._service, self._service.settings
            changed = {
                name
                for name in ServiceSettings.model_fields
                if _differs(getattr(old, name), getattr(read, name))
            }
            at_once = changed & AT_ONCE
            policy = service.address_policy
            settings = old.model_copy(update={name: getattr(read, name) for name in at_once})
            try:
                settings.check_links()
            except ValueError as error:
                raise ConfigError(f"{error}; public_url holds from the next start") from None
            if "dispatch" in at_once and service.dispatcher is not None:
                service.dispatcher.change(settings.dispatch)
            service.settings = settings
            if service.live is not None and service.address_policy != policy:
                service.live.change_policy(service.address_policy)
            told = Reloaded(
                applied=tuple(_places(old, read, at_once)),
                needs_restart=tuple(_places(old, read, changed - at_once)),
            )
            with service.database.write() as session:
                audit.write(
                    session,
                    service.clock(),
                    origin,
                    actor,
                    "settings.reloaded",
                    subject="settings",
                    details={"applied": told.applied, "needs_restart": told.needs_restart},
                )
        log.info(
            "settings read again; changed: %s; from the next start: %s",
            ", ".join(told.applied) or "none",
            ", ".join(told.needs_restart) or "none",
        )
        return told


def _differs(before: object, after: object) -> bool:
    """Whether two values differ; of platforms, their order counts: the first has the word."""
    if isinstance(before, DispatchSettings) and isinstance(after, DispatchSettings):
        order = list(before.destinations) != list(after.destinations)
        return order or before != after
    return before != after


def _places(old: ServiceSettings, new: ServiceSettings, names: set[str]) -> Iterator[str]:
    """Names of what differs, without any value."""
    for name in sorted(names):
        before, after = getattr(old, name), getattr(new, name)
        if not isinstance(before, BaseModel) or type(before) is not type(after):
            yield name
            continue
        for part in type(before).model_fields:
            parts: tuple[Any, Any] = getattr(before, part), getattr(after, part)
            if isinstance(parts[0], dict) and isinstance(parts[1], dict):
                keys = sorted(parts[0].keys() | parts[1].keys())
                differing = [key for key in keys if parts[0].get(key) != parts[1].get(key)]
                in_other_order = not differing and list(parts[0]) != list(parts[1])
                yield from (f"{name}.{part}.{key}" for key in differing)
                if in_other_order:
                    yield f"{name}.{part}"
            elif parts[0] != parts[1]:
                yield f"{name}.{part}"
