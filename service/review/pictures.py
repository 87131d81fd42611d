"""Pictures of a case outside its screen: masked, with the box over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.review.elements import tag
from vision.rules.kinds import KINDS


def kind_dot(kind: str) -> None:
    """A dot in the colour of a kind, beside its name."""
    colour = KINDS[kind].colour if kind in KINDS else "gray"
    tag("span", classes="jx-dot", style=f"background:{colour}", aria_hidden="true")


def first_shown(brief: dict[str, Any], roles: Sequence[str]) -> dict[str, Any] | None:
    """The first of these pieces of evidence that may be shown.

    Args:
        brief: From :func:`service.review.brief.brief_of`.
        roles: Roles of evidence, the best first.
    """
    files = (brief["evidence"].get(role) for role in roles)
    return next((file for file in files if file and file.get("url")), None)


def boxed_picture(brief: dict[str, Any], file: dict[str, Any], text: str) -> None:
    """A picture with the box of the case, which may be a smaller copy of the frame.

    Args:
        brief: From :func:`service.review.brief.brief_of`.
        file: Of its evidence.
        text: What screen readers say.
    """
    frame = brief["evidence"].get("frame") or file
    width, height = file["width"], file["frame_height"]
    across = width / frame["width"]
    down = height / frame["frame_height"]
    x1, y1, x2, y2 = brief["box"]
    with tag("div", classes="jx-look-picture"):
        tag("img", src=file["url"], alt=text)
        with tag("svg", viewBox=f"0 0 {width} {file['height']}", aria_hidden="true"):
            tag(
                "rect",
                classes="jx-box",
                x=f"{x1 * across:.1f}",
                y=f"{y1 * down:.1f}",
                width=f"{(x2 - x1) * across:.1f}",
                height=f"{(y2 - y1) * down:.1f}",
                stroke=brief["colour"],
                stroke_width=f"{max(3.0, width / 320):.1f}",
            )
