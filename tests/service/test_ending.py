from __future__ import annotations

import multiprocessing
import signal
import threading
import time

from service.ending import SPARE_S, Ending


def no_exit(_: int) -> None:
    """The process of the tests goes on."""


def test_all_ends_side_by_side_and_what_hangs_keeps_nothing_waiting() -> None:
    ended: dict[str, float] = {}
    hangs = threading.Event()

    def saved(within_s: float) -> None:
        ended["cameras"] = within_s

    def broken(_: float) -> None:
        raise ConnectionError("no database")

    began_s = time.monotonic()
    ending = Ending(
        {"detectors": lambda _: hangs.wait(), "database": broken, "cameras": saved},
        within_s=SPARE_S + 0.4,
        exit_now=no_exit,
    )
    assert ending.wait() == ["detectors"]
    assert 0.3 < time.monotonic() - began_s < 2.0
    assert 0.2 < ended["cameras"] <= 0.4, "each is told how much time there is"
    hangs.set()


def test_it_begins_once() -> None:
    times: list[float] = []
    ending = Ending({"one": times.append}, within_s=5.0, exit_now=no_exit)
    ending.begin()
    ending.begin()
    assert ending.wait() == []
    assert len(times) == 1


def test_the_process_ends_when_the_time_is_over_whatever_waits() -> None:
    codes: list[int] = []
    over = threading.Event()

    def exit_now(code: int) -> None:
        codes.append(code)
        over.set()

    began_s = time.monotonic()
    Ending({}, within_s=0.3, exit_now=exit_now).begin()
    assert over.wait(5.0)
    assert time.monotonic() - began_s >= 0.3
    assert codes == [0]


def test_who_leaves_takes_the_processes_along() -> None:
    codes: list[int] = []
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=time.sleep, args=(3600,), daemon=True)
    child.start()
    Ending({}, exit_now=codes.append).leave(3)
    child.join(10)
    assert child.exitcode == -signal.SIGKILL
    assert codes == [3]
