"""ETags of what has a version, and requests that hold only for one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from service.api.problem import Problem

IfMatch = Annotated[
    str | None,
    Header(description="ETag of the version that was read: the change holds for no other"),
]
IfNoneMatch = Annotated[str | None, Header(description="ETag that is known: 304 if it still holds")]


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def require_match(if_match: str | None, version: int) -> None:
    """Refuse a change of another version than the one that was read.

    Raises:
        Problem: 428 without ``If-Match``, 412 if it names another version.
    """
    if if_match is None:
        raise Problem(428, "precondition_required", "send If-Match with the ETag that was read")
    if not _names(if_match, version):
        raise Problem(
            412,
            "changed_meanwhile",
            "someone changed it meanwhile: read it again",
            headers={"etag": etag(version)},
        )


def is_known(if_none_match: str | None, version: int) -> bool:
    """Whether a client has this version already."""
    return if_none_match is not None and _names(if_none_match.replace("W/", ""), version)


def _names(header: str, version: int) -> bool:
    return etag(version) in [one.strip() for one in header.split(",")] or header.strip() == "*"
