"""Callbacks of the sandbox platform: sent until they are answered, and badly if so wished."""

from __future__ import annotations

import heapq
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from service.dispatch.adapters.panorama import shanghai
from service.dispatch.secret import Secret
from service.sandbox.mischief import Mischief
from service.sandbox.platform import HeldCase, Passed, Stage

RETRY_S = 1.0
TIMEOUT_S = 10.0
_SETTLED = frozenset({200, 201, 202, 204, 400, 404, 409, 410, 422})
_PANORAMA = {
    Stage.HANDLING: ("processing", "处置中"),
    Stage.HANDLED: ("closed", "已处置"),
    **{
        stage: (stage.value, "")
        for stage in (
            Stage.DECLINED,
            Stage.RETURNED,
            Stage.SUSPENDED,
            Stage.CANCELLED,
            Stage.EXTENDED,
            Stage.APPEALED,
            Stage.EXEMPTED,
        )
    },
}
"""Status and result that it says of a stage over the panorama form."""


@dataclass(frozen=True)
class Callers:
    """Where callbacks go, and how the sender proves who it is.

    Attributes:
        url: ``.../api/v1/callbacks``; without it nobody is called back.
        webhook: Name of the webhook destination there.
        panorama: Name of the panorama destination there.
        secret: Signs what is said of webhook cases.
        token: Sent with what is said of panorama cases.
    """

    url: str | None
    webhook: str
    panorama: str
    secret: Secret = field(repr=False)
    token: str = field(repr=False)


@dataclass(order=True)
class _Call:
    due_s: float
    order: int
    url: str = field(compare=False)
    id: str = field(compare=False)
    body: bytes = field(compare=False)
    signed: bool = field(compare=False)
    is_forged: bool = field(compare=False, default=False)


class CallingBack:
    """Sends callbacks by threads of its own.

    Args:
        callers: Where to, and as whom.
        mischief: How the platform misbehaves now.
        clock: Tells aware wall-clock time.
        chance: Source of chance.
        hold_s: What is held back waits for up to so long.
        threads: So many at a time.
    """

    def __init__(
        self,
        callers: Callers,
        mischief: Callable[[], Mischief],
        clock: Callable[[], datetime],
        chance: random.Random,
        *,
        hold_s: float,
        threads: int = 2,
    ) -> None:
        self._callers = callers
        self._mischief = mischief
        self._clock = clock
        self._chance = chance
        self._hold_s = hold_s
        self._calls: list[_Call] = []
        self._order = itertools.count()
        self._ready = threading.Condition()
        self._stopped = False
        self._under_way = 0
        self.counts: Counter[str] = Counter()
        self._threads = [
            threading.Thread(target=self._run, name=f"calling-back-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what was not sent is forgotten."""
        with self._ready:
            self._stopped = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    @property
    def waiting(self) -> int:
        """Callbacks that are not settled yet."""
        with self._ready:
            return len(self._calls) + self._under_way

    def tell(self, case: HeldCase, passed: Passed) -> None:
        """Say that a case came to a stage."""
        made = self._made(case, passed)
        if made is None or self._callers.url is None:
            return
        name, id_, body, signed = made
        url = f"{self._callers.url.rstrip('/')}/{name}"
        mischief = self._mischief()
        now_s = time.monotonic()
        late = self._chance.random() < mischief.reorder
        due_s = now_s + (self._chance.random() * self._hold_s if late else 0.0)
        calls = [_Call(due_s, next(self._order), url, id_, body, signed)]
        if self._chance.random() < mischief.duplicate:
            again_s = due_s + self._chance.random() * self._hold_s
            calls.append(_Call(again_s, next(self._order), url, id_, body, signed))
        if self._chance.random() < mischief.wrong_signature:
            calls.append(_Call(now_s, next(self._order), url, id_, body, signed, is_forged=True))
        with self._ready:
            for call in calls:
                heapq.heappush(self._calls, call)
            self.counts["told"] += 1
            self.counts["late"] += late
            self.counts["twice"] += len([one for one in calls if not one.is_forged]) - 1
            self._ready.notify_all()

    def _made(self, case: HeldCase, passed: Passed) -> tuple[str, str, bytes, bool] | None:
        """Destination, id and body of a callback, and whether it is signed."""
        if case.interface == "webhook":
            id_ = f"{case.reference}-{case.passed.index(passed) + 1}"
            said = {
                "id": id_,
                "event_id": passed.event_id,
                "reference": case.reference,
                "status": passed.stage.value,
                "said_at": passed.at.isoformat(),
                "operator": "sandbox",
                "note": passed.reason,
            }
            if passed.deadline_at is not None:
                said["deadline_at"] = passed.deadline_at.isoformat()
            return self._callers.webhook, id_, json.dumps(said).encode(), True
        if case.interface == "panorama" and passed.stage in _PANORAMA:
            status, result = _PANORAMA[passed.stage]
            said = {
                "push_id": passed.event_id,
                "disposal_status": status,
                "disposal_result": passed.reason or result,
                "disposal_operator": "sandbox",
                "disposal_time": shanghai(passed.at),
            }
            if passed.deadline_at is not None:
                said["disposal_deadline"] = shanghai(passed.deadline_at)
            body = json.dumps(said, ensure_ascii=False).encode()
            return self._callers.panorama, passed.event_id, body, False
        return None

    def _run(self) -> None:
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
            while (call := self._next()) is not None:
                settled = self._sent(client, call)
                with self._ready:
                    self._under_way -= 1
                    if not settled:
                        call.due_s = time.monotonic() + RETRY_S
                        heapq.heappush(self._calls, call)

    def _next(self) -> _Call | None:
        with self._ready:
            while not self._stopped:
                now_s = time.monotonic()
                if self._calls and self._calls[0].due_s <= now_s:
                    self._under_way += 1
                    return heapq.heappop(self._calls)
                pause_s = self._calls[0].due_s - now_s if self._calls else 1.0
                self._ready.wait(min(max(pause_s, 0.001), 1.0))
        return None

    def _sent(self, client: httpx.Client, call: _Call) -> bool:
        """Send one callback once; whether it is settled."""
        headers = {"content-type": "application/json"}
        if call.signed:
            now = self._clock()
            headers["webhook-id"] = call.id
            headers["webhook-timestamp"] = str(int(now.timestamp()))
            headers["webhook-signature"] = self._callers.secret.sign(call.id, now, call.body)
            if call.is_forged:
                headers["webhook-signature"] = "v1,Zm9yZ2Vk"
        else:
            token = "forged" * 6 if call.is_forged else self._callers.token
            headers |= {"x-callback-token": token, "x-push-id": call.id}
        try:
            answer = client.post(call.url, content=call.body, headers=headers)
        except httpx.HTTPError:
            return False
        outcome = f"{'forged ' if call.is_forged else ''}{answer.status_code}"
        with self._ready:
            self.counts[outcome] += 1
        return call.is_forged or answer.status_code in _SETTLED
