"""State as named arrays, as ``np.savez`` takes it: parts of it go under a prefix each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

State = dict[str, NDArray[Any]]


def prefixed(prefix: str, part: Mapping[str, NDArray[Any]]) -> State:
    """A part's state with the prefix before each name."""
    return {f"{prefix}{name}": array for name, array in part.items()}


def under(prefix: str, state: Mapping[str, NDArray[Any]]) -> State:
    """The part's state that was put under a prefix."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
