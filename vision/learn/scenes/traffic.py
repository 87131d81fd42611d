"""Courses of moving things: car following in lanes, walkers, scripted stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEP_S = 0.25
WARM_UP_S = 25.0
ENTRY_M = -25.0
EXIT_M = 140.0

Course = Callable[[float], float | None]
"""Distance travelled along the lane from its entry at a time, ``None`` while not on the road."""


@dataclass(frozen=True, eq=False)
class Run:
    """The way of one vehicle along its lane.

    Attributes:
        kind: Drawn kind: ``car``, ``bus``, ``truck``, ``muck_truck``, ``motorcycle``, ``bicycle``.
        length: Metres.
        start_s: Time of the first sample.
        travelled: ``(k,)`` metres from the entry, every :data:`STEP_S`.
    """

    kind: str
    length: float
    start_s: float
    travelled: NDArray[np.float64]

    def at(self, time_s: float) -> float | None:
        """Metres from the entry of the lane, ``None`` when not on the road."""
        k = (time_s - self.start_s) / STEP_S
        if k < 0 or k > len(self.travelled) - 1:
            return None
        return float(np.interp(k, np.arange(len(self.travelled)), self.travelled))


def stopping_course(start_s: float, stop_m: float, hold_s: float, speed: float = 8.0) -> Course:
    """A vehicle that stands at ``stop_m`` from ``start_s`` for ``hold_s`` and drives on."""
    brake, push = 1.6, 1.3
    braking_s, reach = speed / brake, speed**2 / 2 / brake

    def course(time_s: float) -> float | None:
        before = start_s - time_s
        if before > braking_s:
            s = stop_m - reach - (before - braking_s) * speed
        elif before > 0:
            s = stop_m - brake * before**2 / 2
        else:
            after = -before - hold_s
            s = stop_m if after <= 0 else stop_m + min(push * after**2 / 2, speed * after)
        return s if 0 <= s <= EXIT_M - ENTRY_M else None

    return course


def follow(
    rng: np.random.Generator,
    duration_s: float,
    per_min: float,
    draw_kind: Callable[[np.random.Generator], tuple[str, float]],
    *,
    speed: float,
    stops: tuple[tuple[float, float, float], ...] = (),
    guests: tuple[tuple[Course, float], ...] = (),
) -> list[Run]:
    """Let vehicles follow each other down a lane (intelligent driver model).

    Treiber, Hennecke, Helbing: Congested traffic states in empirical observations and
    microscopic simulations, Phys. Rev. E 62 (2000) 1805.

    Args:
        rng: Draws headways, kinds and speeds.
        duration_s: Until when.
        per_min: Vehicles a minute.
        draw_kind: Gives kind and length in metres of the next vehicle.
        speed: Wanted speed, metres a second.
        stops: Red lights ``(metres from the entry, from_s, to_s)``.
        guests: Scripted vehicles ``(course, length)`` that the others heed.
    """
    times = np.arange(-WARM_UP_S, duration_s + STEP_S, STEP_S)
    entries: list[float] = []
    t = -WARM_UP_S + rng.exponential(2)
    while per_min > 0 and t < duration_s:
        entries.append(t)
        t += 1.6 + rng.exponential(max(0.1, 60 / per_min - 1.6))
    tracks: list[tuple[str, float, float, list[float]]] = []
    active: list[int] = []
    position: list[float] = []
    velocity: list[float] = []
    wanted: list[float] = []
    pending = entries[::-1]
    for now in times:
        if pending and now >= pending[-1]:
            last = position[active[-1]] - tracks[active[-1]][1] if active else np.inf
            guest_near = any(
                (g := course(now)) is not None and g - length < 14 for course, length in guests
            )
            if last > 9 and not guest_near:
                kind, length = draw_kind(rng)
                pace = speed * rng.uniform(0.85, 1.15)
                tracks.append((kind, length, float(now), []))
                active.append(len(tracks) - 1)
                position.append(0.0)
                velocity.append(min(pace, max(2.0, (last - 6) / 1.5)))
                wanted.append(pace)
                pending.pop()
            elif now - pending[-1] > 20:
                pending.pop()
        still: list[int] = []
        lead_at, lead_v = np.inf, speed
        for i in active:
            s, v = position[i], velocity[i]
            ahead, v_lead = lead_at, lead_v
            for course, length in guests:
                g = course(now)
                if g is not None and s < g and g - length < ahead:
                    soon = course(now + STEP_S)
                    ahead, v_lead = g - length, ((soon if soon is not None else g) - g) / STEP_S
            for at, red, green in stops:
                if red <= now < green and s < at < ahead and at - s > v * v / 9:
                    ahead, v_lead = at, 0.0
            gap = max(0.5, ahead - s)
            desired = 2.0 + max(0.0, v * 1.3 + v * (v - v_lead) / (2 * np.sqrt(1.4 * 2.0)))
            push = 1.4 * (1 - (v / wanted[i]) ** 4 - (desired / gap) ** 2)
            v = max(0.0, v + max(-6.0, push) * STEP_S)
            tracks[i][3].append(s)
            s += v * STEP_S
            position[i], velocity[i] = s, v
            lead_at, lead_v = s - tracks[i][1], v
            if s < EXIT_M - ENTRY_M + 15:
                still.append(i)
        active = still
    return [
        Run(k, length, start, np.array(path)) for k, length, start, path in tracks if len(path) > 1
    ]
