"""What waits for people, in lists.

Candidates, what a camera could not settle, what a platform declined; for supervisors, what is to be
handled by when.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.cases.correction import count_declined
from service.cases.questions import count_questions
from service.review.elements import tag
from service.review.page import BASE
from service.review.visit import Visit
from service.store.tables import Role

CANDIDATES = f"{BASE}/queue"
QUESTIONS = f"{BASE}/second-looks"
DECLINED = f"{BASE}/declined"
DEADLINES = f"{BASE}/deadlines"


@dataclass(frozen=True)
class Waiting:
    """How much waits beside the candidates.

    Attributes:
        questions: What a person is asked.
        declined: What has to be put right.
    """

    questions: int
    declined: int


def waiting(session: Session) -> Waiting:
    """How much waits now."""
    return Waiting(count_questions(session), count_declined(session))


def tabs(visit: Visit, here: str, counts: Waiting) -> None:
    """Links to the lists, for those who answer.

    Args:
        visit: The open page.
        here: Address of the list that is shown.
        counts: How much waits.
    """
    if not visit.may(Role.REVIEWER):
        return
    say = visit.say
    with tag("nav", classes="jx-toggle jx-queue-tabs", aria_label=say("queue.lists")):
        for address, text, count, role in (
            (CANDIDATES, say("queue.candidates"), 0, Role.REVIEWER),
            (QUESTIONS, say("queue.questions"), counts.questions, Role.REVIEWER),
            (DECLINED, say("queue.declined"), counts.declined, Role.REVIEWER),
            (DEADLINES, say("queue.deadlines"), 0, Role.SUPERVISOR),
        ):
            if not visit.may(role):
                continue
            link = tag("a", href=address)
            if address == here:
                link.props["aria-current"] = "page"
            with link:
                tag("span", text)
                if count:
                    tag("b", str(count), classes="jx-tab-count")
