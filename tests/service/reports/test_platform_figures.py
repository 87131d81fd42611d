"""Figures of what platforms say besides: given back, suspended, cancelled, put off, disputed."""

from __future__ import annotations

import pytest
from may_2026 import ZONE, A, at, put

from service.reports.figures import Figures
from service.reports.report import make_report
from service.reports.window import window_of
from service.store.database import Database

SENT = ("confirm 05-04 09:00", "submit 05-04 09:10", "handle 05-04 09:20")
COUNTED = (
    *("delivered", "returned", "suspended", "cancelled", "due", "extended", "appealed"),
    *("exempted", "handled", "handled_in_time", "finished", "closed", "closed_in_time"),
)


def may(database: Database) -> Figures:
    with database.read() as session:
        return make_report(session, window_of("2026-05", ZONE), at("06-10 12:00")).overall


@pytest.mark.parametrize(
    ("state", "deadline", "steps", "counted"),
    [
        (
            "handled",
            "05-04 12:00",
            ["return 05-04 09:30", "handle 05-04 09:40", "finish 05-04 11:00"],
            {"delivered", "returned", "due", "handled", "handled_in_time", "finished"},
        ),
        # Put off to the next day: done in time by that.
        (
            "handled",
            "05-05 12:00",
            ["extended 05-04 11:30", "finish 05-05 11:00"],
            {"delivered", "due", "extended", "handled", "handled_in_time", "finished"},
        ),
        # Put off, and late all the same.
        (
            "handled",
            "05-05 12:00",
            ["extended 05-04 11:30", "finish 05-05 13:00"],
            {"delivered", "due", "extended", "handled", "finished"},
        ),
        # Suspended still: no deadline runs.
        ("suspended", None, ["suspend 05-04 10:00"], {"delivered", "suspended"}),
        (
            "handled",
            "05-04 15:00",
            ["suspend 05-04 10:00", "resume 05-04 13:00", "finish 05-04 14:00"],
            {"delivered", "suspended", "due", "handled", "handled_in_time", "finished"},
        ),
        # Late, disputed, and the platform found for the unit.
        (
            "closed",
            "05-04 12:00",
            [
                *("finish 05-04 13:00", "verify 05-04 14:00", "close 05-04 14:05"),
                *("appealed 05-05 09:00", "exempted 05-06 09:00"),
            ],
            {
                *("delivered", "due", "appealed", "exempted", "handled", "handled_in_time"),
                *("finished", "closed", "closed_in_time"),
            },
        ),
        # Disputed, and nothing came of it.
        (
            "closed",
            "05-04 12:00",
            [
                *("finish 05-04 13:00", "verify 05-04 14:00", "close 05-04 14:05"),
                "appealed 05-05 09:00",
            ],
            {"delivered", "due", "appealed", "handled", "finished", "closed"},
        ),
        # An appeal that was granted does not make a case handled.
        (
            "handling",
            "05-04 12:00",
            ["appealed 05-05 09:00", "exempted 05-06 09:00"],
            {"delivered", "due", "appealed", "exempted"},
        ),
        ("cancelled", "05-04 12:00", ["cancel 05-04 10:00"], {"cancelled"}),
        ("cancelled", "05-04 12:00", ["cancel 06-02 10:00"], set()),
    ],
)
def test_what_one_case_adds(
    database: Database, state: str, deadline: str | None, steps: list[str], counted: set[str]
) -> None:
    put(database, 0, state, "05-04 08:50", "street_stall", A, deadline, *SENT, *steps)
    counts = may(database).counts
    assert {one for one in COUNTED if counts[one]} == counted
    assert all(counts[one] == 1 for one in counted)


def test_rates_say_what_they_are_shares_of(database: Database) -> None:
    for number, steps in enumerate((["return 05-04 10:00"], ["extended 05-04 10:00"], [], [])):
        put(
            database, number, "handling", "05-04 08:50", "street_stall", A, "05-04 12:00",
            *SENT, *steps,
        )  # fmt: skip
    found = may(database)
    told = {rate: found.share(rate) for rate in ("return_rate", "extension_rate")}
    assert {rate: (one.numerator, one.denominator) for rate, one in told.items()} == {
        "return_rate": (1, 4),
        "extension_rate": (1, 4),
    }
