"""How views look, kept beside the evidence, where every host finds it.

A view of 1920x1080 pixels weighs 11 MB and is saved every five minutes: too much for the database,
whose log would hold each of them. A view that is lost is learnt anew, so nothing waits for the
place: what it does not take is passed over.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from service.evidence.files import place_options
from vision.files import write_atomically

log = logging.getLogger(__name__)

FOLDER = "views"
MOST_WAITING = 16
"""Views that may wait to be written; of more, each is written the next time."""

SHUNNED_S = 60.0
"""So long no view is asked for after the place did not answer: other cameras wait meanwhile."""


class SharedViews:
    """See :class:`service.cameras.checkpoint.ViewStore`; to be called from any thread.

    Args:
        root: Folder or fsspec URL of the evidence.
    """

    def __init__(self, root: str) -> None:
        self._fs, place = fsspec.core.url_to_fs(root, **place_options(root))
        self._folder = f"{place}/{FOLDER}"
        self._waiting: dict[str, bytes] = {}
        self._changed = threading.Condition()
        self._shunned_until_s = 0.0
        threading.Thread(target=self._run, name="views", daemon=True).start()

    def save(self, camera_id: str, view: bytes) -> None:
        """Have a view written; returns at once."""
        with self._changed:
            if camera_id in self._waiting or len(self._waiting) < MOST_WAITING:
                self._waiting[camera_id] = view
                self._changed.notify_all()

    def load(self, camera_id: str) -> bytes | None:
        """The view that was written last, by whatever host."""
        with self._changed:
            waiting = self._waiting.get(camera_id)
        if waiting is not None:
            return waiting
        if time.monotonic() < self._shunned_until_s:
            return None
        try:
            data: bytes = self._fs.cat_file(self._path(camera_id))
        except FileNotFoundError:
            return None
        except Exception as error:
            log.warning("camera %s: its view cannot be read: %s", camera_id, type(error).__name__)
            self._shunned_until_s = time.monotonic() + SHUNNED_S
            return None
        return data

    def flush(self, within_s: float) -> bool:
        """Wait until all that waits is written; ``False`` if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, within_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                camera_id, view = next(iter(self._waiting.items()))
            try:
                self._write(camera_id, view)
            except Exception as error:
                log.warning("camera %s: view not written: %s", camera_id, type(error).__name__)
            with self._changed:
                if self._waiting.get(camera_id) is view:
                    del self._waiting[camera_id]
                self._changed.notify_all()

    def _write(self, camera_id: str, view: bytes) -> None:
        path = self._path(camera_id)
        if isinstance(self._fs, LocalFileSystem):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(Path(path), view)
        else:
            self._fs.pipe_file(path, view)

    def _path(self, camera_id: str) -> str:
        return f"{self._folder}/{camera_id}.npz"
