from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest
import uvicorn
from serving import Serving

from service.cases.events import forget_events, tell
from service.store.tables import Scope

Event = tuple[str, str, dict[str, Any]]


@pytest.fixture
def served(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application on a port: a test client would wait for the end of the stream."""
    monkeypatch.setattr("service.api.events.POLL_S", 0.05)
    monkeypatch.setattr("service.api.events.HEARTBEAT_S", 1.0)
    config = uvicorn.Config(serving.app, port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/api/v1/events"
    serving.app.state.closing.set()
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def told(serving: Serving, *subjects: str, at: datetime | None = None) -> list[int]:
    now = at or serving.service.clock()
    numbers = []
    for subject in subjects:
        with serving.service.database.write() as session:
            kind = "case.created" if subject.startswith("c") else "camera.changed"
            numbers.append(tell(session, kind, subject, {"id": subject}, now).id)
    return numbers


def follow(
    serving: Serving,
    url: str,
    count: int,
    *,
    then: Callable[[], object] = lambda: None,
    **options: Any,
) -> list[Event]:
    """So many events; something may be done once the stream has begun."""
    headers = dict(serving.key(Scope.READ).headers) | options.pop("headers", {})
    events: list[Event] = []
    deadline = time.monotonic() + 60
    with httpx.stream("GET", url, headers=headers, timeout=30, **options) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "event" in fields:
                events.append((fields["id"], fields["event"], json.loads(fields["data"])))
            elif "retry" in fields:
                then()
            fields = {}
            assert time.monotonic() < deadline, "the events did not come"
            if len(events) >= count:
                break
    return events


def test_a_client_that_comes_back_misses_nothing(serving: Serving, served: str) -> None:
    numbers = told(serving, "c1", "c2", "c3")
    events = follow(serving, served, 2, headers={"last-event-id": str(numbers[0])})
    assert [int(number) for number, _, _ in events] == numbers[1:]
    assert events[0][1] == "case.created"
    assert events[0][2]["id"] == "c2"


def test_without_a_number_it_begins_with_what_comes_next(serving: Serving, served: str) -> None:
    told(serving, "c1")
    events = follow(serving, served, 1, then=lambda: told(serving, "c2"))
    assert [event[2]["id"] for event in events] == ["c2"]


def test_only_the_types_that_are_asked_for(serving: Serving, served: str) -> None:
    before = told(serving, "c0")[0]
    told(serving, "c1", "gate", "c2")
    query = {"after": str(before), "type": "camera.changed"}
    events = follow(serving, served, 1, params=query)
    assert [event[2]["id"] for event in events] == ["gate"]


def test_what_is_no_more_kept_is_not_passed_over_in_silence(serving: Serving, served: str) -> None:
    numbers = told(serving, "c1", "c2", "c3")
    with serving.service.database.write() as session:
        forget_events(session, serving.service.clock().replace(year=2200))
    for after in (numbers[0], numbers[-1] + 5):
        events = follow(serving, served, 1, params={"after": str(after)})
        assert events == [(str(numbers[-1]), "reset", {})]


def test_text_in_an_event_cannot_make_up_another(serving: Serving, served: str) -> None:
    before = told(serving, "c0")[0]
    told(serving, "c\n\nevent: forged\ndata: {}\n\n")
    events = follow(serving, served, 1, params={"after": str(before)})
    assert [event[1] for event in events] == ["case.created"]
