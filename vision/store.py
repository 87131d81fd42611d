"""Recordings in, and run folders out of, stores that fsspec reaches, such as S3.

Pictures are decoded from files, so a recording is copied to this machine while it is scanned, and
a run folder is written here and kept in step with the store. Addresses and keys of the store come
from its own settings (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ...), never from the command.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision.errors import ConfigError, InputError

log = logging.getLogger(__name__)

SCHEMES = {
    "s3": "jiexu[s3]",
    "gs": "gcsfs",
    "abfs": "adlfs",
    "memory": "fsspec",
}
"""Schemes of stores, and what to install for each."""

STEP_S = 60.0
"""A run folder under way is brought in step with its store so often."""

LAST = frozenset({"position.npz", "result.json", "run.json"})
"""Files that speak of others, which must be in the store before them."""


def is_store_url(text: str) -> bool:
    """Whether an argument names a place in a store rather than a file or a stream."""
    found = re.match(r"([a-z0-9]+)://", text)
    return found is not None and found[1] in SCHEMES


def stored_files(url: str) -> list[str]:
    """URLs of a file, or of all files under a folder, of a store.

    Raises:
        InputError: There is nothing, or the store cannot be read.
        ConfigError: The package for the store is not installed.
    """
    system, path = _opened(url)
    scheme = url.split("://", maxsplit=1)[0]
    try:
        if system.isfile(path):
            return [url]
        found = [f"{scheme}://{name.lstrip('/')}" for name in system.find(path)]
    except Exception as error:
        raise InputError(f"{url}: cannot be read: {_words(error)}") from error
    if not found:
        raise InputError(f"{url}: does not exist")
    return found


def local_copy(url: str) -> Path:
    """Copy a file of a store to this machine, unless it is here already.

    Several processes may ask at once; one of them copies.

    Raises:
        InputError: It cannot be read.
        ConfigError: The package for the store is not installed.
    """
    system, path = _opened(url)
    try:
        content = system.ukey(path)
    except Exception as error:
        raise InputError(f"{url}: cannot be read: {_words(error)}") from error
    name = hashlib.sha256(f"{url}\0{content}".encode()).hexdigest()[:16]
    folder = scratch_folder() / "in" / name
    folder.mkdir(parents=True, exist_ok=True)
    copy = _under(folder, path)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_name(f".{copy.name}.partial")
            try:
                system.get_file(path, str(partial))
            except Exception as error:
                raise InputError(f"{url}: cannot be read: {_words(error)}") from error
            partial.replace(copy)
    return copy


def drop_copy(copy: Path) -> None:
    """Remove what :func:`local_copy` made, once nobody reads it any more."""
    inputs = scratch_folder() / "in"
    if copy.is_relative_to(inputs):
        shutil.rmtree(inputs / copy.relative_to(inputs).parts[0], ignore_errors=True)


@contextmanager
def run_folder_of(out: str) -> Iterator[Path]:
    """The folder to write a run into.

    A place in a store is read first, so that an interrupted run goes on, and kept in step while
    the run lasts and once more at its end.

    Args:
        out: A path, or the URL of a folder in a store.

    Raises:
        ConfigError: The store cannot be used.
    """
    if not is_store_url(out):
        yield Path(out)
        return
    kept = _KeptFolder(out)
    with kept.locked():
        kept.pull()
        with _in_step(kept):
            yield kept.folder


@contextmanager
def _in_step(kept: _KeptFolder) -> Iterator[None]:
    over = threading.Event()

    def keep_in_step() -> None:
        while not over.wait(STEP_S):
            try:
                kept.push()
            except ConfigError as error:
                log.warning("%s", error)

    thread = threading.Thread(target=keep_in_step, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        kept.push()


class _KeptFolder:
    """A folder of this machine that a place in a store follows."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._system, self._path = _opened(self._url)
        name = hashlib.sha256(self._url.encode()).hexdigest()[:16]
        self.folder = scratch_folder() / "out" / name
        self._pushed: dict[str, tuple[int, int]] = {}

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that no second scan of this machine replaces it.

        Raises:
            ConfigError: Another process holds it.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigError(f"{self._url}: another scan is writing here") from error
            yield

    def pull(self) -> None:
        """Replace the folder by what lies in the store."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        try:
            self._system.invalidate_cache()
            for name in self._system.find(self._path):
                inside = name[len(self._path) :].lstrip("/") if name != self._path else ""
                if inside:
                    target = _under(self.folder, inside)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    self._system.get_file(name, str(target))
        except Exception as error:
            raise ConfigError(f"{self._url}: cannot be read: {_words(error)}") from error
        self._pushed = self._state()

    def push(self) -> None:
        """Bring the store in step with the folder."""
        # Read before the others are listed, and left for the next time if they changed meanwhile:
        # what they speak of is in the store then.
        last = {path: path.read_bytes() for path in self.folder.rglob("*") if path.name in LAST}
        state = self._state()
        changed = [name for name in state if self._pushed.get(name) != state[name]]
        try:
            for name in sorted(changed, key=lambda name: Path(name).name in LAST):
                path, there = self.folder / name, f"{self._path}/{name}"
                try:
                    if path.name not in LAST:
                        self._system.put_file(str(path), there)
                    elif path.read_bytes() == last.get(path):
                        self._system.pipe_file(there, last[path])
                    else:
                        continue
                except FileNotFoundError:
                    continue
                self._pushed[name] = state[name]
            for name in self._pushed.keys() - state.keys():
                self._system.rm_file(f"{self._path}/{name}")
                del self._pushed[name]
        except Exception as error:
            raise ConfigError(f"{self._url}: cannot be written: {_words(error)}") from error

    def _state(self) -> dict[str, tuple[int, int]]:
        """Time and size of each file that is whole."""
        found = {}
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                stat = path.stat()
                found[path.relative_to(self.folder).as_posix()] = (stat.st_mtime_ns, stat.st_size)
        return found


def scratch_folder() -> Path:
    """Where copies lie: ``JIEXU_SCRATCH``, else a folder of this user for temporary files."""
    named = os.environ.get("JIEXU_SCRATCH")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / f"jiexu-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ConfigError(f"{folder}: belongs to somebody else; say another with JIEXU_SCRATCH")
    return folder


def _under(folder: Path, name: str) -> Path:
    """Where a file of a store lies in a folder.

    Raises:
        InputError: Its name leads out of the folder.
    """
    parts = name.strip("/").split("/")
    if ".." in parts:
        raise InputError(f"{name}: a name in a store must not hold '..'")
    return folder.joinpath(*parts)


def _opened(url: str) -> tuple[Any, str]:
    scheme = url.split("://", maxsplit=1)[0]
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except ImportError as error:
        raise ConfigError(
            f"{url}: the package for this store is not installed: pip install {SCHEMES[scheme]}"
        ) from error
    return system, str(path)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
