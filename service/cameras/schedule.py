"""Which camera is looked at next: one detector, shared fairly by all.

Every camera is due once in its rest interval; where something new stands or is suspected, more
often. When there is more to do than can be done, the looks that every camera is due come first, the
one that has waited longest before all others, and closer looks are shed; then all cameras are
looked at more seldom, evenly. Nothing is queued: a look that was shed is never made up for.

Pure: time comes in, nothing is looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass

from vision.frames.looks import LookPolicy


@dataclass
class _Turn:
    policy: LookPolicy
    due_s: float
    rest_due_s: float
    order: int
    is_live: bool = False
    active: bool = False
    asked_s: float | None = None
    has_arrived: bool = False


@dataclass(frozen=True)
class Shed:
    """Looks that were due and not made, because there was more to do than could be done.

    Attributes:
        rest: Looks that every camera is due.
        closer: Looks at the active pace beyond those.
    """

    rest: int = 0
    closer: int = 0


class LookSchedule:
    """Hands out looks.

    Args:
        capacity: Looks that may be under way at a time.
        patience_s: A camera that was asked for a picture holds a place for so long; one that takes
            longer waits for its next keyframe and keeps nobody else from being looked at. One at
            the active pace waits for its next keyframe anyhow.
    """

    def __init__(self, capacity: int, patience_s: float = 1.0) -> None:
        self._capacity = capacity
        self._patience_s = patience_s
        self._turns: dict[str, _Turn] = {}
        self._shed = Shed()
        self._handed_out = 0

    @property
    def shed(self) -> Shed:
        """What has been shed so far."""
        return self._shed

    def add(self, camera_id: str, policy: LookPolicy, now_s: float) -> None:
        """Have a camera looked at, once it is live."""
        self._handed_out += 1
        self._turns[camera_id] = _Turn(policy, now_s, now_s, self._handed_out)

    def remove(self, camera_id: str) -> None:
        """Look at a camera no more."""
        self._turns.pop(camera_id, None)

    def set_live(self, camera_id: str, is_live: bool, now_s: float) -> None:
        """A camera gives pictures, or none any more: what it was asked for is void then."""
        turn = self._turns.get(camera_id)
        if turn is None or turn.is_live == is_live:
            return
        turn.is_live = is_live
        turn.asked_s, turn.has_arrived = None, False
        if is_live:
            turn.due_s = turn.rest_due_s = now_s

    def is_active(self, camera_id: str) -> bool:
        """Whether a camera is looked at closely."""
        turn = self._turns.get(camera_id)
        return turn is not None and turn.active

    def due(self, now_s: float) -> list[str]:
        """Cameras to ask for a picture now; each is under way from here on."""
        free = self._capacity - sum(self._holds_place(turn, now_s) for turn in self._turns.values())
        if free <= 0:
            return []
        waiting = [
            (turn.rest_due_s > now_s, -self._lateness(turn, now_s), turn.order, name)
            for name, turn in self._turns.items()
            if turn.is_live and turn.asked_s is None and turn.due_s <= now_s
        ]
        # Of those that have waited alike, the one that had its turn first has it first again.
        chosen = [name for *_, name in sorted(waiting)[:free]]
        for name in chosen:
            self._begin(self._turns[name], now_s)
        return chosen

    def arrived(self, camera_id: str) -> bool:
        """The picture of a camera is there.

        Returns:
            Whether it is still wanted.
        """
        turn = self._turns.get(camera_id)
        if turn is None or turn.asked_s is None:
            return False
        turn.has_arrived = True
        return True

    def refused(self, camera_id: str, now_s: float) -> None:
        """A camera cannot be asked just now; it is asked again a little later."""
        turn = self._turns.get(camera_id)
        if turn is not None:
            turn.asked_s, turn.has_arrived = None, False
            turn.due_s = now_s + min(1.0, turn.policy.active_s)
            turn.rest_due_s = max(turn.rest_due_s, turn.due_s)

    def finished(self, camera_id: str, active: bool, arrived_s: float | None = None) -> None:
        """A look is done.

        Args:
            camera_id: Of which camera.
            active: Whether closer looks are wanted from now on.
            arrived_s: When its picture arrived, ``None`` where that is not known by this clock. A
                closer look counts from it: one that lay there for a while, or shows what came some
                while ago, is followed by one at the next keyframe.
        """
        turn = self._turns.get(camera_id)
        if turn is None or turn.asked_s is None:
            return
        turn.due_s = turn.policy.next_s(turn.asked_s, active)
        if active and arrived_s is not None:
            next_s = turn.policy.next_s(arrived_s, active)
            turn.due_s = max(turn.asked_s, min(turn.due_s, next_s))
        turn.rest_due_s = turn.policy.next_s(turn.asked_s, active=False)
        turn.active = active
        turn.asked_s, turn.has_arrived = None, False

    def _begin(self, turn: _Turn, now_s: float) -> None:
        """Hand out a look, and count those that should have been before it."""
        rest = int(max(0.0, now_s - turn.rest_due_s) // turn.policy.rest_s)
        closer = 0
        if turn.active:
            late = int(max(0.0, now_s - turn.due_s) // turn.policy.active_s)
            closer = max(0, late - rest)
        self._shed = Shed(self._shed.rest + rest, self._shed.closer + closer)
        turn.asked_s = now_s
        turn.has_arrived = False
        self._handed_out += 1
        turn.order = self._handed_out

    def _holds_place(self, turn: _Turn, now_s: float) -> bool:
        if turn.asked_s is None:
            return False
        waits = turn.active or now_s - turn.asked_s >= self._patience_s
        return turn.has_arrived or not waits

    def _lateness(self, turn: _Turn, now_s: float) -> float:
        """How late a look is, in intervals, so that cameras of unlike intervals wait alike."""
        if turn.rest_due_s <= now_s:
            return (now_s - turn.rest_due_s) / turn.policy.rest_s
        return (now_s - turn.due_s) / turn.policy.active_s
