"""How a sandbox platform misbehaves, and the misbehaving itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86400)]

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Mischief(BaseModel):
    """How the platform misbehaves.

    Attributes:
        fail: Share of calls that fail: with 500, 503, 429, without an answer, or with an answer
            that is lost after the call was taken in; one as often as the other.
        hang_s: A call without an answer is held open for so long.
        duplicate: Share of callbacks that are sent twice.
        reorder: Share of callbacks that are held back until later ones have gone.
        wrong_signature: Share of callbacks before which one with a wrong signature is sent.
        down_every_s: The platform is down once in so many seconds; never with 0.
        down_for_s: So long each time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fail: Share = 0
    hang_s: Seconds = 30
    duplicate: Share = 0
    reorder: Share = 0
    wrong_signature: Share = 0
    down_every_s: Seconds = 0
    down_for_s: Seconds = 0

    def is_down(self, since_s: float) -> bool:
        """Whether the platform is down, so many seconds after its start."""
        if not self.down_every_s or not self.down_for_s:
            return False
        return since_s % self.down_every_s >= self.down_every_s - self.down_for_s


class Misbehaving:
    """Stands before the platform's interfaces and lets calls fail.

    Args:
        app: The application.
        mischief: How the platform misbehaves now.
        paths: Beginnings of paths to which it applies.
        chance: Source of chance.
    """

    def __init__(
        self,
        app: _App,
        mischief: Callable[[], Mischief],
        paths: tuple[str, ...],
        chance: random.Random,
    ) -> None:
        self._app = app
        self._mischief = mischief
        self._paths = paths
        self._chance = chance
        self._began_s = time.monotonic()

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Pass a call on, or not."""
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        mischief = self._mischief()
        if mischief.is_down(time.monotonic() - self._began_s):
            await _answer(send, 503)
            return
        if self._chance.random() >= mischief.fail:
            await self._app(scope, receive, send)
            return
        match self._chance.randrange(5):
            case 0:
                await _answer(send, 500)
            case 1:
                await _answer(send, 503, retry_after_s=1)
            case 2:
                await _answer(send, 429)
            case 3:
                await asyncio.sleep(mischief.hang_s)
                await _answer(send, 504)
            case _:
                await self._app(scope, receive, _unheard)
                await _answer(send, 502)


async def _unheard(_message: MutableMapping[str, Any]) -> None:
    """Swallow an answer."""


async def _answer(send: _Send, status: int, *, retry_after_s: int | None = None) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"0")]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
