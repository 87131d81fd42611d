"""What waits for people, in two lists: candidates, and what a camera could not settle."""

from __future__ import annotations

from service.review.elements import tag
from service.review.page import BASE
from service.review.visit import Visit
from service.store.tables import Role

CANDIDATES = f"{BASE}/queue"
QUESTIONS = f"{BASE}/second-looks"


def tabs(visit: Visit, here: str, questions: int) -> None:
    """Links to both lists, for those who answer.

    Args:
        visit: The open page.
        here: Address of the list that is shown.
        questions: How much is asked now.
    """
    if not visit.may(Role.REVIEWER):
        return
    say = visit.say
    with tag("nav", classes="jx-toggle jx-queue-tabs", aria_label=say("queue.lists")):
        for address, text, count in (
            (CANDIDATES, say("queue.candidates"), 0),
            (QUESTIONS, say("queue.questions"), questions),
        ):
            link = tag("a", href=address)
            if address == here:
                link.props["aria-current"] = "page"
            with link:
                tag("span", text)
                if count:
                    tag("b", str(count), classes="jx-tab-count")
