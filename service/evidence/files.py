"""Where evidence files lie: a folder, or a bucket, reached through fsspec.

A file is known by its variant and the SHA-256 of its bytes, so the same bytes are kept once and a
file, once written, never changes. Masked and sealed files lie apart, such that storage can give
each its own rights.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from service.store.tables import Variant
from vision.errors import InputError

SUFFIXES = {"image/jpeg": ".jpg", "video/mp4": ".mp4"}
"""Media types of evidence, and how the names of their files end."""

_KEY = re.compile(r"(masked|sealed)/[0-9a-f]{2}/[0-9a-f]{64}\.(jpg|mp4)")
_CHUNK_BYTES = 1 << 18


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
    """

    def __init__(self, root: str | Path) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(str(root))

    @property
    def local_folder(self) -> Path | None:
        """The folder, ``None`` for a bucket."""
        return Path(self._root) if isinstance(self._fs, LocalFileSystem) else None

    def keep(self, variant: Variant, data: bytes, media_type: str) -> str:
        """Keep bytes, whole or not at all.

        Returns:
            Their key.

        Raises:
            InputError: The media type is of no evidence.
        """
        key = key_of(variant, hashlib.sha256(data).hexdigest(), media_type)
        folder = self.local_folder
        if folder is not None:
            _write(folder / key, data)
        else:
            self._fs.pipe_file(self._path(key), data)
        return key

    def size(self, key: str) -> int | None:
        """Size in bytes, ``None`` if there is no such file."""
        try:
            return int(self._fs.size(self._path(key)))
        except FileNotFoundError:
            return None

    def read(self, key: str) -> bytes:
        """All bytes of a file.

        Raises:
            FileNotFoundError: It is not there.
        """
        data: bytes = self._fs.cat_file(self._path(key))
        return data

    def chunks(self, key: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes ``start`` to ``end`` (not with it) of a file, piece by piece."""
        with self._fs.open(self._path(key), "rb") as file:
            file.seek(start)
            while start < end:
                piece: bytes = file.read(min(_CHUNK_BYTES, end - start))
                if not piece:
                    return
                start += len(piece)
                yield piece

    def remove(self, key: str) -> None:
        """Take a file away; nothing happens if it is gone already."""
        try:
            self._fs.rm_file(self._path(key))
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


def _write(path: Path, data: bytes) -> None:
    """Write a file such that a kill leaves it whole or not at all, and others may write it too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
