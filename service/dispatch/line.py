"""The connection that something speaks over, open as long as that is used."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self


class OnLine:
    """A context manager that opens and closes the connection that it speaks over.

    Args:
        line: The connection.
    """

    def __init__(self, line: AbstractContextManager[Any]) -> None:
        self._line = line

    def __enter__(self) -> Self:
        self._line.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.__exit__(kind, error, trace)
