"""Everything reaches the receiver, and nothing is created there twice."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posting import SECRET_TEXT, FakeClock, MakeRun, Receiver, Reply, record

from service.dispatch.attempt import Attempt, Outcome
from service.dispatch.candidate import CandidateCase
from service.dispatch.delivery import (
    DeliveryReport,
    after_attempt,
    deliver,
    last_destination,
)
from service.dispatch.exchange import Timeouts
from service.dispatch.outbox import Delivery, OutboxBusyError, read_ledgers
from service.dispatch.schedule import SCHEDULE_S, State
from service.dispatch.secret import SECRET_VARIABLE, Secret
from service.dispatch.webhook import event_id
from vision.errors import ConfigError, InputError
from vision.record import write_violations
from vision.site import Camera

Post = Callable[..., DeliveryReport]


@pytest.fixture
def post(secret: Secret, clock: FakeClock) -> Post:
    def post(run_dir: Path, url: str, **options: Any) -> DeliveryReport:
        settings = {
            "secret": secret,
            "now": clock.now,
            "sleep": clock.sleep,
            "jitter": lambda: 0.5,
        } | options
        return deliver(run_dir, url, **settings)

    return post


def ids(count: int) -> list[str]:
    return [event_id(record(n)) for n in range(count)]


def states(run_dir: Path) -> dict[str, int]:
    (ledger,) = read_ledgers(run_dir)
    return {state.value: n for state in State if (n := ledger.count(state))}


def test_each_violation_is_created_once(make_run: MakeRun, receiver: Receiver, post: Post) -> None:
    run_dir = make_run(3)
    report = post(run_dir, receiver.url)
    assert (report.enqueued, report.delivered, report.attempts) == (3, 3, 3)
    assert report.is_complete
    assert report.messages == ()
    assert receiver.created == ids(3)
    (ledger,) = read_ledgers(run_dir)
    assert [d.reference for d in ledger.deliveries.values()] == ["C1", "C2", "C3"]


def test_what_was_delivered_is_not_sent_again(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(2)
    post(run_dir, receiver.url)
    report = post(run_dir, receiver.url)
    assert (report.delivered, report.delivered_before, report.attempts) == (0, 2, 0)
    assert len(receiver.requests) == 2


def test_another_url_is_another_destination(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(1)
    post(run_dir, receiver.url)
    assert post(run_dir, receiver.url + "?tenant=2").delivered == 1
    assert receiver.ids == ids(1) * 2
    assert len(receiver.created) == 1


def test_nothing_is_lost_while_the_receiver_is_down(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post, clock: FakeClock
) -> None:
    run_dir = make_run(5)
    started = clock.time
    report = post(run_dir, stopped_receiver.url, wait_s=30)
    assert (report.delivered, report.pending, report.dead) == (0, 5, 0)
    assert "5 cases wait" in report.messages[0]
    assert "Connect" in report.messages[0]
    assert clock.time - started <= timedelta(seconds=30)
    stopped_receiver.start()
    assert post(run_dir, stopped_receiver.url).delivered == 5
    assert sorted(stopped_receiver.created) == sorted(ids(5))


def test_a_receiver_that_comes_back_in_time_gets_everything_in_the_same_run(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post, clock: FakeClock
) -> None:
    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if len(clock.slept) == 3:
            stopped_receiver.start()

    assert post(make_run(5), stopped_receiver.url, sleep=sleep).delivered == 5
    assert clock.slept == sorted(clock.slept), "pauses grow"


def test_a_receiver_that_is_down_is_not_hammered(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post
) -> None:
    report = post(make_run(200), stopped_receiver.url, wait_s=30)
    assert report.attempts < 15
    assert report.pending == 200


def test_without_patience_each_run_tries_others_first(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    """Messages that always fail do not keep the others from being sent."""
    run_dir = make_run(6)
    receiver.script.extend([Reply(500)] * 3)
    assert post(run_dir, receiver.url, wait_s=0).pending == 6
    assert post(run_dir, receiver.url, wait_s=0).delivered == 6
    assert receiver.ids[3:] == ids(6)[3:] + ids(6)[:3]


def test_an_answer_lost_on_its_way_does_not_make_a_second_case(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    receiver.script.append(Reply(creates=True, hangs_up=True))
    report = post(make_run(2), receiver.url)
    assert report.delivered == 2
    assert sorted(receiver.ids) == sorted([*ids(2), ids(1)[0]])
    assert sorted(receiver.created) == sorted(ids(2))
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values()), "same bytes each time"


def test_an_answer_that_comes_too_late_does_not_make_a_second_case(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    receiver.script.append(Reply(creates=True, delay_s=3.0))
    report = post(make_run(1), receiver.url, timeouts=Timeouts(1.0, 1.0))
    assert report.delivered == 1
    assert report.attempts >= 2
    assert set(receiver.ids) == set(ids(1))
    assert receiver.created == ids(1)


def test_a_duplicate_that_the_receiver_recognises_is_delivered(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    receiver.script.append(Reply(409, '{"error": "already exists", "id": 12}'))
    run_dir = make_run(1)
    report = post(run_dir, receiver.url)
    assert (report.delivered, report.duplicates) == (1, 1)
    (ledger,) = read_ledgers(run_dir)
    (delivery,) = ledger.deliveries.values()
    assert (delivery.duplicate, delivery.reference) == (True, "12")


@pytest.mark.parametrize("header", ["7", "date"])
def test_retry_after_is_honoured_for_the_whole_destination(
    make_run: MakeRun, receiver: Receiver, post: Post, clock: FakeClock, header: str
) -> None:
    if header == "date":
        clock.time = clock.time.replace(microsecond=0)
        header = (clock.time + timedelta(seconds=7)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    receiver.script.append(Reply(429, headers={"retry-after": header}))
    assert post(make_run(3), receiver.url).delivered == 3
    assert clock.slept == [7.0]


def test_a_long_retry_after_outlasts_the_run(
    make_run: MakeRun, receiver: Receiver, post: Post, clock: FakeClock
) -> None:
    run_dir = make_run(3)
    receiver.script.append(Reply(503, headers={"retry-after": "100"}))
    report = post(run_dir, receiver.url)
    assert (report.attempts, report.pending) == (1, 3)
    until = (clock.time + timedelta(seconds=100)).isoformat(timespec="seconds")
    assert until in report.messages[0]
    clock.time += timedelta(seconds=60)
    assert post(run_dir, receiver.url).attempts == 0, "also a new run waits"
    clock.time += timedelta(seconds=40)
    assert post(run_dir, receiver.url).delivered == 3


def test_a_hold_noted_under_a_clock_that_ran_ahead_is_forgotten(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post, clock: FakeClock
) -> None:
    run_dir = make_run(1)
    post(run_dir, stopped_receiver.url, wait_s=0)
    (path,) = (run_dir / "outbox").glob("*.jsonl")
    ahead = (clock.time + timedelta(days=365)).isoformat()
    with path.open("a") as ledger:
        json.dump({"entry": "standing", "at": ahead, "held_until": ahead}, ledger)
        ledger.write("\n")
    stopped_receiver.start()
    assert post(run_dir, stopped_receiver.url).delivered == 1


def test_what_is_refused_is_dead_until_someone_asks(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(2)
    receiver.script.append(Reply(400, '{"detail": "unknown zone"}'))
    report = post(run_dir, receiver.url)
    assert (report.delivered, report.dead, report.pending) == (1, 1, 0)
    assert not report.is_complete
    assert "violation violation-0 was given up: 400 Bad Request: unknown zone" in report.messages
    assert post(run_dir, receiver.url).attempts == 0
    assert post(run_dir, receiver.url, retry_dead=True).is_complete


def test_a_destination_that_is_gone_is_left_alone(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(3)
    receiver.script.append(Reply(410))
    report = post(run_dir, receiver.url)
    assert (report.attempts, report.pending, report.dead) == (1, 3, 0)
    assert "410 Gone" in report.messages[0]
    assert post(run_dir, receiver.url).attempts == 0
    assert post(run_dir, receiver.url, retry_dead=True).delivered == 3


def test_a_wrong_secret_does_not_kill_everything(
    make_run: MakeRun, receiver: Receiver, post: Post, secret: Secret
) -> None:
    run_dir = make_run(10)
    report = post(run_dir, receiver.url, secret=Secret((b"w" * 32,)))
    assert (report.attempts, report.dead, report.pending) == (3, 3, 7)
    assert "check the URL and the secret" in report.messages[-1]
    assert post(run_dir, receiver.url, retry_dead=True).delivered == 10


def test_slow_failures_do_not_add_up(make_run: MakeRun, post: Post, clock: FakeClock) -> None:
    """Every second message fails slowly, so failures never come three in a row."""

    def later() -> datetime:
        clock.time += timedelta(seconds=5)
        return clock.time

    # Unsigned, since this clock soon runs minutes ahead of the receiver's.
    receiver = Receiver(secret=None)
    receiver.start()
    try:
        receiver.script.extend([Reply(500), Reply()] * 20)
        report = post(
            make_run(40), receiver.url, wait_s=30, now=later, secret=None, allow_unsigned=True
        )
    finally:
        receiver.stop()
    assert report.dead == 0
    assert 20 < report.pending < 40
    assert "500 Internal Server Error" in report.messages[0]


def test_without_a_secret_unsigned_must_be_wanted(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(1)
    with pytest.raises(ConfigError, match=SECRET_VARIABLE):
        post(run_dir, receiver.url, secret=None)
    assert not (run_dir / "outbox").exists()
    open_receiver = Receiver(secret=None)
    open_receiver.start()
    try:
        assert post(run_dir, open_receiver.url, secret=None, allow_unsigned=True).delivered == 1
    finally:
        open_receiver.stop()
    assert "webhook-signature" not in open_receiver.requests[0][0]


def test_a_wrong_url_or_folder_is_named(tmp_path: Path, make_run: MakeRun, post: Post) -> None:
    with pytest.raises(ConfigError, match="'ftp'"):
        post(make_run(1), "ftp://platform.example/")
    with pytest.raises(InputError, match="nowhere"):
        post(tmp_path / "nowhere", "http://platform.example/")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"violations\.jsonl"):
        post(tmp_path / "empty", "http://platform.example/")


def test_one_process_at_a_time(make_run: MakeRun, receiver: Receiver, post: Post) -> None:
    run_dir = make_run(1)
    caught: list[OutboxBusyError] = []

    def post_too(_: DeliveryReport) -> None:
        with pytest.raises(OutboxBusyError, match="another process") as error:
            post(run_dir, receiver.url)
        caught.append(error.value)

    assert post(run_dir, receiver.url, progress=post_too).delivered == 1
    assert len(caught) == 1


def test_progress_is_told_after_each_attempt(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    told: list[tuple[int, int]] = []
    post(make_run(3), receiver.url, progress=lambda r: told.append((r.delivered, r.pending)))
    assert told == [(1, 2), (2, 1), (3, 0)]


def test_cases_go_out_with_place_and_pictures(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    cameras = {"gate-3": Camera(id="gate-3", lon=119.97, lat=31.81, coord_sys="wgs84")}
    post(make_run(1), receiver.url, cameras=cameras, embed=("scene",))
    case = CandidateCase.model_validate(json.loads(receiver.requests[0][1])["data"])
    assert case.camera.location is not None
    assert case.evidence["scene"] is not None
    assert case.evidence["scene"].content_base64 is not None


def test_evidence_may_be_cleared_away_once_enqueued(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(1)
    post(run_dir, stopped_receiver.url, embed=("scene",), wait_s=0)
    (run_dir / "evidence/0-scene.jpg").unlink()
    stopped_receiver.start()
    assert post(run_dir, stopped_receiver.url, embed=("scene",)).delivered == 1


def test_what_a_new_scan_no_longer_finds_is_not_posted(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(3)
    post(run_dir, stopped_receiver.url, wait_s=0)
    write_violations(run_dir / "violations.jsonl", [record(1)])
    stopped_receiver.start()
    report = post(run_dir, stopped_receiver.url)
    assert (report.delivered, report.pending) == (1, 0)
    assert "not posted: 2 waiting" in report.messages[0]
    assert states(run_dir) == {"delivered": 1, "withdrawn": 2}
    make_run(3)
    assert post(run_dir, stopped_receiver.url).delivered == 2


def test_only_what_is_due_where_a_timer_runs_it(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post, clock: FakeClock
) -> None:
    run_dir = make_run(2)
    report = post(run_dir, stopped_receiver.url, wait_s=0)
    assert report.next_at == clock.time + timedelta(seconds=5.5)
    assert post(run_dir, stopped_receiver.url, due_only=True, wait_s=0).attempts == 0
    clock.time += timedelta(seconds=6)
    assert post(run_dir, stopped_receiver.url, due_only=True, wait_s=0).attempts == 2


def test_trying_every_minute_does_not_use_the_schedule_up(
    make_run: MakeRun, stopped_receiver: Receiver, post: Post, clock: FakeClock
) -> None:
    run_dir = make_run(1)
    for _ in range(20):
        report = post(run_dir, stopped_receiver.url, wait_s=0)
        clock.time += timedelta(minutes=1)
    assert (report.pending, report.dead) == (1, 0)


def test_a_scan_is_gone_on_with_without_naming_the_url(
    make_run: MakeRun, receiver: Receiver, post: Post
) -> None:
    run_dir = make_run(1)
    assert last_destination(run_dir) is None
    post(run_dir, receiver.url)
    assert last_destination(run_dir) == receiver.url
    post(run_dir, receiver.url + "?key=opensesame")
    assert last_destination(run_dir) is None, "there are two"
    with_key = make_run(1, "with key")
    post(with_key, receiver.url + "?key=opensesame")
    assert last_destination(with_key) is None


def test_nothing_secret_is_written_anywhere(
    make_run: MakeRun,
    receiver: Receiver,
    post: Post,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    run_dir = make_run(2)
    receiver.script.extend([Reply(500, "no luck for hunter2"), Reply(hangs_up=True)])
    url = receiver.url.replace("http://", "http://bureau:hunter2@") + "?key=opensesame"
    report = post(run_dir, url)
    assert report.delivered == 2
    out, err = capfd.readouterr()
    files = [path.read_bytes().decode() for path in run_dir.rglob("*") if path.is_file()]
    written = "\n".join([*files, caplog.text, out, err, repr(report)])
    assert "case_" in written
    for word in ("hunter2", "opensesame", SECRET_TEXT.removeprefix("whsec_"), "key of the tests"):
        assert word not in written


START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
FRESH = Delivery(event_id="case_1", violation_id="v", body_sha256="c" * 64, at=START, next_at=START)
FAILED = Attempt(Outcome.FAILED, 500, error="500")


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    delivery, at, delays = FRESH, START, []
    while delivery.is_open:
        delivery = after_attempt(delivery, FAILED, at, jitter=lambda: 0.0)
        delays.append((delivery.next_at - at).total_seconds())
        at = delivery.next_at
    hours = 3600.0
    assert delays[:-1] == [
        5,
        300,
        1800,
        2 * hours,
        5 * hours,
        10 * hours,
        14 * hours,
        20 * hours,
        24 * hours,
    ]
    assert (delivery.state, delivery.attempts) == (State.DEAD, 10)


@given(chance=st.floats(0, 1, exclude_max=True), retry_after=st.none() | st.floats(0, 86400))
def test_the_next_attempt_is_never_before_schedule_and_retry_after(
    chance: float, retry_after: float | None
) -> None:
    attempt = Attempt(Outcome.FAILED, 503, retry_after_s=retry_after)
    after = after_attempt(FRESH, attempt, START, jitter=lambda: chance)
    delay_s = (after.next_at - START).total_seconds()
    floor_s = max(SCHEDULE_S[0], retry_after or 0.0)
    assert floor_s - 1e-5 <= delay_s <= max(SCHEDULE_S[0] * 1.2, floor_s) + 1e-5


def test_an_attempt_before_its_time_is_free() -> None:
    waiting = after_attempt(FRESH, FAILED, START)
    early = after_attempt(waiting, FAILED, START + timedelta(seconds=1))
    assert (early.steps, early.next_at) == (waiting.steps, waiting.next_at)
    assert early.attempts == 2


POST = """
import sys, pathlib
from service.dispatch.delivery import deliver
from service.dispatch.secret import load_secret
report = deliver(pathlib.Path(sys.argv[1]), sys.argv[2], load_secret(), wait_s=5)
sys.exit(0 if report.is_complete else 1)
"""


def start_posting(run_dir: Path, url: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", POST, str(run_dir), url],
        env=os.environ | {SECRET_VARIABLE: SECRET_TEXT},
        stdout=subprocess.DEVNULL,
    )


def test_killed_at_any_moment_each_case_is_created_exactly_once(
    make_run: MakeRun, receiver: Receiver
) -> None:
    count = 40
    run_dir = make_run(count)
    chance = random.Random(20260504)
    kills = 0
    target = [0]
    victim: list[subprocess.Popen[bytes]] = []

    def kill_in_the_middle() -> None:
        """Before the case is created, or just after, while the answer is on its way."""
        if victim and len(receiver.requests) == target[0]:
            victim.pop().send_signal(signal.SIGKILL)

    receiver.hooks.append(kill_in_the_middle)
    for _ in range(5):
        target[0] = len(receiver.requests) + chance.randint(1, 6)
        process = start_posting(run_dir, receiver.url)
        if chance.random() < 0.67:
            victim.append(process)
        else:
            seen = len(receiver.requests)
            while len(receiver.requests) == seen and process.poll() is None:
                time.sleep(0.002)
            time.sleep(chance.random() * 0.05)
            process.kill()
        kills += process.wait(60) == -signal.SIGKILL
        victim.clear()
    assert kills >= 3
    assert start_posting(run_dir, receiver.url).wait(60) == 0
    assert sorted(receiver.created) == sorted(ids(count))
    assert states(run_dir) == {"delivered": count}
    assert all(len(bodies) == 1 for bodies in receiver.bodies.values())
    assert len(receiver.requests) <= count + kills, "at most the one in flight is sent again"
