"""Stalls by what they are made of: seller, canopy, stand and goods that stay together.

No public model knows roadside stalls, but most know their parts. An :class:`Ensemble` is a place
at which a person stays among standing parts of enough kinds. Distances are in heights of that
person, so that near and far are judged alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from vision.observe.look import Look
from vision.observe.sighting import Box, Sighting

CANOPY, STAND, GOODS, SELLER = "canopy", "stand", "goods", "seller"

STEP = 0.5
"""A person who stays is found within so many of its heights of where one was a look earlier."""

LIFTED = 0.75
"""Goods on a table have their lower edge up to so many heights above the seller's feet."""

HUNG = 1.6
"""So has a canopy."""

BEFORE = 0.5
"""What stands before the seller reaches so many heights below the feet in the picture."""

MAX_WIDTH = 5.0
"""A part wider than so many heights is none: a bus is no canopy."""

FLICKER_S = 30.0
"""A part that was missed for no longer is still there: detections flicker."""

MAX_STEP_S = 60.0
"""Longer pauses between two looks are unknown time."""


class StallParts(BaseModel):
    """Class names by part. A class that the model lacks is simply never seen.

    Left out on purpose: bicycles, motorcycles, benches and trucks, by which people wait, rest and
    unload; backpacks and handbags, which people carry. A city whose vendors sell from tricycles
    that its model calls motorcycles adds ``motorcycle`` to ``stand``.

    Attributes:
        seller: Who stays at the stall.
        canopy: What is put up over it; only as wide as ``canopy_width`` says.
        stand: What goods lie on. The class ``street_stall`` counts here where it is seen too
            rarely to stand for itself.
        goods: What is laid out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seller: tuple[str, ...] = ("person",)
    canopy: tuple[str, ...] = ("umbrella", "canopy", "parasol", "tent")
    stand: tuple[str, ...] = ("street_stall", "table", "dining table", "cart", "tricycle")
    goods: tuple[str, ...] = (
        "debris_pile",
        "goods",
        "crate",
        "basket",
        "suitcase",
        "apple",
        "orange",
        "banana",
        "carrot",
        "broccoli",
        "cake",
        "pizza",
        "bottle",
        "cup",
        "bowl",
    )

    @property
    def standing(self) -> frozenset[str]:
        """Classes of all parts but the seller."""
        return frozenset((*self.canopy, *self.stand, *self.goods))

    def role_of(self, class_name: str) -> str | None:
        """Part that a standing thing of a class can be."""
        for role in (CANOPY, STAND, GOODS):
            if class_name in getattr(self, role):
                return role
        return None


@dataclass(frozen=True)
class _Person:
    """Someone in one look."""

    box: Box
    confidence: float

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    def near(self, other: _Person, heights: float) -> bool:
        """Whether the feet are no further apart than so many of this person's heights."""
        dx = (self.box[0] + self.box[2] - other.box[0] - other.box[2]) / 2
        dy = self.box[3] - other.box[3]
        return bool((dx * dx + dy * dy) ** 0.5 <= heights * self.height)


@dataclass
class Ensemble:
    """A place where a person stays among parts of a stall.

    Attributes:
        id: Number, unique in the stream.
        since_s: Stream time from which person and parts have been together.
        members: What each part seen together so far is, by id of its sighting.
        parts: The sightings of those parts at the last look.
        seller: The person at the last look with one.
        seller_seen_s: Stream time of that look.
        complete_s: Stream time at which enough kinds of parts were last seen.
        together_s: Seconds with enough kinds of parts, flicker bridged.
        tended_s: Seconds of them with a person who stays.
        looks_seen: Looks with parts and person.
        stood: It has been there long enough to be wrong.
        key: Key under which it is reported, once it is.
    """

    id: int
    since_s: float
    seller: _Person
    seller_seen_s: float
    complete_s: float
    members: dict[int, str] = field(default_factory=dict)
    together_s: float = 0.0
    tended_s: float = 0.0
    looks_seen: int = 0
    stood: bool = False
    key: str | None = None

    def __post_init__(self) -> None:
        """Begin without parts: they are known by their sightings, which are not handed over."""
        self.parts: dict[int, Sighting] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of parts, in one order."""
        roles = set(self.members.values())
        return tuple(role for role in (CANOPY, STAND, GOODS) if role in roles)

    def last_complete_s(self, min_kinds: int) -> float:
        """Stream time at which so many kinds of parts were last seen; before all time without."""
        seen: dict[str, float] = {}
        for number, role in self.members.items():
            seen[role] = max(seen.get(role, 0.0), self.parts[number].last_seen_s)
        latest = sorted(seen.values(), reverse=True)
        return latest[min_kinds - 1] if len(latest) >= min_kinds else float("-inf")

    @property
    def box(self) -> Box:
        """Box around seller and parts."""
        boxes = [self.seller.box, *(part.box for part in self.parts.values())]
        x1, y1, x2, y2 = zip(*boxes, strict=True)
        return min(x1), min(y1), max(x2), max(y2)

    @property
    def confidence(self) -> float:
        """Mean confidence of seller and parts, halved for two kinds: less than a class is worth."""
        given = [self.seller.confidence, *(part.confidence for part in self.parts.values())]
        return min(0.2 + 0.15 * len(self.kinds), 0.65) * sum(given) / len(given)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes of the parts, in alphabetical order."""
        return tuple(sorted({part.class_name for part in self.parts.values()}))


@dataclass(frozen=True)
class _State:
    """What :class:`Ensembles` keeps between looks."""

    open: list[Ensemble]
    people: tuple[_Person, ...]
    last_s: float | None
    pose: tuple[int, tuple[int, int]] | None
    next_id: int


_STATE = TypeAdapter(_State)


class Ensembles:
    """Follows the ensembles of one stream from look to look."""

    def __init__(
        self,
        parts: StallParts,
        *,
        min_kinds: int,
        reach: float,
        canopy_width: float,
        seller_confidence: float,
        patience_s: float,
        stands_in: Callable[[Box, Look], bool],
    ) -> None:
        """Start with none.

        Args:
            parts: Class names by part.
            min_kinds: Kinds of standing parts that make a stall, besides the seller.
            reach: A part is the seller's within so many heights to the side.
            canopy_width: A canopy is at least so many heights wide; what people carry is not.
            seller_confidence: Confidence of a person, at least.
            patience_s: An ensemble without a person, or without its parts, for longer is over.
            stands_in: Whether what stands on the ground does so where stalls are judged.
        """
        self._parts = parts
        self._min_kinds = min_kinds
        self._reach = reach
        self._canopy_width = canopy_width
        self._seller_confidence = seller_confidence
        self._patience_s = patience_s
        self._stands_in = stands_in
        self._open: list[Ensemble] = []
        self._people: tuple[_Person, ...] | Look = ()
        self._last_s: float | None = None
        self._pose: tuple[int, tuple[int, int]] | None = None
        self._next_id = 1

    def follow(self, look: Look, sightings: Sequence[Sighting]) -> list[Ensemble]:
        """Take in a healthy look.

        Args:
            look: The look.
            sightings: What stands, those that are believed only.

        Returns:
            Ensembles that are alive after it, oldest first.
        """
        if (look.pose, look.frame_size) != self._pose:
            self._pose = (look.pose, look.frame_size)
            self._open, self._people = [], ()
        step_s = 0.0 if self._last_s is None else look.time_s - self._last_s
        step_s = step_s if step_s <= MAX_STEP_S else 0.0
        self._last_s = look.time_s
        standing = {
            sighting.id: (role, sighting)
            for sighting in sightings
            if sighting.standing
            and sighting.ended_s is None
            and (role := self._parts.role_of(sighting.class_name)) is not None
            and (role != STAND or self._stands_in(sighting.box, look))
        }
        if not self._open and len({role for role, _ in standing.values()}) < self._min_kinds:
            self._people = look
            return []
        earlier, self._people = self._people_seen(), self._people_in(look)
        stay = [p for p in self._people if any(p.near(other, STEP) for other in earlier)]
        tended = self._tend(look, stay, standing)
        for ensemble in self._open:
            ensemble.members = {i: standing[i][0] for i in ensemble.members if i in standing}
            ensemble.parts = {i: standing[i][1] for i in ensemble.members}
            complete_s = ensemble.last_complete_s(self._min_kinds)
            ensemble.complete_s = max(ensemble.complete_s, complete_s)
            if look.time_s - complete_s <= FLICKER_S:
                ensemble.together_s += step_s
                if ensemble.id in tended:
                    ensemble.tended_s += step_s
                    ensemble.looks_seen += 1
        self._open = [
            ensemble
            for ensemble in self._open
            if ensemble.members
            and look.time_s - min(ensemble.seller_seen_s, ensemble.complete_s) <= self._patience_s
        ]
        return list(self._open)

    def state(self) -> dict[str, Any]:
        """What is kept between looks, in plain types; parts are known by their sightings."""
        state: dict[str, Any] = _STATE.dump_python(
            _State(self._open, self._people_seen(), self._last_s, self._pose, self._next_id),
            mode="json",
        )
        return state

    def restore(self, state: Mapping[str, Any]) -> list[Ensemble]:
        """Go on from a :meth:`state`.

        Returns:
            The ensembles that are alive, without their parts until the next look.
        """
        known = _STATE.validate_python(state)
        self._open, self._people = list(known.open), known.people
        self._last_s, self._pose, self._next_id = known.last_s, known.pose, known.next_id
        return list(self._open)

    def drop(self, ensemble: Ensemble) -> None:
        """Forget an ensemble; should it still be there it begins anew."""
        self._open = [one for one in self._open if one is not ensemble]

    def _people_seen(self) -> tuple[_Person, ...]:
        """People in the last look, worked out only when asked for: mostly no part stands."""
        if isinstance(self._people, Look):
            self._people = self._people_in(self._people)
        return self._people

    def _people_in(self, look: Look) -> tuple[_Person, ...]:
        people = (
            _Person(box, confidence)
            for box, confidence, _ in look.detections.of(self._parts.seller)
            if confidence >= self._seller_confidence
        )
        found = [p for p in people if p.height > 0 and self._stands_in(p.box, look)]
        return tuple(sorted(found, key=lambda p: (-p.confidence, p.box)))

    def _tend(
        self, look: Look, stay: Sequence[_Person], standing: dict[int, tuple[str, Sighting]]
    ) -> set[int]:
        """Give each person who stays the parts within reach; ids of ensembles with such a one."""
        tended: set[int] = set()
        for person in stay:
            near = {
                i: (role, sighting)
                for i, (role, sighting) in standing.items()
                if look.time_s - sighting.last_seen_s <= FLICKER_S
                and self._in_reach(person, role, sighting)
            }
            ensemble = next((one for one in self._open if near.keys() & one.members.keys()), None)
            if ensemble is None:
                if len({role for role, _ in near.values()}) < self._min_kinds:
                    continue
                ensemble = Ensemble(self._next_id, look.time_s, person, look.time_s, look.time_s)
                self._next_id += 1
                self._open.append(ensemble)
            ensemble.members.update({i: role for i, (role, _) in near.items()})
            if ensemble.id not in tended:
                ensemble.seller, ensemble.seller_seen_s = person, look.time_s
            tended.add(ensemble.id)
        return tended

    def _in_reach(self, person: _Person, role: str, sighting: Sighting) -> bool:
        x1, _, x2, foot = sighting.box
        h = person.height
        width = x2 - x1
        if width > MAX_WIDTH * h or (role == CANOPY and width < self._canopy_width * h):
            return False
        gap = max(x1 - person.box[2], person.box[0] - x2, 0.0)
        raised = (person.box[3] - foot) / h
        return gap <= self._reach * h and -BEFORE <= raised <= (HUNG if role == CANOPY else LIFTED)
