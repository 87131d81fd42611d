"""Backup and restore of a service that keeps everything on one machine.

The database is copied by SQLite's online backup while the service runs; evidence files never change
once written, so copying those that the copied database names gives a whole. PostgreSQL has tools
of its own for that (``pg_dump``), and a bucket has versions.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Backup:
    """What was copied.

    Attributes:
        folder: Where to.
        evidence_files: How many evidence files.
        missing: Keys of evidence that is named and was not there.
    """

    folder: Path
    evidence_files: int
    missing: tuple[str, ...]


def back_up(settings: ServiceSettings, folder: Path, clock: Callable[[], datetime]) -> Backup:
    """Copy database, evidence and signing secret into a new folder.

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
    manifest = {
        "made_at": clock().isoformat(timespec="seconds"),
        "jiexu": __version__,
        "migration": current_revision(copied),
        "database_sha256": _hash(folder / DATABASE),
        "evidence_files": count,
        "missing": missing,
    }
    copied.close()
    for leftover in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (folder / leftover).unlink(missing_ok=True)
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    return Backup(folder, count, tuple(missing))


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
    # Last of all: a restore that was cut short leaves no database that looks whole.
    partial.replace(path)
    return Backup(folder, count, tuple(missing))


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
    try:
        if here.exists() and here.stat().st_size == there.stat().st_size:
            return True
        here.parent.mkdir(parents=True, exist_ok=True)
        partial = here.with_name(f".{here.name}.copied")
        shutil.copyfile(there, partial)
        partial.replace(here)
    except FileNotFoundError:
        return False
    return True


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
