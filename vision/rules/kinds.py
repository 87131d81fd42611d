"""The violation kinds as data. A new kind is one row here and one rule module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Priority = Literal["normal", "low"]
Extent = Literal["thing", "zone"]


@dataclass(frozen=True)
class Kind:
    """A violation kind.

    Attributes:
        id: Word used in files, code and API.
        en: English name.
        zh: Chinese name.
        colour: CSS colour of boxes and badges.
        priority: ``low`` for what says only that something is amiss, not what: it is reviewed
            last, and gives way to a kind of normal priority at the same place.
        extent: What has it: a ``thing`` that stands somewhere in a zone, or the ``zone`` as a
            whole, whatever box shows it.
    """

    id: str
    en: str
    zh: str
    colour: str
    priority: Priority = "normal"
    extent: Extent = "thing"


KINDS: dict[str, Kind] = {
    kind.id: kind
    for kind in (
        Kind("abandoned_vehicle", "Abandoned vehicle", "废弃车辆", "#d9480f"),
        Kind("street_stall", "Street stall", "占道经营", "#9c36b5"),
        Kind("debris_pile", "Debris pile", "乱堆物料", "#a06000"),
        Kind("construction_dust", "Construction dust", "工地扬尘", "#1971c2", extent="zone"),
        Kind("hoarding_missing", "Hoarding missing", "围挡缺失", "#2b8a3e", extent="zone"),
        Kind("standing_object", "Unattended object", "不明滞留物", "#5c677d", priority="low"),
    )
}
