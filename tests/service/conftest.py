"""Fixtures of the posting tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from posting import SECRET_TEXT, FakeClock, MakeRun, Receiver, picture_of, record

from service.dispatch.secret import Secret
from vision.record import write_violations


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def secret() -> Secret:
    return Secret.parse(SECRET_TEXT, named="the test")


@pytest.fixture
def stopped_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture(scope="session")
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def receiver(running_receiver: Receiver) -> Receiver:
    running_receiver.forget()
    return running_receiver


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    def make(count: int, name: str = "run") -> Path:
        run_dir = tmp_path / name
        (run_dir / "evidence").mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (run_dir / f"evidence/{number}-scene.jpg").write_bytes(picture_of(number))
        write_violations(run_dir / "violations.jsonl", [record(n) for n in range(count)])
        return run_dir

    return make
