"""A physical thing that stands at one place in one view."""

from __future__ import annotations

from typing import NamedTuple, Protocol

Box = tuple[float, float, float, float]
"""``x1, y1, x2, y2`` in pixels of the frame."""


class Dwell(NamedTuple):
    """Ledger of the seconds since a thing was first seen, in stream time.

    Attributes:
        observed_s: Between looks that both saw it, a few in between that missed it in plain view
            left aside: detectors flicker.
        bridged_s: Hidden behind something or missed for longer, and seen again.
        unknown_s: The camera could not see (unhealthy looks, gaps in the recording).
    """

    observed_s: float = 0.0
    bridged_s: float = 0.0
    unknown_s: float = 0.0

    @property
    def total_s(self) -> float:
        """All seconds since the first look."""
        return self.observed_s + self.bridged_s + self.unknown_s

    def since(self, earlier: Dwell) -> Dwell:
        """What has been entered since the ledger stood at ``earlier``."""
        return Dwell(
            self.observed_s - earlier.observed_s,
            self.bridged_s - earlier.bridged_s,
            self.unknown_s - earlier.unknown_s,
        )

    def and_then(self, later: Dwell) -> Dwell:
        """This ledger and a later one in one."""
        return Dwell(
            self.observed_s + later.observed_s,
            self.bridged_s + later.bridged_s,
            self.unknown_s + later.unknown_s,
        )


class Sighting(Protocol):
    """One sighting as it is known after a look: a :class:`Snapshot`, or the memory's own record.

    The latter goes on changing until it has ended: whoever keeps it over the next look keeps what
    it will be then.

    Attributes:
        id: Number of the sighting, unique in its stream, rising in order of first sight.
        class_name: Class with the most votes so far.
        class_share: Share of the votes for each class seen at this place, summing to 1.
        box: Robust box of the thing: median over its recent looks.
        confidence: Mean confidence of its recent detections.
        first_seen_s: Stream time of the first look that saw it.
        last_seen_s: Stream time of the last look that saw it.
        absent_since_s: Stream time of the last look that saw it, once a clean look did not see
            it; the thing had left somewhere after it. ``None`` while it is seen.
        ended_s: Stream time at which it was given up as gone; ``None`` while it stands.
        dwell: Ledger since ``first_seen_s``.
        observed_s: Seconds of it that were observed.
        looks_seen: Number of looks with a detection of it.
        standing: It has kept its place long enough to count as standing, not passing.
        derelict: How derelict the second stage finds it, 0..1, over its latest scored looks
            (:func:`vision.observe.scores.robust_mean`); ``None`` without any.
        derelict_looks: Looks that the second stage has scored so far.
        sign_from_s: Stream time from which a further signature of how it looks is wanted.
        in_doubt: It was out of sight for so long that another thing may have come, and how it
            looks has not been compared yet.
    """

    @property
    def id(self) -> int: ...  # noqa: D102

    @property
    def class_name(self) -> str: ...  # noqa: D102

    @property
    def class_share(self) -> dict[str, float]: ...  # noqa: D102

    @property
    def box(self) -> Box: ...  # noqa: D102

    @property
    def confidence(self) -> float: ...  # noqa: D102

    @property
    def first_seen_s(self) -> float: ...  # noqa: D102

    @property
    def last_seen_s(self) -> float: ...  # noqa: D102

    @property
    def absent_since_s(self) -> float | None: ...  # noqa: D102

    @property
    def ended_s(self) -> float | None: ...  # noqa: D102

    @property
    def dwell(self) -> Dwell: ...  # noqa: D102

    @property
    def observed_s(self) -> float: ...  # noqa: D102

    @property
    def looks_seen(self) -> int: ...  # noqa: D102

    @property
    def standing(self) -> bool: ...  # noqa: D102

    @property
    def derelict(self) -> float | None: ...  # noqa: D102

    @property
    def derelict_looks(self) -> int: ...  # noqa: D102

    @property
    def sign_from_s(self) -> float: ...  # noqa: D102

    @property
    def in_doubt(self) -> bool: ...  # noqa: D102


class Snapshot(NamedTuple):
    """A :class:`Sighting` as it was after one look."""

    id: int
    class_name: str
    class_share: dict[str, float]
    box: Box
    confidence: float
    first_seen_s: float
    last_seen_s: float
    absent_since_s: float | None
    ended_s: float | None
    dwell: Dwell
    looks_seen: int
    standing: bool
    derelict: float | None = None
    derelict_looks: int = 0
    sign_from_s: float = 0.0
    in_doubt: bool = False

    @property
    def observed_s(self) -> float:
        """See :class:`Sighting`."""
        return self.dwell.observed_s
