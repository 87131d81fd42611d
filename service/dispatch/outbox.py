"""The outbox of a run folder: what is to be delivered, and the ledger of what became of it.

``DIR/outbox/`` holds::

    events/<sha256>.json     message bodies, frozen when they are enqueued
    <destination id>.jsonl   one append-only ledger a destination, one JSON object a line
    .lock                    held by the process that delivers

A ledger and not a database, because the folder is copied, archived and read by people: each line is
the whole state of one delivery after an attempt, so the last line of a delivery counts, a line that
is torn or lost only makes it be sent again under the same id, and the file is the attempt history.
A line is on disk (fsync) before the next attempt starts.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from service.dispatch.destination import Destination
from service.dispatch.schedule import OPEN, State
from vision.closing import Closing
from vision.errors import InputError, JiexuError

_VERSION = 1


class OutboxBusyError(JiexuError):
    """Another process delivers from the same run folder."""


class OutboxWriteError(JiexuError):
    """The ledger cannot be written; the text names it and says why."""


class Message(NamedTuple):
    """Something to deliver.

    Attributes:
        event_id: Idempotency key: the same for the same case, always.
        violation_id: The violation that it tells of.
        body: What is sent, the same bytes in each attempt.
    """

    event_id: str
    violation_id: str
    body: bytes


class Delivery(BaseModel):
    """The attempt chain that brings one message to one destination, as it stands.

    Attributes:
        event_id: Idempotency key.
        violation_id: The violation that it tells of.
        body_sha256: Names the file that holds the body.
        state: Where it stands.
        at: Time of this line: of the enqueueing or of the last attempt.
        attempts: Attempts made.
        steps: How many of them failed when they were due; the position in the retry schedule.
        next_at: From when on the next attempt is due.
        status_code: HTTP status of the last answer.
        reference: Id that the receiver gave to the case.
        duplicate: The receiver had it already.
        error: Why the last attempt failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: Literal["delivery"] = "delivery"
    event_id: str
    violation_id: str
    body_sha256: str
    state: State = State.PENDING
    at: AwareDatetime
    attempts: int = 0
    steps: int = 0
    next_at: AwareDatetime
    status_code: int | None = None
    reference: str | None = None
    duplicate: bool = False
    error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be delivered."""
        return self.state in OPEN


class Standing(BaseModel):
    """How the destination stands to us.

    Attributes:
        at: Time of this line.
        held_until: The receiver asked to be spared until then.
        gone: The receiver answered 410 Gone; nothing is sent until someone says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: Literal["standing"] = "standing"
    at: AwareDatetime
    held_until: AwareDatetime | None = None
    gone: bool = False


class _Head(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: Literal["outbox"] = "outbox"
    version: int = _VERSION
    destination_id: str
    url: str
    whole_url: bool


@dataclass(frozen=True)
class Ledger:
    """A ledger as read from disk.

    Attributes:
        path: The file.
        url: URL of the destination without its credentials; ``None`` if the first line is lost.
        is_whole_url: Nothing was left out of ``url``: it can be posted to again.
        deliveries: By event id, in the order in which they were enqueued.
        standing: The last that the destination made known of itself.
        whole_bytes: Length of the part that ends with a line break; what follows is torn.
        unreadable_lines: Numbers of lines that were passed over.
    """

    path: Path
    url: str | None
    is_whole_url: bool
    deliveries: Mapping[str, Delivery]
    standing: Standing | None
    whole_bytes: int
    unreadable_lines: tuple[int, ...]

    def count(self, *states: State) -> int:
        """Number of deliveries in any of ``states``."""
        return sum(delivery.state in states for delivery in self.deliveries.values())


def read_ledger(path: Path) -> Ledger:
    """Read a ledger without changing it.

    A torn last line is left out. Lines that are no entry are passed over: what they told is
    forgotten, so the delivery may be sent again under the same id.

    Raises:
        InputError: The file cannot be read or comes from a newer Jiexu.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    whole, _, _ = data.rpartition(b"\n")
    whole_bytes = len(whole) + 1 if b"\n" in data else 0
    head: _Head | None = None
    standing: Standing | None = None
    deliveries: dict[str, Delivery] = {}
    unreadable: list[int] = []
    for number, line in enumerate(whole.split(b"\n") if whole_bytes else (), start=1):
        try:
            entry = _entry(line)
        except ValueError:
            unreadable.append(number)
            continue
        match entry:
            case _Head(version=version) if version > _VERSION:
                raise InputError(
                    f"{path}: written by a newer Jiexu (ledger version {version}, "
                    f"known: {_VERSION})"
                )
            case _Head():
                head = entry
            case Standing():
                standing = entry
            case Delivery():
                deliveries[entry.event_id] = entry
    return Ledger(
        path=path,
        url=head.url if head else None,
        is_whole_url=head is not None and head.whole_url,
        deliveries=deliveries,
        standing=standing,
        whole_bytes=whole_bytes,
        unreadable_lines=tuple(unreadable),
    )


def read_ledgers(run_dir: Path) -> list[Ledger]:
    """Ledgers of all destinations of a run folder, for looking only; empty without an outbox."""
    return [read_ledger(path) for path in sorted((run_dir / "outbox").glob("*.jsonl"))]


def _entry(line: bytes) -> _Head | Standing | Delivery:
    fields: Any = json.loads(line)
    known: dict[str, type[_Head] | type[Standing] | type[Delivery]] = {
        "outbox": _Head,
        "standing": Standing,
        "delivery": Delivery,
    }
    try:
        return known[fields["entry"]].model_validate_json(line)
    except (KeyError, TypeError, ValidationError) as error:
        raise ValueError("no entry of a ledger") from error


class Outbox(Closing):
    """The outbox of one run folder towards one destination, held by this process alone.

    Use :meth:`open`, and close it (or use it as a context manager).
    """

    def __init__(self, folder: Path, destination: Destination, lock_file: int) -> None:
        self._lock_file = lock_file
        self._events = folder / "events"
        self._events.mkdir(exist_ok=True)
        self.path = folder / f"{destination.id}.jsonl"
        ledger = read_ledger(self.path)
        self.unreadable_lines = ledger.unreadable_lines
        self._deliveries = dict(ledger.deliveries)
        self._counts = Counter(delivery.state for delivery in self._deliveries.values())
        self._standing = ledger.standing
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = ledger.whole_bytes
        os.ftruncate(self._file, self._size)
        if ledger.url is None:
            self._append(
                _Head(
                    destination_id=destination.id,
                    url=destination.shown,
                    whole_url=destination.hides_nothing,
                )
            )
            _sync_folder(folder)

    @classmethod
    def open(cls, run_dir: Path, destination: Destination) -> Self:
        """Open the outbox of ``run_dir``, made if missing, and repair a torn ledger.

        Raises:
            InputError: ``run_dir`` is no folder, cannot be written, or the ledger is of a newer
                Jiexu.
            OutboxBusyError: Another process has it open.
        """
        if not run_dir.is_dir():
            raise InputError(f"{run_dir}: there is no such run folder")
        folder = run_dir / "outbox"
        try:
            folder.mkdir(exist_ok=True)
            lock_file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written: {error.strerror}") from error
        try:
            _lock(lock_file, run_dir)
            return cls(folder, destination, lock_file)
        except BaseException:
            os.close(lock_file)
            raise

    def close(self) -> None:
        """Let other processes have the outbox."""
        os.close(self._file)
        os.close(self._lock_file)

    def __iter__(self) -> Iterator[Delivery]:
        """All deliveries in the order in which they were enqueued."""
        return iter(self._deliveries.values())

    @property
    def held_until(self) -> datetime | None:
        """Time until which the receiver asked to be spared."""
        return self._standing.held_until if self._standing else None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver answered 410 Gone."""
        return self._standing is not None and self._standing.gone

    def count(self, *states: State) -> int:
        """Number of deliveries in any of ``states``."""
        return sum(self._counts[state] for state in states)

    def lacks(self, event_id: str) -> bool:
        """Whether a message is to be enqueued: unknown, withdrawn, or open and its body spoilt."""
        known = self._deliveries.get(event_id)
        if known is None or known.state is State.WITHDRAWN:
            return True
        if not known.is_open:
            return False
        try:
            self.body(known)
        except InputError:
            return True
        return False

    def enqueue(self, messages: Iterable[Message], now: datetime) -> int:
        """Take in the messages that the outbox :meth:`lacks`.

        A message keeps the body that it was enqueued with, unless a power cut took that.

        Returns:
            Number of messages that were not known.
        """
        entries = []
        new = 0
        for message in messages:
            if not self.lacks(message.event_id):
                continue
            known = self._deliveries.get(message.event_id)
            sha256 = hashlib.sha256(message.body).hexdigest()
            if known is None:
                new += 1
                entry = Delivery(
                    event_id=message.event_id,
                    violation_id=message.violation_id,
                    body_sha256=sha256,
                    at=now,
                    next_at=now,
                )
            else:
                state = State.PENDING if known.state is State.WITHDRAWN else known.state
                entry = known.model_copy(update={"body_sha256": sha256, "state": state, "at": now})
            self._store(self._body_path(entry), message.body)
            entries.append(entry)
        if entries:
            self._record(entries)
        return new

    def withdraw_all_but(self, event_ids: Collection[str], now: datetime) -> int:
        """Set aside what is still to be delivered and not among ``event_ids``.

        Returns:
            Number of deliveries set aside.
        """
        withdrawn = [
            delivery.model_copy(update={"state": State.WITHDRAWN, "at": now})
            for delivery in self
            if delivery.is_open and delivery.event_id not in event_ids
        ]
        self._record(withdrawn)
        return len(withdrawn)

    def body(self, delivery: Delivery) -> bytes:
        """What to send.

        Raises:
            InputError: The file is missing or was changed.
        """
        path = self._body_path(delivery)
        try:
            body = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        if hashlib.sha256(body).hexdigest() != delivery.body_sha256:
            raise InputError(f"{path}: was changed after it was written")
        return body

    def due(self, now: datetime) -> list[Delivery]:
        """Deliveries whose next attempt is due, those with the fewest attempts first."""
        return [delivery for delivery in self.unfinished() if delivery.next_at <= now]

    def unfinished(self) -> list[Delivery]:
        """Deliveries still to be made, due or not, those with the fewest attempts first."""
        waiting = (delivery for delivery in self if delivery.is_open)
        return sorted(waiting, key=lambda delivery: delivery.attempts)

    def record_attempt(self, delivery: Delivery) -> None:
        """Write down how a delivery stands after an attempt; on disk when this returns.

        Raises:
            OutboxWriteError: It could not be written; the ledger is as it was before.
        """
        self._record([delivery])

    def record_standing(self, standing: Standing) -> None:
        """Write down what the destination made known of itself."""
        self._append(standing)
        self._standing = standing

    def revive(self, now: datetime) -> int:
        """Make dead deliveries pending again and forget that the destination was gone.

        Returns:
            Number of deliveries that were dead.
        """
        revived = [
            delivery.model_copy(
                update={"state": State.PENDING, "steps": 0, "at": now, "next_at": now}
            )
            for delivery in self
            if delivery.state is State.DEAD
        ]
        self._record(revived)
        if self.is_gone:
            self.record_standing(Standing(at=now))
        return len(revived)

    def _record(self, deliveries: Sequence[Delivery]) -> None:
        if not deliveries:
            return
        self._append(*deliveries)
        for delivery in deliveries:
            if (before := self._deliveries.get(delivery.event_id)) is not None:
                self._counts[before.state] -= 1
            self._counts[delivery.state] += 1
            self._deliveries[delivery.event_id] = delivery

    def _body_path(self, delivery: Delivery) -> Path:
        return self._events / f"{delivery.body_sha256}.json"

    def _store(self, path: Path, body: bytes) -> None:
        # Not synced one by one, which takes seconds for hundreds: what a power cut spoils is known
        # by its hash and built anew from violations.jsonl.
        partial = path.with_suffix(".partial")
        try:
            partial.write_bytes(body)
            partial.replace(path)
        except OSError as error:
            raise OutboxWriteError(f"{path}: cannot be written: {error.strerror}") from error

    def _append(self, *entries: _Head | Standing | Delivery) -> None:
        data = b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fsync(self._file)
        except OSError as error:
            # A part of a line must not be glued to the next one.
            os.ftruncate(self._file, self._size)
            raise OutboxWriteError(f"{self.path}: cannot be written: {error.strerror}") from error
        self._size += len(data)


def _lock(lock_file: int, run_dir: Path) -> None:
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock_file, 32, 0).decode(errors="replace").strip()
        process = f" (process {holder})" if holder.isdigit() else ""
        raise OutboxBusyError(
            f"{run_dir}: another process{process} is posting from this folder; wait until it ends"
        ) from None
    os.ftruncate(lock_file, 0)
    os.pwrite(lock_file, f"{os.getpid()}\n".encode(), 0)


def _sync_folder(folder: Path) -> None:
    """Make new names in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
