"""Backup and restore of a service that keeps everything on one machine.

The database is copied by SQLite's online backup while the service runs; evidence files never change
once written, so copying those that the copied database names gives a whole. PostgreSQL has tools
of its own for that (``pg_dump``), and a bucket has versions.

What was seen is much larger and no case needs it, so it is copied only when that is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from service.evidence.files import EvidenceFiles
from service.evidence.links import SECRET_FILE
from service.settings import ServiceSettings
from service.store.database import Database, sqlite_file
from service.store.migrate import current_revision, upgrade
from service.store.tables import EvidenceRow
from vision import __version__
from vision.errors import ConfigError, InputError

MANIFEST = "backup.json"
DATABASE = "jiexu.db"
EVIDENCE = "evidence"
SEEN = ("archive", "replays", "cameras")
"""Folders of the data folder: kept looks, what came of replays, how views look and looked."""

_PASSES = 5
"""A folder is copied again while it changes, at most so often."""


@dataclass(frozen=True)
class Backup:
    """What was copied.

    Attributes:
        folder: Where to.
        evidence_files: How many evidence files.
        missing: Keys of evidence that is named and was not there.
        seen: What was seen, by folder; empty where it was left out.
    """

    folder: Path
    evidence_files: int
    missing: tuple[str, ...]
    seen: Mapping[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True)
class Amount:
    """How much it is.

    Attributes:
        files: Files.
        bytes: Their bytes.
    """

    files: int
    bytes: int


def seen_so_far(settings: ServiceSettings) -> dict[str, Amount]:
    """How much was seen, by folder: what a backup leaves out unless it is asked for."""
    return {name: _amount(settings.data / name) for name in SEEN}


def back_up(
    settings: ServiceSettings,
    folder: Path,
    clock: Callable[[], datetime],
    *,
    with_seen: bool = False,
) -> Backup:
    """Copy database, evidence and signing secret into a new folder.

    Args:
        settings: Where all of it is.
        folder: New folder.
        clock: Tells aware wall-clock time.
        with_seen: Copy what was seen too. What is gathered in memory is not in it yet.

    Raises:
        ConfigError: The database is no SQLite, evidence lies in no folder, or the folder is taken.
    """
    source = Database(settings.database_url)
    files = EvidenceFiles(settings.evidence_root)
    if source.engine_name != "sqlite" or files.local_folder is None:
        raise ConfigError(
            "backup: of PostgreSQL use pg_dump, of a bucket its versions; see docs/service.md"
        )
    if not sqlite_file(source.engine).exists():
        raise ConfigError(f"{source.shown}: there is no database")
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder}: is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    _copy_database(sqlite_file(source.engine), folder / DATABASE)
    source.close()
    copied = Database(f"sqlite:///{folder.absolute() / DATABASE}")
    target = EvidenceFiles(folder / EVIDENCE)
    count, missing = 0, []
    for key in _keys(copied):
        if _copy_file(files, target, key):
            count += 1
        else:
            missing.append(key)
    secret = settings.data / SECRET_FILE
    if secret.exists():
        shutil.copy2(secret, folder / SECRET_FILE)
    seen = _copy_seen(settings.data, folder) if with_seen else {}
    manifest = {
        "made_at": clock().isoformat(timespec="seconds"),
        "jiexu": __version__,
        "migration": current_revision(copied),
        "database_sha256": _hash(folder / DATABASE),
        "evidence_files": count,
        "missing": missing,
        "seen": {name: asdict(amount) for name, amount in seen.items()},
    }
    copied.close()
    for leftover in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (folder / leftover).unlink(missing_ok=True)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return Backup(folder, count, tuple(missing), seen)


def restore(settings: ServiceSettings, folder: Path) -> Backup:
    """Put a backup back where the settings say; what is there already is never overwritten.

    Raises:
        InputError: The folder holds no whole backup.
        ConfigError: There is a database already, or the settings name no SQLite and folder.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        whole = _hash(folder / DATABASE) == manifest["database_sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: holds no backup: {type(error).__name__}") from None
    if not whole:
        raise InputError(f"{folder / DATABASE}: is not the database that was backed up")
    database = Database(settings.database_url)
    files = EvidenceFiles(settings.evidence_root)
    if database.engine_name != "sqlite" or files.local_folder is None:
        raise ConfigError("restore: only to SQLite and a folder; see docs/service.md")
    path = sqlite_file(database.engine)
    if path.exists():
        raise ConfigError(f"{path}: there is a database already; move it away first")
    source = EvidenceFiles(folder / EVIDENCE)
    partial = path.with_name(f".{path.name}.restored")
    shutil.copyfile(folder / DATABASE, partial)
    restored = Database(f"sqlite:///{partial.absolute()}")
    upgrade(restored)
    count, missing = 0, []
    for key in _keys(restored):
        if _copy_file(source, files, key):
            count += 1
        else:
            missing.append(key)
    restored.close()
    secret = settings.data / SECRET_FILE
    if (folder / SECRET_FILE).exists() and not secret.exists():
        secret.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / SECRET_FILE, secret)
    seen = _copy_seen(folder, settings.data)
    # Last of all: a restore that was cut short leaves no database that looks whole.
    partial.replace(path)
    return Backup(folder, count, tuple(missing), seen)


def _copy_seen(source: Path, target: Path) -> dict[str, Amount]:
    """Copy the folders of what was seen; files that are there already stay."""
    for name in SEEN:
        if (source / name).is_dir():
            _copy_folder(source / name, target / name)
    return {name: _amount(target / name) for name in SEEN}


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder while the service runs.

    Small files are joined into one of their names and then taken away: what changed while it was
    copied is copied again, so that nothing is missed between the two.
    """
    copied: dict[Path, tuple[int, int]] = {}
    mine: set[Path] = set()
    for _ in range(_PASSES):
        found = _files_below(source)
        if found == copied:
            return
        for path, stamp in found.items():
            here = target / path.relative_to(source)
            if copied.get(path) == stamp or (here.exists() and here not in mine):
                continue
            mine.add(here)
            _copy_whole(path, here)
        copied = found


def _files_below(folder: Path) -> dict[Path, tuple[int, int]]:
    """Files that are whole, with time and size."""
    found = {}
    for path in folder.rglob("*"):
        if path.name.startswith(".") or path.name.endswith(".partial"):
            continue
        with suppress(FileNotFoundError):
            about = path.stat()
            if path.is_file():
                found[path] = (about.st_mtime_ns, about.st_size)
    return found


def _amount(folder: Path) -> Amount:
    sizes = [size for _, size in _files_below(folder).values()]
    return Amount(len(sizes), sum(sizes))


def _copy_database(source: Path, target: Path) -> None:
    reading = sqlite3.connect(f"file:{source}?mode=ro", uri=True)
    writing = sqlite3.connect(target)
    try:
        reading.backup(writing, pages=2000, sleep=0.01)
        writing.execute("PRAGMA journal_mode = DELETE")
    finally:
        reading.close()
        writing.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _keys(database: Database) -> list[str]:
    query = select(EvidenceRow.key).where(EvidenceRow.removed_at.is_(None)).distinct()
    with database.read() as session:
        return list(session.scalars(query.order_by(EvidenceRow.key)))


def _copy_file(source: EvidenceFiles, target: EvidenceFiles, key: str) -> bool:
    assert source.local_folder is not None
    assert target.local_folder is not None
    there, here = source.local_folder / key, target.local_folder / key
    with suppress(FileNotFoundError):
        if here.exists() and here.stat().st_size == there.stat().st_size:
            return True
    return _copy_whole(there, here)


def _copy_whole(there: Path, here: Path) -> bool:
    """Copy a file as a whole; ``False`` where it is gone."""
    here.parent.mkdir(parents=True, exist_ok=True)
    partial = here.with_name(f".{here.name}.copied")
    try:
        shutil.copyfile(there, partial)
    except FileNotFoundError:
        return False
    partial.replace(here)
    return True


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
