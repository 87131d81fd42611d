"""Puts a scene together: who stands and moves where, and which of it is a violation."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from vision.learn.scenes import heaps, people, scenery, stalls, vehicles, works
from vision.learn.scenes.layout import (
    BAY_LENGTH_M,
    PANEL_M,
    Layout,
    hoarding_x,
)
from vision.learn.scenes.model import Model
from vision.learn.scenes.plume import Plume
from vision.learn.scenes.preset import (
    BinCue,
    ConesCue,
    CraneCue,
    DerelictCue,
    GapCue,
    HeapCue,
    MachineCue,
    MuckTruckCue,
    PlumeCue,
    ScenePreset,
    Side,
    StallCue,
)
from vision.learn.scenes.raster import Pose
from vision.learn.scenes.traffic import ENTRY_M, EXIT_M, Course, Run, follow, stopping_course

Rng = np.random.Generator
Place = Callable[[float], Pose | None]
Draw = Callable[[float], Model]


@dataclass(frozen=True, eq=False)
class Actor:
    """Something that is drawn.

    Attributes:
        id: Number in the scene, from 1; ties in depth are drawn in this order.
        class_name: Truth class, ``None`` for scenery.
        extent: Half extents ``(x, y)`` of the footprint in metres.
        model: Form at a time.
        pose: Where it stands at a time, ``None`` while absent.
        state: Names the form at a time: equal states look the same. ``None``: always changing.
        panel: Place in the hoarding line, for panels.
        plume: Set for dust and smoke, which have no model.
        soil: Counts as part of the bare soil.
        lights_street: A street lamp.
        stands: Never moves while it is there, nor does it have its lights on.
    """

    id: int
    class_name: str | None
    extent: tuple[float, float]
    model: Draw | None
    pose: Place
    state: Callable[[float], Hashable] | None
    panel: int | None = None
    plume: Plume | None = None
    soil: bool = False
    stands: bool = False
    lights_street: bool = False


@dataclass(frozen=True)
class PlannedEvent:
    """A violation of the script; its box follows from the picture."""

    kind: str
    actor_ids: tuple[int, ...]
    start_s: float
    end_s: float | None


@dataclass(frozen=True, eq=False)
class Cast:
    """All actors of a scene and the violations among them."""

    actors: tuple[Actor, ...]
    events: tuple[PlannedEvent, ...]


def _sign(side: Side) -> int:
    return 1 if side == "right" else -1


class Director:
    """Places actors; every draw comes from one generator, so a seed gives one scene."""

    def __init__(self, preset: ScenePreset, layout: Layout, rng: Rng) -> None:
        self._preset = preset
        self._layout = layout
        self._rng = rng
        self._actors: list[Actor] = []
        self._events: list[PlannedEvent] = []
        self._taken: dict[Side, set[int]] = {"left": set(), "right": set()}
        self._busy: dict[Side, list[tuple[float, float]]] = {"left": [], "right": []}
        self._guests: dict[tuple[float, int], list[tuple[Course, float, str]]] = {}
        self._gaps: dict[int, tuple[float, float]] = {}
        self._inside_taken: list[tuple[float, float]] = []

    def cast(self) -> Cast:
        """Place everything."""
        for cue in self._preset.script:
            if isinstance(cue, StallCue):
                self._stall(cue)
            elif isinstance(cue, HeapCue):
                self._heap(cue)
            elif isinstance(cue, DerelictCue):
                self._derelict(cue)
            elif isinstance(cue, BinCue):
                self._bins(cue)
            elif isinstance(cue, ConesCue):
                self._cones(cue)
            elif isinstance(cue, GapCue):
                self._gap(cue)
            elif (
                self._layout.site is None
                and not (isinstance(cue, MuckTruckCue) and not cue.standing)
                and not isinstance(cue, PlumeCue | CraneCue)
            ):
                continue
            elif isinstance(cue, MachineCue):
                self._machine(cue)
            elif isinstance(cue, CraneCue):
                self._crane(cue)
            elif isinstance(cue, MuckTruckCue):
                self._muck_truck(cue)
            else:
                self._plume(cue)
        if self._layout.site is not None:
            self._hoarding()
            self._site_scenery()
        self._parked()
        self._greenery()
        self._traffic()
        self._walkers()
        return Cast(tuple(self._actors), tuple(self._events))

    def _add(
        self,
        class_name: str | None,
        extent: tuple[float, float],
        model: Draw | None,
        pose: Place,
        state: Callable[[float], Hashable] | None,
        *,
        panel: int | None = None,
        plume: Plume | None = None,
        soil: bool = False,
        stands: bool = False,
    ) -> Actor:
        actor = Actor(
            len(self._actors) + 1,
            class_name,
            extent,
            model,
            pose,
            state,
            panel,
            plume,
            soil,
            stands,
        )
        self._actors.append(actor)
        return actor

    def _stand(
        self,
        class_name: str | None,
        extent: tuple[float, float],
        model: Model | Callable[[], Model],
        pose: Pose,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        soil: bool = False,
    ) -> Actor:
        """Something that stands still from ``start_s`` to ``end_s``."""

        def place(time_s: float) -> Pose | None:
            here = (start_s is None or time_s >= start_s) and (end_s is None or time_s < end_s)
            return pose if here else None

        make = cache(model) if callable(model) else None

        def form(_: float) -> Model:
            if make is not None:
                return make()
            assert isinstance(model, Model)
            return model

        return self._add(class_name, extent, form, place, lambda _: 0, soil=soil, stands=True)

    def _seed(self) -> Rng:
        return np.random.default_rng(self._rng.integers(2**63))

    def _event(self, kind: str, actor: Actor, start_s: float | None, end_s: float | None) -> None:
        self._events.append(PlannedEvent(kind, (actor.id,), start_s or 0.0, end_s))

    def _bay_slot(self, side: Side, along_m: float) -> Pose:
        """Take the bay nearest to ``along_m``; without bays the carriageway's edge."""
        sign = _sign(side)
        heading = 0.0 if side == "right" else np.pi
        if not self._layout.has_bays(side):
            return Pose(self._layout.bay(side), along_m, heading)
        slot = max(0, round(along_m / BAY_LENGTH_M - 0.5))
        while slot in self._taken[side]:
            slot += 1
        self._taken[side].add(slot)
        return Pose(
            self._layout.bay(side) + sign * self._rng.uniform(-0.12, 0.12),
            (slot + 0.5) * BAY_LENGTH_M,
            heading,
        )

    def _stall(self, cue: StallCue) -> None:
        rng, sign = self._rng, _sign(cue.side)
        model, extent = stalls.stall(self._seed(), cue.kind)
        along = float(rng.uniform(*cue.along_m))
        inward = extent[0] + rng.uniform(0.15, 0.6)
        x = self._layout.kerb(cue.side) + sign * min(inward, self._layout.footway_m - 0.4)
        if cue.place == "bay":
            slot = self._bay_slot(cue.side, along)
            x, along = slot.x, slot.y
        elif cue.place == "carriageway":
            x = self._layout.kerb(cue.side) - sign * (extent[0] + 0.2)
            x = x if not self._layout.has_bays(cue.side) else self._layout.bay(cue.side)
        heading = (0.0 if cue.side == "right" else np.pi) + rng.uniform(-0.12, 0.12)
        home = Pose(x, along, heading)
        self._busy[cue.side].append((along, 3.0))
        rolls = cue.kind in ("tricycle", "cart") and cue.start_s is not None
        start, end, pace = cue.start_s, cue.end_s, 1.1
        roll_s = min(6.0, start) if start is not None else 0.0

        def place(time_s: float) -> Pose | None:
            if start is not None and time_s < start:
                early = start - time_s
                ahead = pace * early * early / (early + 0.8)
                return replace(home, y=along + ahead) if rolls and early < roll_s else None
            if end is not None and time_s >= end:
                late = time_s - end
                gone = pace * late * late / (late + 0.8)
                return replace(home, y=along + gone) if rolls and late < 14 else None
            return home

        cart = self._add("street_stall", extent, lambda _: model, place, lambda _: 0)
        if not cue.permitted:
            self._event("street_stall", cart, start, end)
        look = people.dress(self._seed())
        side_step = extent[0] + 0.35

        def seller(time_s: float) -> Pose | None:
            at = place(time_s)
            if at is None:
                return None
            sway = 0.12 * np.sin(time_s * 0.5 + along)
            c, s = np.cos(at.heading), np.sin(at.heading)
            turned = at.heading - np.pi / 2
            if at.y != home.y:
                turned = 0.0
            return Pose(at.x + side_step * c + sway * s, at.y - side_step * s + sway, turned)

        def stance(time_s: float) -> Model:
            at = place(time_s)
            rolling = at is not None and at.y != home.y
            return people.person(look, time_s * 6, stride=0.6 if rolling else 0.0)

        self._add("person", (0.3, 0.3), stance, seller, None)

    def _heap(self, cue: HeapCue) -> None:
        rng, sign = self._rng, _sign(cue.side)
        model, extent = heaps.heap(self._seed(), cue.kind, float(rng.uniform(*cue.size)))
        along = float(rng.uniform(*cue.along_m))
        if cue.place == "footway":
            x = self._layout.kerb(cue.side) + sign * rng.uniform(0.8, self._layout.footway_m - 0.8)
        else:
            slot = self._bay_slot(cue.side, along)
            x, along = slot.x, slot.y
            if not self._layout.has_bays(cue.side):
                x = self._layout.kerb(cue.side) - sign * extent[0] * 0.8
        self._busy[cue.side].append((along, 2.0))
        pose = Pose(x, along, float(rng.uniform(0, 6.3)) if cue.kind != "timber" else 0.0)
        start, end = cue.start_s, cue.end_s
        reach = max(extent)

        def place(time_s: float) -> Pose | None:
            here = (start is None or time_s >= start) and (end is None or time_s < end)
            return pose if here else None

        def grown(time_s: float) -> float:
            if start is None:
                return 1.0
            return min(1.0, 0.45 + 0.2 * int(max(0.0, time_s - start) / 0.4))

        def form(time_s: float) -> Model:
            share = grown(time_s)
            if share >= 1.0:
                return model
            return replace(model, corners=model.corners * share, ends=model.ends * share,
                           hulls=tuple(h * share for h in model.hulls))  # fmt: skip

        heap = self._add("debris_pile", (reach, reach), form, place, grown)
        self._event("debris_pile", heap, start, end)
        if cue.truck and start is not None:
            self._dump_truck(cue.side, along, start)

    def _dump_truck(self, side: Side, along: float, start_s: float) -> None:
        direction = 1 if side == "right" else -1
        x = max(c for c, d in self._layout.lane_centres() if d == 1) * direction
        model, extent = vehicles.truck(self._seed())
        length = extent[1] * 2
        target = (
            (along + length + 1.0 - ENTRY_M) if direction > 0 else (EXIT_M - along + length + 1.0)
        )
        course = stopping_course(start_s - 2.5, target, 6.0)
        self._guest((x, direction), course, model, extent, "truck")

    def _guest(
        self,
        lane: tuple[float, int],
        course: Course,
        model: Model,
        extent: tuple[float, float],
        class_name: str,
    ) -> None:
        (x, direction), length = lane, extent[1] * 2
        self._guests.setdefault(lane, []).append((course, length, class_name))

        def place(time_s: float) -> Pose | None:
            s = course(time_s)
            return None if s is None else _lane_pose(x, direction, s, length)

        self._add(class_name, extent, lambda _: model, place, lambda _: 0)

    def _derelict(self, cue: DerelictCue) -> None:
        rng = self._rng
        model, extent = vehicles.derelict(self._seed())
        slot = self._bay_slot(cue.side, float(rng.uniform(*cue.along_m)))
        turn = rng.uniform(-0.07, 0.07) + (np.pi if rng.random() < 0.3 else 0)
        if cue.place == "footway":
            sign = _sign(cue.side)
            slot = Pose(self._layout.kerb(cue.side) + sign * 1.1, slot.y, slot.heading)
        self._busy[cue.side].append((slot.y, 3.5))
        pose = Pose(slot.x, slot.y, slot.heading + turn)
        actor = self._stand("derelict_vehicle", extent, model, pose, start_s=cue.start_s,
                            end_s=cue.end_s)  # fmt: skip
        self._event("abandoned_vehicle", actor, cue.start_s, cue.end_s)

    def _bins(self, cue: BinCue) -> None:
        rng, sign = self._rng, _sign(cue.side)
        along = float(rng.uniform(*cue.along_m))
        x = self._layout.facade(cue.side) - sign * rng.uniform(0.6, 1.2)
        if rng.random() < 0.5:
            x = self._layout.kerb(cue.side) + sign * rng.uniform(0.5, 0.8)
        for i in range(cue.count):
            running_over = cue.overflowing and (i == 0 or rng.random() < 0.4)
            model, extent = heaps.bins(self._seed(), overflowing=running_over)
            pose = Pose(x, along + i * 1.0, (0.0 if sign > 0 else np.pi) + rng.uniform(-0.2, 0.2))
            name = "overflow_bin" if running_over else "bin"
            actor = self._stand(name, extent, model, pose, start_s=cue.start_s, end_s=cue.end_s)
            self._busy[cue.side].append((pose.y, 0.8))
            if running_over:
                self._event("debris_pile", actor, cue.start_s, cue.end_s)

    def _cones(self, cue: ConesCue) -> None:
        rng, sign = self._rng, _sign(cue.side)
        along = float(rng.uniform(*cue.along_m))
        x = sign * self._layout.half - sign * rng.uniform(0.1, 0.45)
        model, extent = works.cone(self._seed())
        for i in range(cue.count):
            pose = Pose(x + rng.uniform(-0.15, 0.15), along + i * rng.uniform(1.6, 2.6))
            self._stand("traffic_cone", extent, model, pose, start_s=cue.start_s, end_s=cue.end_s)

    def _gap(self, cue: GapCue) -> None:
        if self._layout.site is None:
            return
        along = float(self._rng.uniform(*cue.along_m))
        first = int(np.clip((along - self._layout.hoarding_from) / PANEL_M, 1,
                            self._layout.hoarding_panels - 2 - cue.panels))  # fmt: skip
        for k in range(first, first + cue.panels):
            self._gaps[k] = (cue.start_s or 0.0, cue.end_s if cue.end_s is not None else np.inf)

    def _hoarding(self) -> None:
        rng, layout = self._rng, self._layout
        side = layout.site
        assert side is not None
        style = self._preset.street.hoarding
        if style == "any":
            style = works.HOARDINGS[int(rng.integers(len(works.HOARDINGS)))]  # type: ignore[assignment]
        height, tone = float(rng.uniform(1.9, 2.6)), float(rng.uniform(0.8, 1.2))
        heading = 0.0 if side == "right" else np.pi
        missing: dict[tuple[float, float], list[int]] = {}
        for k in range(layout.hoarding_panels):
            y = layout.hoarding_from + (k + 0.5) * PANEL_M
            pose = Pose(hoarding_x(layout), y, heading)
            model = works.panel(self._seed(), style, PANEL_M * 0.985, height, tone=tone)
            span = self._gaps.get(k)

            def place(time_s: float, pose: Pose = pose, span: tuple[float, float] | None = span,
                      ) -> Pose | None:  # fmt: skip
                return None if span is not None and span[0] <= time_s < span[1] else pose

            def form(_: float, model: Model = model) -> Model:
                return model

            actor = self._add("hoarding", (0.12, PANEL_M / 2), form, place, lambda _: 0, panel=k)
            if span is None:
                continue
            missing.setdefault(span, []).append(actor.id)
            if span[0] > 0:
                flat = works.panel(
                    self._seed(), style, PANEL_M * 0.985, height, tone=tone, fallen=True
                )
                end = None if np.isinf(span[1]) else span[1]
                self._stand(None, (height, PANEL_M / 2), flat, pose, start_s=span[0], end_s=end)
        for (start, end_s), ids in missing.items():
            end = None if np.isinf(end_s) else end_s
            self._events.append(PlannedEvent("hoarding_missing", tuple(ids), start, end))

    def _inside(self, depth_m: tuple[float, float], along_m: tuple[float, float]) -> Pose:
        """A free spot behind the hoarding (without a site, beyond the right facade)."""
        rng, layout = self._rng, self._layout
        edge = layout.facade("right") if layout.site is None else hoarding_x(layout)
        sign = 1 if layout.site is None else _sign(layout.site)
        for _ in range(12):
            x = edge + sign * float(rng.uniform(*depth_m))
            y = float(rng.uniform(*along_m))
            if all(np.hypot(x - a, y - b) > 7.5 for a, b in self._inside_taken):
                break
        self._inside_taken.append((x, y))
        return Pose(x, y, float(rng.uniform(0, 6.3)))

    def _machine(self, cue: MachineCue) -> None:
        pose = self._inside(cue.depth_m, cue.along_m)
        key = int(self._rng.integers(2**31))
        phase, pace = self._rng.uniform(0, 6.3), self._rng.uniform(0.25, 0.5)
        if cue.what == "excavator":
            _, extent = works.excavator(np.random.default_rng(key))

            def digging(time_s: float) -> Model:
                tick = round(time_s * 10) / 10
                swing = 1.3 * np.sin(pace * tick + phase)
                reach = 0.5 + 0.5 * np.sin(2 * pace * tick + phase)
                return works.excavator(np.random.default_rng(key), swing, reach)[0]

            self._add("construction_machine", extent, digging, lambda _: pose,
                      lambda t: round(t * 10))  # fmt: skip
            return
        _, extent = works.loader(np.random.default_rng(key))
        c, s = np.cos(pose.heading), np.sin(pose.heading)

        def shuttle(time_s: float) -> Pose:
            go = 3 * np.sin(pace * 0.8 * time_s + phase)
            return Pose(pose.x + go * s, pose.y + go * c, pose.heading)

        self._add(
            "construction_machine", extent,
            lambda t: works.loader(np.random.default_rng(key), 0.5 + 0.5 * np.sin(pace * t))[0],
            shuttle, None,
        )  # fmt: skip

    def _crane(self, cue: CraneCue) -> None:
        pose = replace(self._inside(cue.depth_m, cue.along_m), heading=0.0)
        model = works.crane(self._seed(), float(self._rng.uniform(0, 6.3)))
        self._stand("crane", (1.2, 1.2), model, pose)

    def _muck_truck(self, cue: MuckTruckCue) -> None:
        model, extent = vehicles.muck_truck(self._seed())
        if cue.standing:
            self._stand("muck_truck", extent, model, self._inside(cue.depth_m, cue.along_m))
            return
        direction = 1 if cue.side == "right" else -1
        x = next(c for c, d in self._layout.lane_centres() if d == direction)
        start = cue.start_s or 0.0
        speed = 6.5

        def course(time_s: float) -> float | None:
            s = (time_s - start) * speed + (10 if direction > 0 else 70)
            return s if 0 <= s <= EXIT_M - ENTRY_M else None

        self._guest((x, direction), course, model, extent, "muck_truck")

    def _plume(self, cue: PlumeCue) -> None:
        rng = self._rng
        pose = self._inside(cue.depth_m, cue.along_m)
        if self._layout.site is None:
            pose = replace(pose, x=self._layout.kerb(cue.side))
        start = cue.start_s or -6.0
        end = cue.end_s if cue.end_s is not None else self._preset.duration_s
        dust = cue.what == "dust"
        tone = rng.uniform(0.85, 1.08)
        colour = np.array([165, 185, 200] if dust else [95, 95, 95]) * tone
        if not dust and rng.random() < 0.4:
            colour = np.array([205, 205, 205]) * tone
        angle = rng.uniform(0, 6.3)
        speed = rng.uniform(0.3, 1.4)
        plume = Plume(
            pose.x, pose.y, 0.6, start, end,
            (float(speed * np.cos(angle)), float(speed * np.sin(angle))),
            rise=float(rng.uniform(0.35, 0.8) if dust else rng.uniform(1.1, 2.2)),
            growth=float(rng.uniform(0.55, 0.95) if dust else rng.uniform(0.3, 0.5)),
            strength=float(rng.uniform(*cue.strength)),
            colour=(float(colour[0]), float(colour[1]), float(colour[2])),
            rate=7.0, life_s=float(rng.uniform(6, 9)), seed=int(rng.integers(2**31)),
        )  # fmt: skip
        actor = self._add(
            "construction_dust" if dust else "smoke", (1.5, 1.5), None, lambda _: pose, None,
            plume=plume,
        )  # fmt: skip
        if dust:
            gone = end + plume.life_s * 0.7
            self._event(
                "construction_dust",
                actor,
                cue.start_s,
                gone if gone < self._preset.duration_s else None,
            )

    def _site_scenery(self) -> None:
        rng = self._rng
        for _ in range(int(rng.integers(1, 4))):
            pose = self._inside((5, 26), (10, 55))
            size = rng.uniform(5, 13)
            model = works.spoil(
                self._seed(), size, size * rng.uniform(0.7, 1.4), rng.uniform(1.2, 3.4)
            )
            self._stand(None, (size / 2, size / 2), model, pose, soil=True)
        if rng.random() < 0.75:
            pose = replace(self._inside((28, 45), (25, 70)), heading=0.0)
            wide, long = rng.uniform(14, 22), rng.uniform(18, 34)
            model = scenery.shell_building(self._seed(), wide, long, rng.uniform(10, 32))
            self._stand(None, (wide / 2, long / 2), model, pose)
        for _ in range(int(rng.integers(1, 4))):
            pose = self._inside((3, 14), (10, 40))
            look = people.dress(self._seed(), worker=True)
            self._stand("person", (0.3, 0.3), people.person(look), pose)

    def _parked(self) -> None:
        rng = self._rng
        sides: tuple[Side, Side] = ("left", "right")
        for side in sides:
            if not self._layout.has_bays(side):
                continue
            for slot in range(15):
                if slot in self._taken[side] or rng.random() > self._preset.traffic.parked_share:
                    continue
                pose = self._bay_slot(side, (slot + 0.5) * BAY_LENGTH_M)
                model, extent = vehicles.car(self._seed())
                if extent[1] > BAY_LENGTH_M / 2 - 0.1:
                    continue
                turn = np.pi if rng.random() < 0.1 else 0.0
                spot = Pose(pose.x, pose.y + rng.uniform(-0.25, 0.25),
                            pose.heading + turn + rng.normal(0, 0.02))  # fmt: skip
                self._stand("car", extent, model, spot)
            if rng.random() < 0.5:
                self._parked_bikes(side)

    def _parked_bikes(self, side: Side) -> None:
        rng, sign = self._rng, _sign(side)
        start = rng.uniform(12, 40)
        x = self._layout.facade(side) - sign * rng.uniform(0.8, 1.1)
        for i in range(int(rng.integers(2, 7))):
            bike = rng.random() < 0.5
            model, extent, _ = (people.bicycle if bike else people.motorcycle)(self._seed())
            heading = sign * np.pi / 2 + rng.normal(0, 0.12)
            pose = Pose(x, start + i * 0.8, heading)
            self._stand("bicycle" if bike else "motorcycle", extent[::-1], model, pose)
        self._busy[side].append((start + 2, 3.0))

    def _greenery(self) -> None:
        rng, layout = self._rng, self._layout
        sides: tuple[Side, Side] = ("left", "right")
        for side in sides:
            sign = _sign(side)
            kerb = layout.kerb(side)
            for y in np.arange(rng.uniform(14, 20), 110, rng.uniform(7, 10)):
                if any(abs(y - at) < reach + 0.5 for at, reach in self._busy[side] if y < 45):
                    continue
                if rng.random() < self._preset.street.trees:
                    model = partial(scenery.tree, self._seed(), rng.uniform(4.5, 8.5))
                    pose = Pose(kerb + sign * 0.9, float(y) + rng.uniform(-0.5, 0.5))
                    self._stand(None, (0.3, 0.3), model, pose)
            for y in np.arange(rng.uniform(-18, -4), 120, 28):
                post = partial(scenery.lamp_post, self._seed(), -sign)
                lamp = self._stand(None, (0.15, 0.15), post, Pose(kerb + sign * 0.5, float(y)))
                self._actors[-1] = replace(lamp, lights_street=True)
            backing = self._preset.street.left if side == "left" else self._preset.street.right
            if backing in ("trees", "wall"):
                for y in np.arange(rng.uniform(6, 12), 120, rng.uniform(4, 7)):
                    model = partial(scenery.tree, self._seed(), rng.uniform(6, 12))
                    x = layout.facade(side) + sign * rng.uniform(2.5, 7)
                    self._stand(None, (0.4, 0.4), model, Pose(x, float(y)))
        if layout.crossing_m is not None:
            red = self._preset.street.red_s
            at = layout.crossing_m + 5
            for side in sides:
                sign = _sign(side)
                models = {on: scenery.signal(-sign, red=on) for on in (True, False)}

                def is_red(time_s: float) -> bool:
                    return any(a <= time_s < b for a, b in red)

                def head(time_s: float, models: dict[bool, Model] = models) -> Model:
                    return models[is_red(time_s)]

                spot = Pose(layout.kerb(side) + sign * 0.4, at)

                def stand(_: float, spot: Pose = spot) -> Pose:
                    return spot

                self._add(None, (0.2, 0.2), head, stand, is_red)

    def _traffic(self) -> None:
        rng, layout, plan = self._rng, self._layout, self._preset.traffic
        duration = self._preset.duration_s
        lanes = layout.lane_centres()
        per_lane = float(rng.uniform(*plan.vehicles_per_min)) / len(lanes)
        lengths = {"car": 4.7, "bus": 12.2, "truck": 8.5}

        def draw_kind(r: Rng) -> tuple[str, float]:
            u = r.random()
            if u < plan.bus_share:
                return "bus", lengths["bus"]
            if u < plan.bus_share + plan.truck_share:
                return "truck", lengths["truck"]
            return "car", lengths["car"]

        speed = float(rng.uniform(7, 12))
        for x, direction in lanes:
            guests = tuple((c, n) for c, n, _ in self._guests.get((x, direction), []))
            runs = follow(self._seed(), duration, per_lane, draw_kind, speed=speed,
                          stops=self._stops(direction), guests=guests)  # fmt: skip
            for run in runs:
                self._drive(run, x, direction)
        cycles = float(rng.uniform(*plan.cycles_per_min)) / 2
        for direction in (1, -1):
            edge = layout.half - (layout.cycle_m / 2 if layout.cycle_m > 0.5 else 0.5)
            runs = follow(self._seed(), duration, cycles,
                          lambda r: ("motorcycle" if r.random() < 0.6 else "bicycle", 1.9),
                          speed=5.0, stops=self._stops(direction))  # fmt: skip
            for run in runs:
                self._ride(run, edge * direction, direction)

    def _stops(self, direction: int) -> tuple[tuple[float, float, float], ...]:
        at = self._layout.crossing_m
        if at is None:
            return ()
        s = at - 1.8 - ENTRY_M if direction > 0 else EXIT_M - (at + 5.8)
        return tuple((s, a, b) for a, b in self._preset.street.red_s)

    def _drive(self, run: Run, x: float, direction: int) -> None:
        make = {"car": vehicles.car, "bus": vehicles.bus, "truck": vehicles.truck}[run.kind]
        model, extent = make(self._seed())
        lane_x = x + self._rng.uniform(-0.25, 0.25)

        def place(time_s: float) -> Pose | None:
            s = run.at(time_s)
            return None if s is None else _lane_pose(lane_x, direction, s, run.length)

        self._add(run.kind, extent, lambda _: model, place, lambda _: 0)

    def _ride(self, run: Run, x: float, direction: int) -> None:
        maker = people.bicycle if run.kind == "bicycle" else people.motorcycle
        model, extent, saddle = maker(self._seed())
        rider = people.person(people.dress(self._seed()), seated=True)
        lane_x = x + self._rng.uniform(-0.25, 0.25)

        def place(time_s: float) -> Pose | None:
            s = run.at(time_s)
            return None if s is None else _lane_pose(lane_x, direction, s, run.length)

        def seat(time_s: float) -> Pose | None:
            at = place(time_s)
            return None if at is None else replace(at, z=saddle, y=at.y - 0.2 * direction)

        self._add(run.kind, extent, lambda _: model, place, lambda _: 0)
        self._add("person", extent, lambda _: rider, seat, lambda _: 0)

    def _walkers(self) -> None:
        rng, layout = self._rng, self._layout
        sides: tuple[Side, Side] = ("left", "right")
        for _ in range(int(rng.integers(int(self._preset.traffic.people[0]),
                                        int(self._preset.traffic.people[1]) + 1))):  # fmt: skip
            side = sides[int(rng.random() < 0.5)]
            sign = _sign(side)
            look = people.dress(self._seed())
            base = layout.kerb(side) + sign * rng.uniform(0.5, 0.85) * layout.footway_m
            first, pace = rng.uniform(-5, 70), rng.uniform(0.9, 1.6) * rng.choice([-1, 1])
            phase = rng.uniform(0, 6.3)
            if layout.crossing_m is not None and rng.random() < 0.35 and self._preset.street.red_s:
                self._crosser(look, side, abs(pace), phase)
                continue

            def place(time_s: float, first: float = first, pace: float = pace, base: float = base,
                      phase: float = phase) -> Pose:  # fmt: skip
                y = (first + pace * time_s + 15) % 110 - 15
                x = base + 0.15 * np.sin(time_s * 0.4 + phase)
                return Pose(x, y, 0.0 if pace > 0 else np.pi)

            def walk(time_s: float, look: people.Look = look, pace: float = pace,
                     phase: float = phase) -> Model:  # fmt: skip
                return people.person(
                    look, time_s * abs(pace) * 4.2 + phase, stride=min(1, abs(pace) / 1.4)
                )

            self._add("person", (0.3, 0.35), walk, place, None)

    def _crosser(self, look: people.Look, side: Side, pace: float, phase: float) -> None:
        layout, sign = self._layout, _sign(side)
        at = layout.crossing_m
        assert at is not None
        red, green = self._preset.street.red_s[
            int(self._rng.integers(len(self._preset.street.red_s)))
        ]
        start = self._rng.uniform(red + 1, max(red + 1.5, green - 9))
        y = at + self._rng.uniform(0.6, 3.4)
        begin = layout.kerb(side) + sign * 1.0
        width = layout.kerb("right") - layout.kerb("left") + 2

        def place(time_s: float) -> Pose:
            gone = float(np.clip((time_s - start) * pace, 0, width))
            return Pose(begin - sign * gone, y, -sign * np.pi / 2)

        def walk(time_s: float) -> Model:
            moving = 0 < (time_s - start) * pace < width
            return people.person(look, time_s * pace * 4.2 + phase, stride=0.9 if moving else 0.0)

        self._add("person", (0.35, 0.3), walk, place, None)


def _lane_pose(x: float, direction: int, travelled: float, length: float) -> Pose:
    middle = travelled - length / 2
    if direction > 0:
        return Pose(x, ENTRY_M + middle, 0.0)
    return Pose(x, EXIT_M - middle, np.pi)
