"""Before and after, with links for the page."""

from __future__ import annotations

from dataclasses import dataclass

from service.evidence.access import link_to
from service.reports.gallery import MOST, LookedAgain, looked_again
from service.reports.window import Window
from service.review.visit import Visit


@dataclass(frozen=True)
class Pair:
    """One place before and after.

    Attributes:
        place: The place.
        before: Link to the picture from before.
        after: Link to the picture from afterwards.
    """

    place: LookedAgain
    before: str
    after: str


def pairs_of(visit: Visit, window: Window) -> list[Pair]:
    """The newest pairs of masked pictures of a window; that they are shown is audited."""
    service, actor = visit.service, visit.principal.actor
    now = service.clock()
    with service.database.write() as session:
        places = looked_again(session, window, MOST, actor=actor, origin=visit.origin, now=now)
        return [
            Pair(
                one,
                link_to(service, one.before, actor, now).path,
                link_to(service, one.after, actor, now).path,
            )
            for one in places
        ]
