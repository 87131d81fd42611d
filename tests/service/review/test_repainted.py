"""Parts of a page that are read anew: one reading after the other, the last one stays."""

from __future__ import annotations

import asyncio

from service.review.repainted import Repainted


class Wall:
    """A place that keeps what is drawn on it, as an element of the page does."""

    is_deleted = False

    def __init__(self) -> None:
        self.drawn: list[int] = []

    def clear(self) -> None:
        self.drawn.clear()

    def __enter__(self) -> Wall:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_readings_follow_each_other_and_what_was_asked_meanwhile_is_one_more() -> None:
    wall = Wall()
    going_on, most, readings = 0, 0, 0

    async def read() -> int:
        nonlocal going_on, most, readings
        going_on += 1
        most = max(most, going_on)
        # The first reading is the slowest: it must not be what is shown at last.
        await asyncio.sleep(0.05 if readings == 0 else 0.001)
        going_on -= 1
        readings += 1
        return readings

    async def ask() -> None:
        shown = Repainted(wall, read, wall.drawn.append)  # type: ignore[arg-type]
        first = asyncio.create_task(shown.again())
        await asyncio.sleep(0.01)
        await asyncio.gather(*(shown.again() for _ in range(20)))
        await first

    asyncio.run(ask())
    assert (most, readings) == (1, 2)
    assert wall.drawn == [2]


def test_nothing_is_drawn_on_a_page_that_was_left() -> None:
    wall = Wall()

    async def read() -> int:
        wall.is_deleted = True
        return 1

    asyncio.run(Repainted(wall, read, wall.drawn.append).again())  # type: ignore[arg-type]
    assert wall.drawn == []
