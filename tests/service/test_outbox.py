"""The outbox forgets nothing that it has said to have written down."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.delivery import after_attempt
from service.dispatch.destination import Destination
from service.dispatch.outbox import (
    Message,
    Outbox,
    OutboxBusyError,
    OutboxWriteError,
    Standing,
    read_ledger,
    read_ledgers,
)
from service.dispatch.schedule import State
from vision.errors import InputError

HERE = Destination.parse("https://platform.example/cases")
T0 = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
MESSAGES = [Message(f"case_{n}", f"violation-{n}", b'{"n": %d}' % n) for n in range(4)]


def send(outbox: Outbox, number: int, attempt: Attempt, at: datetime = T0) -> None:
    delivery = next(d for d in outbox if d.event_id == f"case_{number}")
    outbox.record_attempt(after_attempt(delivery, attempt, at))


def states(outbox: Outbox) -> list[str]:
    return [delivery.state.value for delivery in outbox]


def test_what_was_enqueued_and_attempted_is_known_after_reopening(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        assert outbox.enqueue(MESSAGES, T0) == 4
        send(outbox, 0, Attempt(Outcome.DELIVERED, 201, reference="C1"))
        send(outbox, 1, Attempt(Outcome.REFUSED, 400, error="400 Bad Request"))
        send(outbox, 2, Attempt(Outcome.FAILED, 503, error="503 Service Unavailable"))
    with Outbox.open(tmp_path, HERE) as outbox:
        assert states(outbox) == ["delivered", "dead", "retrying", "pending"]
        assert [d.event_id for d in outbox.unfinished()] == ["case_3", "case_2"]
        assert [d.event_id for d in outbox.due(T0)] == ["case_3"]
        assert outbox.enqueue(MESSAGES, T0) == 0
        delivered = next(iter(outbox))
        assert (delivered.reference, delivered.status_code, delivered.at) == ("C1", 201, T0)


def test_a_known_message_keeps_its_first_body(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:1], T0)
        outbox.enqueue([MESSAGES[0]._replace(body=b"changed")], T0)
        assert outbox.body(next(iter(outbox))) == MESSAGES[0].body


def test_a_lost_or_spoilt_body_is_noticed_and_replaced(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:1], T0)
        (file,) = (tmp_path / "outbox/events").iterdir()
        for spoil, says in (
            (lambda: file.write_bytes(b""), "was changed"),
            (file.unlink, "No such"),
        ):
            assert not outbox.lacks("case_0")
            spoil()
            with pytest.raises(InputError, match=f"{file.name}.*{says}"):
                outbox.body(next(iter(outbox)))
            assert outbox.lacks("case_0")
            assert outbox.enqueue(MESSAGES[:1], T0) == 0
            assert outbox.body(next(iter(outbox))) == MESSAGES[0].body


def test_destinations_do_not_know_of_each_other(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:1], T0)
        send(outbox, 0, Attempt(Outcome.DELIVERED, 200))
    elsewhere = Destination.parse("https://platform.example/other")
    with Outbox.open(tmp_path, elsewhere) as outbox:
        assert outbox.enqueue(MESSAGES[:1], T0) == 1
        assert states(outbox) == ["pending"]
    assert {ledger.url for ledger in read_ledgers(tmp_path)} == {HERE.shown, elsewhere.shown}


def test_the_dead_come_back_when_asked_for(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:2], T0)
        send(outbox, 0, Attempt(Outcome.REFUSED, 422))
        outbox.record_standing(Standing(at=T0, gone=True))
        assert outbox.revive(T0 + timedelta(days=1)) == 1
    with Outbox.open(tmp_path, HERE) as outbox:
        assert states(outbox) == ["pending", "pending"]
        assert not outbox.is_gone


def test_what_is_no_more_in_the_results_is_withdrawn_until_it_is_back(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:3], T0)
        send(outbox, 2, Attempt(Outcome.DELIVERED, 200))
        assert outbox.withdraw_all_but({"case_1"}, T0) == 1
        assert states(outbox) == ["withdrawn", "pending", "delivered"]
        assert outbox.count(State.PENDING, State.WITHDRAWN) == 2
        outbox.enqueue(MESSAGES[:3], T0)
        assert states(outbox) == ["pending", "pending", "delivered"]


def test_two_processes_do_not_post_from_one_folder(tmp_path: Path) -> None:
    hold = (
        "import sys, pathlib; from service.dispatch.outbox import Outbox;"
        "from service.dispatch.destination import Destination;"
        f"box = Outbox.open(pathlib.Path(sys.argv[1]), Destination.parse({HERE.url!r}));"
        "print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutboxBusyError, match=rf"{tmp_path}: .*process {other.pid}\b"):
            Outbox.open(tmp_path, HERE)
    finally:
        other.kill()
        other.communicate()
    Outbox.open(tmp_path, HERE).close()


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Outbox.open(tmp_path, HERE).close()
    (path,) = (tmp_path / "outbox").glob("*.jsonl")
    head = json.loads(path.read_text())
    text = json.dumps(head | {"version": 2}) + "\n"
    path.write_text(text)
    with pytest.raises(InputError, match="newer"):
        Outbox.open(tmp_path, HERE)
    assert path.read_text() == text
    path.write_text(json.dumps(head) + "\n")
    Outbox.open(tmp_path, HERE).close()


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    real_write = os.write

    def half_then_full(file: int, data: bytes) -> int:
        if len(data) > 20:
            return real_write(file, data[:20])
        raise OSError(28, "No space left on device")

    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:1], T0)
        before = outbox.path.read_bytes()
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda file, data: half_then_full(file, data[:40]))
            with pytest.raises(OutboxWriteError, match="No space left"):
                send(outbox, 0, Attempt(Outcome.DELIVERED, 200))
        assert outbox.path.read_bytes() == before
        assert states(outbox) == ["pending"]
        send(outbox, 0, Attempt(Outcome.DELIVERED, 200))
    assert not read_ledger(outbox.path).unreadable_lines


def test_a_torn_last_line_is_cut_off_and_forgotten(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:1], T0)
        send(outbox, 0, Attempt(Outcome.DELIVERED, 200))
    whole = outbox.path.read_bytes()
    outbox.path.write_bytes(whole[:-1])
    with Outbox.open(tmp_path, HERE) as outbox:
        assert states(outbox) == ["pending"]
        send(outbox, 0, Attempt(Outcome.DELIVERED, 200))
    assert outbox.path.read_bytes() == whole


def test_a_line_that_is_no_entry_is_passed_over_and_told(tmp_path: Path) -> None:
    with Outbox.open(tmp_path, HERE) as outbox:
        outbox.enqueue(MESSAGES[:2], T0)
    lines = outbox.path.read_bytes().splitlines(keepends=True)
    outbox.path.write_bytes(lines[0] + b"\0" * 40 + b"\n" + lines[2])
    with Outbox.open(tmp_path, HERE) as outbox:
        assert outbox.unreadable_lines == (2,)
        assert outbox.enqueue(MESSAGES[:2], T0) == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        Outbox.open(tmp_path / "nowhere", HERE)


outcomes = st.sampled_from(
    [
        Attempt(Outcome.DELIVERED, 201, reference="编号\u2028\x851"),
        Attempt(Outcome.DUPLICATE, 409),
        Attempt(Outcome.FAILED, 500, error="line\nbreak"),
        Attempt(Outcome.REFUSED, 400, error="400"),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    history=st.lists(st.tuples(st.integers(0, 3), outcomes), max_size=8),
    cut=st.integers(0, 6000),
    rubbish=st.binary(max_size=30),
)
def test_a_ledger_torn_anywhere_opens_and_never_claims_a_delivery_that_was_not(
    history: list[tuple[int, Attempt]], cut: int, rubbish: bytes
) -> None:
    """Torn anywhere, followed by anything: at worst a delivered message is sent again."""
    with tempfile.TemporaryDirectory() as folder:
        run_dir = Path(folder)
        with Outbox.open(run_dir, HERE) as outbox:
            outbox.enqueue(MESSAGES, T0)
            for number, attempt in history:
                send(outbox, number, attempt)
            truth = {d.event_id: d.state for d in outbox}
            path = outbox.path
        whole = path.read_bytes()
        path.write_bytes(whole[:cut] + rubbish.replace(b"\n", b""))

        with Outbox.open(run_dir, HERE) as outbox:
            outbox.enqueue(MESSAGES, T0)
            found = {d.event_id: d for d in outbox}
            ever = {
                f"case_{n}"
                for n, attempt in history
                if attempt.outcome in ("delivered", "duplicate")
            }
            assert found.keys() == truth.keys()
            for event_id, delivery in found.items():
                assert delivery.state is not State.DELIVERED or event_id in ever
                if delivery.is_open:
                    assert outbox.body(delivery) == MESSAGES[int(event_id[-1])].body
            if cut >= len(whole):
                assert {key: d.state for key, d in found.items()} == truth
            for number in range(4):
                send(outbox, number, Attempt(Outcome.DELIVERED, 200))
        ledger = read_ledger(path)
        assert ledger.url == HERE.shown
        assert ledger.count(State.DELIVERED) == 4
        assert path.stat().st_size == ledger.whole_bytes


@settings(max_examples=40, deadline=None)
@given(
    data=st.binary(max_size=300) | st.text(st.sampled_from('{}[]":,entrydlivos1\n')).map(str.encode)
)
def test_any_file_can_be_opened_as_a_ledger(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "outbox").mkdir()
        (Path(folder) / f"outbox/{HERE.id}.jsonl").write_bytes(data)
        with Outbox.open(Path(folder), HERE) as outbox:
            assert outbox.enqueue(MESSAGES, T0) == 4
        assert read_ledger(outbox.path).count(State.PENDING) == 4
