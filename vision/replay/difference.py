"""What a replay changed: violations that appeared, vanished, changed, or stayed as they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vision.observe.boxes import iou
from vision.record import ViolationRecord
from vision.score.events import Event, Matching, Raised, best_pairs

SAME_PLACE_IOU = 0.5
SAME_BOX_IOU = 0.95
SAME_S = 0.0015
"""Times are kept to the millisecond."""

_TIMES = ("start_s", "end_s")
_WORDS = ("zone_id", "signs", "confidence")


@dataclass(frozen=True)
class Pair:
    """One violation before and after.

    Attributes:
        old: In the old run.
        new: In the replay.
    """

    old: ViolationRecord
    new: ViolationRecord

    @property
    def changes(self) -> dict[str, tuple[Any, Any]]:
        """Old and new value of what differs: start, end, zone, signs, confidence or box."""
        changed = {}
        for name in _TIMES:
            before, after = getattr(self.old, name), getattr(self.new, name)
            if (before is None) != (after is None) or (
                before is not None and abs(before - after) > SAME_S
            ):
                changed[name] = (before, after)
        for name in _WORDS:
            before, after = getattr(self.old, name), getattr(self.new, name)
            if before != after:
                changed[name] = (before, after)
        if iou(self.old.box, self.new.box) < SAME_BOX_IOU:
            changed["box"] = (self.old.box, self.new.box)
        return changed


@dataclass(frozen=True)
class Diff:
    """All violations of a recording, or of a run, before and after.

    Attributes:
        appeared: Only in the replay.
        vanished: Only in the old run.
        pairs: In both.
    """

    appeared: tuple[ViolationRecord, ...] = ()
    vanished: tuple[ViolationRecord, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def changed(self) -> tuple[Pair, ...]:
        """Pairs that differ."""
        return tuple(pair for pair in self.pairs if pair.changes)

    @property
    def unchanged(self) -> tuple[Pair, ...]:
        """Pairs that do not."""
        return tuple(pair for pair in self.pairs if not pair.changes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing appeared, vanished or changed."""
        return not (self.appeared or self.vanished or self.changed)

    def __add__(self, other: Diff) -> Diff:
        """Both together."""
        return Diff(
            self.appeared + other.appeared,
            self.vanished + other.vanished,
            self.pairs + other.pairs,
        )


def compare(old: Sequence[ViolationRecord], new: Sequence[ViolationRecord]) -> Diff:
    """Compare the violations of one recording: by id, the rest by kind, place and time.

    Args:
        old: Violations of the old run.
        new: Violations of the replay.
    """
    by_id = {record.id: record for record in old}
    pairs = [Pair(by_id[record.id], record) for record in new if record.id in by_id]
    same = {pair.new.id for pair in pairs}
    left = [record for record in old if record.id not in same]
    came = [record for record in new if record.id not in same]
    matched = best_pairs(
        [_raised(record) for record in came], [_event(record) for record in left], Matching()
    )
    pairs += [Pair(left[j], came[i]) for i, j in matched]
    found, kept = {i for i, _ in matched}, {j for _, j in matched}
    return Diff(
        appeared=tuple(record for i, record in enumerate(came) if i not in found),
        vanished=tuple(record for j, record in enumerate(left) if j not in kept),
        pairs=tuple(pairs),
    )


def told_of(diff: Diff) -> dict[str, Any]:
    """What appeared, vanished and changed, JSON-able."""
    return {
        "appeared": [_told(record) for record in diff.appeared],
        "vanished": [_told(record) for record in diff.vanished],
        "changed": [
            _told(pair.new)
            | {"old_id": pair.old.id, "changes": {k: list(v) for k, v in pair.changes.items()}}
            for pair in diff.changed
        ],
    }


def _told(record: ViolationRecord) -> dict[str, Any]:
    return record.model_dump(
        mode="json",
        include={
            *("id", "kind", "camera_id", "zone_id", "box", "confidence"),
            *("start_s", "last_seen_s", "end_s", "started_at", "ended_at", "signs"),
        },
    ) | {"source": record.source.name}


def _raised(record: ViolationRecord) -> Raised:
    return Raised(record.kind, record.box, record.start_s, record.last_seen_s, record.end_s)


def _event(record: ViolationRecord) -> Event:
    end_s = record.last_seen_s if record.end_s is None else record.end_s
    return Event((record.kind,), record.start_s, end_s, record.box)
