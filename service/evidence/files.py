"""Where evidence files lie: a folder, or a bucket, reached through fsspec.

A file is known by its variant and the SHA-256 of its bytes, so the same bytes are kept once and a
file, once written, never changes. Masked and sealed files lie apart, such that storage can give
each its own rights.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from service.store.tables import Variant
from vision.errors import ConfigError, InputError
from vision.files import write_atomically

SUFFIXES = {"image/jpeg": ".jpg", "video/mp4": ".mp4"}
"""Media types of evidence, and how the names of their files end."""

_KEY = re.compile(r"(masked|sealed)/[0-9a-f]{2}/[0-9a-f]{64}\.(jpg|mp4)")
_CHUNK_BYTES = 1 << 20


class EvidenceStoreError(Exception):
    """The place where evidence lies does not answer, or refuses."""


def key_of(variant: Variant, sha256: str, media_type: str) -> str:
    """Where a file lies in the store.

    Raises:
        InputError: It is of no media type that evidence has.
    """
    if media_type not in SUFFIXES:
        raise InputError(f"evidence of type {media_type} is not kept")
    return f"{variant}/{sha256[:2]}/{sha256}{SUFFIXES[media_type]}"


class EvidenceFiles:
    """A place that keeps evidence files.

    Args:
        root: A folder, or an fsspec URL such as ``s3://bucket/prefix``.

    Raises:
        ConfigError: What reaches such a place is not installed.
    """

    def __init__(self, root: str | Path) -> None:
        try:
            self._fs, self._root = fsspec.core.url_to_fs(str(root), **place_options(str(root)))
        except (ImportError, ValueError) as error:
            raise ConfigError(f"evidence: this place cannot be reached: {error}") from None

    @property
    def local_folder(self) -> Path | None:
        """The folder, ``None`` for a bucket."""
        return Path(self._root) if isinstance(self._fs, LocalFileSystem) else None

    def check(self) -> None:
        """Ask whether the place is there.

        Raises:
            EvidenceStoreError: It is not.
        """
        folder = self.local_folder
        with _told():
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                is_there = os.access(folder, os.W_OK | os.X_OK)
            else:
                # A prefix under which nothing lies yet does not exist; its bucket does.
                is_there = self._fs.exists(self._root.lstrip("/").partition("/")[0])
        if not is_there:
            raise EvidenceStoreError("it is not there, or may not be written")

    def keep(self, variant: Variant, data: bytes, media_type: str) -> str:
        """Keep bytes, whole or not at all.

        Returns:
            Their key.

        Raises:
            InputError: The media type is of no evidence.
            EvidenceStoreError: The place does not answer, or is full.
        """
        key = key_of(variant, hashlib.sha256(data).hexdigest(), media_type)
        folder = self.local_folder
        with _told():
            if folder is not None:
                path = folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, data, rivals=True)
            else:
                self._fs.pipe_file(self._path(key), data)
        return key

    def size(self, key: str) -> int | None:
        """Size in bytes, ``None`` if there is no such file.

        Raises:
            EvidenceStoreError: The place does not answer.
        """
        path = self._path(key)
        try:
            with _told():
                return int(self._fs.size(path))
        except FileNotFoundError:
            return None

    def read(self, key: str) -> bytes:
        """All bytes of a file.

        Raises:
            FileNotFoundError: It is not there.
            EvidenceStoreError: The place does not answer.
        """
        path = self._path(key)
        with _told():
            data: bytes = self._fs.cat_file(path)
        return data

    def chunks(self, key: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``end`` (not with it) of a file, piece by piece."""
        # Without a cache, no more than what is asked for is fetched from a bucket.
        with self._fs.open(self._path(key), "rb", cache_type="none") as file:
            file.seek(start)
            while start < end:
                piece: bytes = file.read(min(_CHUNK_BYTES, end - start))
                if not piece:
                    return
                start += len(piece)
                yield piece

    def remove(self, key: str) -> None:
        """Take a file away; nothing happens if it is gone already.

        Raises:
            EvidenceStoreError: The place does not answer.
        """
        path = self._path(key)
        try:
            with _told():
                self._fs.rm_file(path)
        except FileNotFoundError:
            return

    def keys(self) -> Iterator[str]:
        """Keys of all files that are there."""
        for path in self._fs.find(self._root):
            match = re.search(rf"{_KEY.pattern}$", str(path))
            if match is not None:
                yield match.group()

    def _path(self, key: str) -> str:
        if _KEY.fullmatch(key) is None:
            raise ValueError("no key of an evidence file")
        return f"{self._root}/{key}"


def place_options(root: str) -> dict[str, Any]:
    """How a place is reached: without remembered listings, for other hosts write and remove too."""
    options: dict[str, Any] = {"use_listings_cache": False}
    if root.startswith(("s3://", "s3a://")):
        # s3fs tries again by itself; cameras and requests wait meanwhile.
        options["config_kwargs"] = {
            "connect_timeout": 5,
            "read_timeout": 20,
            "retries": {"total_max_attempts": 1},
        }
    return options


@contextmanager
def _told() -> Iterator[None]:
    """Failures as one error: each kind of store has errors of its own, some with its address."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        raise EvidenceStoreError(type(error).__name__) from None
