"""What several scores of one thing, from looks apart in time, say together."""

from __future__ import annotations

from collections.abc import Collection

TRIMMED_FROM = 4
"""From so many scores on, the lowest and the highest are left out."""


def robust_mean(scores: Collection[float]) -> float | None:
    """Trimmed mean: one look through a passer-by or a glare does not decide.

    Args:
        scores: In any order.

    Returns:
        The mean, from four scores on without the lowest and the highest; ``None`` of none.
    """
    if not scores:
        return None
    kept = sorted(scores)[1:-1] if len(scores) >= TRIMMED_FROM else sorted(scores)
    return sum(kept) / len(kept)
