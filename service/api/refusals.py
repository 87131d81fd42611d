"""What cases refuse, as answers of the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.api.conditional import etag
from service.api.problem import Problem, invalid, not_found
from service.cases.claims import ClaimedByOther, NotForReview
from service.cases.lifecycle import NoSuchCase, StaleCase, StepRefused
from service.cases.questions import AnsweredAlready, NoSuchQuestion
from service.cases.review import UndoRefused
from vision.errors import InputError


@contextmanager
def refusals(place: str = "body") -> Iterator[None]:
    """Turn what cases refuse into problems.

    Args:
        place: Where the decision stands in the request.

    Raises:
        Problem: 404, 409, 412 or 422.
    """
    try:
        yield
    except NoSuchCase:
        raise not_found("case") from None
    except NoSuchQuestion:
        raise not_found("verification") from None
    except AnsweredAlready as answered:
        raise Problem(409, "answered_already", str(answered)) from None
    except StaleCase as stale:
        raise Problem(
            412, "changed_meanwhile", str(stale), headers={"etag": etag(stale.version)}
        ) from None
    except ClaimedByOther as claimed:
        raise Problem(409, "claimed", str(claimed)) from None
    except NotForReview as refused:
        raise Problem(409, "not_for_review", str(refused)) from None
    except UndoRefused as refused:
        raise Problem(409, "undo_refused", str(refused)) from None
    except StepRefused as refused:
        raise Problem(409, "not_possible", str(refused)) from None
    except InputError as error:
        field, _, message = str(error).partition(": ")
        raise invalid(f"{place}.{field}", message) from None
