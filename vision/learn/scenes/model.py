"""Coloured solids in local metres from which every thing is put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Colour = tuple[float, float, float]
"""BGR, 0..255."""


@dataclass(frozen=True, eq=False)
class Lamp:
    """A light that shines at night: place, colour, radius in metres, direction or ``None``."""

    place: Array
    colour: Colour
    radius_m: float
    beam: Array | None = None


@dataclass(frozen=True, eq=False)
class Finish:
    """How the surface of a thing looks beyond its colours.

    Attributes:
        grain: Strength of the fine noise over the picture of the thing.
        dirt: Colour that blotches are blended towards.
        dirt_share: 0 clean .. 1 wholly covered.
        fray: 0 smooth outline .. 1 leafy, torn outline.
    """

    grain: float = 0.06
    dirt: Colour = (120.0, 135.0, 145.0)
    dirt_share: float = 0.0
    fray: float = 0.0


@dataclass(frozen=True, eq=False)
class Model:
    """Faces and round strokes in metres; x right, y forward, z up, origin on the ground.

    Attributes:
        corners: ``(f, 4, 3)`` corners of quads; triangles repeat the last corner.
        colours: ``(f, 3)`` BGR 0..255.
        gloss: ``(f,)`` 0 matt .. 1 mirror of the sky.
        bias: ``(f,)`` metres by which a face is sorted nearer, for decals.
        one_sided: ``(f,)`` whether a face is seen from outside only.
        ends: ``(s, 2, 3)`` ends of the strokes.
        stroke_radius: ``(s,)`` metres.
        stroke_colours: ``(s, 3)`` BGR 0..255.
        stroke_bias: ``(s,)`` metres.
        hulls: Point sets whose ground shadow is their convex hull.
        lamps: Lights.
        finish: Surface.
    """

    corners: Array
    colours: Array
    gloss: Array
    bias: Array
    one_sided: NDArray[np.bool_]
    ends: Array
    stroke_radius: Array
    stroke_colours: Array
    stroke_bias: Array
    hulls: tuple[Array, ...]
    lamps: tuple[Lamp, ...]
    finish: Finish


def shade(colour: Colour, factor: float) -> Colour:
    """Darken (below 1) or lighten (above 1) a colour."""
    b, g, r = (min(255.0, c * factor) for c in colour)
    return (b, g, r)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Blend ``a`` towards ``b``."""
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


@dataclass(eq=False)
class Builder:
    """Collects solids; :meth:`done` gives the model."""

    finish: Finish = field(default_factory=Finish)
    _corners: list[Array] = field(default_factory=list)
    _middles: list[Array] = field(default_factory=list)
    _colours: list[Array] = field(default_factory=list)
    _gloss: list[Array] = field(default_factory=list)
    _bias: list[Array] = field(default_factory=list)
    _one_sided: list[NDArray[np.bool_]] = field(default_factory=list)
    _strokes: list[tuple[Array, float, Colour, float]] = field(default_factory=list)
    _ball_sets: list[tuple[Array, Array, Array]] = field(default_factory=list)
    _hulls: list[Array] = field(default_factory=list)
    _lamps: list[Lamp] = field(default_factory=list)

    def faces(
        self,
        corners: Array,
        colours: Array | Colour,
        *,
        gloss: float = 0.0,
        bias: float = 0.0,
        middle: Array | None = None,
        casts: bool = True,
    ) -> None:
        """Add quads ``(f, 4, 3)``.

        With ``middle`` given they are turned outward from it and hidden from behind.
        """
        corners = np.asarray(corners, float)
        n = len(corners)
        self._corners.append(corners)
        middles = np.zeros((n, 3))
        if middle is not None:
            middles[:] = middle
        paint = np.empty((n, 3))
        paint[:] = colours
        self._middles.append(middles)
        self._colours.append(paint)
        self._gloss.append(np.full(n, gloss))
        self._bias.append(np.full(n, bias))
        self._one_sided.append(np.full(n, middle is not None))
        if casts:
            self._hulls.append(corners.reshape(-1, 3))

    def box(
        self,
        centre: Sequence[float],
        size: Sequence[float],
        colour: Colour,
        *,
        turn: float = 0.0,
        tilt: float = 0.0,
        taper: float = 1.0,
        gloss: float = 0.0,
        bias: float = 0.0,
        casts: bool = True,
    ) -> None:
        """Add a box.

        Args:
            centre: Middle of its underside.
            size: Along x, y and z.
            colour: Colour of all sides.
            turn: Heading in radians.
            tilt: Radians about its own x axis, before the turn.
            taper: Scale of the top.
            gloss: 0 matt .. 1 mirror.
            bias: Metres by which it is sorted nearer.
            casts: Whether it casts a shadow.
        """
        sx, sy, sz = (s / 2 for s in size)
        base = np.array([[-sx, -sy, 0], [sx, -sy, 0], [sx, sy, 0], [-sx, sy, 0]], float)
        top = base * [taper, taper, 1] + [0, 0, 2 * sz]
        points = np.concatenate([base, top])
        ct, st = np.cos(tilt), np.sin(tilt)
        points = points @ np.array([[1, 0, 0], [0, ct, st], [0, -st, ct]])
        points = points @ _turn(turn) + np.asarray(centre, float)
        order = [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
        self.faces(
            points[order], colour, gloss=gloss, bias=bias, middle=points.mean(axis=0), casts=casts
        )

    def loft(
        self,
        rings: Array,
        colours: Array | Colour,
        *,
        gloss: float = 0.0,
        caps: bool = True,
        bias: float = 0.0,
    ) -> None:
        """Add the skin over rings ``(k, n, 3)``; colours may be ``(k - 1, n, 3)``."""
        k, n, _ = rings.shape
        following = np.roll(rings, -1, axis=1)
        quads = np.stack([rings[:-1], following[:-1], following[1:], rings[1:]], axis=2)
        paint = np.broadcast_to(np.asarray(colours, float), (k - 1, n, 3)).reshape(-1, 3)
        skin = quads.reshape(-1, 4, 3)
        # Each stretch is turned outward from its own axis: a long body is not star-shaped.
        axis = (rings[:-1].mean(axis=1) + rings[1:].mean(axis=1)) / 2
        self.faces(
            skin, paint, gloss=gloss, bias=bias, middle=np.repeat(axis, n, axis=0), casts=False
        )
        if caps:
            for ring, row in ((rings[0], 0), (rings[-1], k - 2)):
                fan = np.stack(
                    [
                        np.array([ring[0], ring[i], ring[i + 1], ring[i + 1]])
                        for i in range(1, n - 1)
                    ]
                )
                self.faces(
                    fan,
                    paint[row * n],
                    gloss=gloss * 0.4,
                    bias=bias,
                    middle=rings.mean(axis=(0, 1)),
                    casts=False,
                )
        self._hulls.append(rings.reshape(-1, 3))

    def disc(
        self,
        centre: Sequence[float],
        normal_x: float,
        radius: float,
        colour: Colour,
        *,
        bias: float = 0.0,
        sides: int = 14,
    ) -> None:
        """Add a disc facing left (``normal_x`` -1) or right (+1)."""
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        ring = np.stack([np.zeros(sides), np.cos(angle), np.sin(angle)], axis=1) * radius
        ring += np.asarray(centre, float)
        step = np.arange(1, sides - 1, 2)
        fan = ring[np.stack([0 * step, step, step + 1, np.minimum(step + 2, sides - 1)], axis=1)]
        inside = np.asarray(centre, float) - [normal_x, 0, 0]
        self.faces(fan, colour, bias=bias, middle=inside, casts=False)

    def wheel(
        self, x: float, y: float, radius: float, width: float, *, hub: Colour, detail: bool = True
    ) -> None:
        """Add a wheel standing on the ground whose outer side is at ``x``."""
        side = 1.0 if x > 0 else -1.0
        tyre: Colour = (32.0, 32.0, 34.0)
        if detail:
            angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            ring = np.stack([np.zeros(12), np.cos(angle), np.sin(angle)], axis=1) * radius
            ring += [x, y, radius]
            inner = ring - [side * width, 0, 0]
            self.loft(np.stack([inner, ring]), tyre, caps=False)
        self.disc((x + side * 0.01, y, radius), side, radius, tyre, bias=0.25)
        self.disc((x + side * 0.02, y, radius), side, radius * 0.62, hub, bias=0.3, sides=12)
        self.disc(
            (x + side * 0.03, y, radius), side, radius * 0.2, shade(hub, 0.5), bias=0.35, sides=8
        )

    def stroke(
        self,
        start: Sequence[float] | Array,
        end: Sequence[float] | Array,
        radius: float,
        colour: Colour,
        *,
        bias: float = 0.0,
    ) -> None:
        """Add a round bar; start equal to end gives a ball."""
        self._strokes.append((np.array([start, end], float), radius, colour, bias))

    def balls(self, centres: Array, radii: Array, colours: Array) -> None:
        """Add balls at once: ``(n, 3)`` centres, ``(n,)`` radii, ``(n, 3)`` colours."""
        self._ball_sets.append((centres, radii, colours))

    def ball(
        self, centre: Sequence[float], radius: float, colour: Colour, *, bias: float = 0.0
    ) -> None:
        """Add a ball."""
        self.stroke(centre, centre, radius, colour, bias=bias)

    def lump(
        self,
        rng: np.random.Generator,
        centre: Sequence[float],
        size: Sequence[float],
        colour: Colour,
        *,
        rough: float = 0.25,
        sides: int = 8,
        gloss: float = 0.0,
        bias: float = 0.0,
    ) -> None:
        """Add an uneven round lump standing on ``centre``: stones, bags, soil."""
        heights = np.array([0.0, 0.28, 0.62, 0.9, 1.0])
        widths = np.array([0.86, 1.0, 0.85, 0.5, 0.08])
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False) + rng.uniform(0, 1)
        wobble = 1 + rng.uniform(-rough, rough, (5, sides))
        rings = np.empty((5, sides, 3))
        rings[..., 0] = np.cos(angle) * widths[:, None] * wobble * size[0] / 2
        rings[..., 1] = np.sin(angle) * widths[:, None] * wobble * size[1] / 2
        rings[..., 2] = heights[:, None] * size[2]
        rings[1:4, :, 2] += rng.uniform(-rough, rough, (3, sides)) * size[2] * 0.25
        rings += np.asarray(centre, float)
        paint = np.clip(np.asarray(colour) * rng.uniform(0.88, 1.1, (4, sides, 1)), 0, 255)
        self.loft(rings, paint, caps=False, gloss=gloss, bias=bias)

    def lamp(
        self,
        place: Sequence[float],
        colour: Colour,
        radius_m: float,
        beam: Sequence[float] | None = None,
    ) -> None:
        """Add a light that shines at night."""
        self._lamps.append(
            Lamp(
                np.asarray(place, float),
                colour,
                radius_m,
                None if beam is None else np.asarray(beam, float),
            )
        )

    def shadow_of(self, points: Array) -> None:
        """Let the hull of points ``(n, 3)`` cast a shadow although they are drawn as strokes."""
        self._hulls.append(np.asarray(points, float))

    def done(self, *, roll: float = 0.0, pitch: float = 0.0, sink: float = 0.0) -> Model:
        """The model, leaning by ``roll`` and ``pitch`` (radians) and sunk by metres."""
        cr, sr, cp, sp = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch)
        lean = np.array([[cr, 0, sr], [0, 1, 0], [-sr, 0, cr]]) @ np.array(
            [[1, 0, 0], [0, cp, sp], [0, -sp, cp]]
        )
        down = np.array([0, 0, -sink])

        def laid(points: Array) -> Array:
            return points @ lean + down if roll or pitch or sink else points

        corners = np.concatenate([np.empty((0, 4, 3)), *self._corners])
        one_sided = np.concatenate([np.empty(0, bool), *self._one_sided])
        outward = corners.mean(axis=1) - np.concatenate([np.empty((0, 3)), *self._middles])
        inward = (face_normals(corners) * outward).sum(axis=1) < 0
        corners = np.where((inward & one_sided)[:, None, None], corners[:, ::-1], corners)
        strokes = np.array([s[0] for s in self._strokes]).reshape(-1, 2, 3)
        balls = self._ball_sets
        return Model(
            corners=laid(corners),
            colours=np.concatenate([np.empty((0, 3)), *self._colours]),
            gloss=np.concatenate([np.empty(0), *self._gloss]),
            bias=np.concatenate([np.empty(0), *self._bias]),
            one_sided=one_sided,
            ends=laid(np.concatenate([strokes, *(np.stack([b[0]] * 2, 1) for b in balls)])),
            stroke_radius=np.concatenate([[s[1] for s in self._strokes], *(b[1] for b in balls)]),
            stroke_colours=np.concatenate(
                [np.array([s[2] for s in self._strokes]).reshape(-1, 3), *(b[2] for b in balls)]
            ),
            stroke_bias=np.concatenate(
                [[s[3] for s in self._strokes], *(np.zeros(len(b[1])) for b in balls)]
            ),
            hulls=tuple(laid(h) for h in self._hulls),
            lamps=tuple(self._lamps),
            finish=self.finish,
        )


def _turn(angle: float) -> Array:
    """Right-multiplied rotation: heading 0 looks along +y, positive turns towards +x."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def face_normals(corners: Array) -> Array:
    """Normals ``(f, 3)`` of quads ``(f, 4, 3)``, of the length of twice their area."""
    a, b = corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        axis=1,
    )


def placed(points: Array, x: float, y: float, heading: float, z: float = 0.0) -> Array:
    """Local points ``(..., 3)`` in world metres."""
    return np.asarray(points @ _turn(heading) + np.array([x, y, z]))
