from __future__ import annotations

import io

from openpyxl import load_workbook
from serving import Serving

from service.store.tables import Role

PATH = "/api/v1/reports/figures"


def test_figures_of_a_month_say_how_they_are_counted(serving: Serving) -> None:
    found = serving.user(Role.SUPERVISOR).get(PATH, params={"period": "2026-05"}).json()
    assert (found["span"], found["start"]) == ("month", "2026-04-30T16:00:00Z")
    assert found["overall"]["rates"]["in_time_rate"] == {
        "numerator": 0,
        "denominator": 0,
        "value": None,
    }
    for name in (*found["overall"]["counts"], *found["overall"]["rates"], "rectified"):
        assert found["definitions"][name]["means_zh"]


def test_page_and_workbook(serving: Serving) -> None:
    supervisor = serving.user(Role.SUPERVISOR)
    page = supervisor.get(f"{PATH}.html", params={"period": "2026-Q2", "language": "en"})
    assert "Quarterly review 2026-Q2" in page.text
    book = supervisor.get(f"{PATH}.xlsx", params={"period": "2026-05-04"})
    assert book.headers["content-disposition"] == 'attachment; filename="figures-2026-05-04.xlsx"'
    assert load_workbook(io.BytesIO(book.content)).sheetnames[0] == "总表"


def test_what_is_no_period_is_refused(serving: Serving) -> None:
    for kind in ("", ".html", ".xlsx"):
        answer = serving.user(Role.SUPERVISOR).get(PATH + kind, params={"period": "2026-13"})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "query.period"
