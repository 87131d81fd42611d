from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from posting import FakeClock
from stored import NOW, add_case
from typer.testing import CliRunner

from service.cases.catalogue import Catalogue, Filing, catalogue_names, load_catalogue
from service.cases.claims import Reviewer
from service.cases.deadlines import WorkTime
from service.cases.review import Decision, ReviewRules, decide, undo
from service.cli import app
from service.store.cameras import add_camera
from service.store.database import Database
from service.store.tables import Verdict
from vision.calendars import load_calendar
from vision.errors import ConfigError
from vision.schedule import SiteClock
from vision.site import Camera
from vision.zones import Purpose

LI = Reviewer("user:li")

MINE = """\
id: mine
name: Mine
source: me
kinds:
  street_stall:
    - {code: "0401", name: 游商, file_when: x, close_when: y, limit: {amount: 2, clock: work_hour}}
"""


def filing(name: str) -> Filing:
    catalogue = load_catalogue(name)
    site = SiteClock(ZoneInfo("Asia/Shanghai"), load_calendar("cn"))
    return Filing(catalogue, WorkTime(site, catalogue.hours))


def test_three_catalogues_of_two_generations_are_shipped() -> None:
    assert catalogue_names() == ["gb30428.2-2013", "jiyuan-cjt214", "yuncheng"]
    for name in catalogue_names():
        assert load_catalogue(name).id == name


def test_the_same_thing_has_other_codes_and_limits_in_another_city() -> None:
    filed = {}
    for name in ("yuncheng", "jiyuan-cjt214"):
        for kind, purpose in (
            ("street_stall", Purpose.FOOTWAY),
            ("debris_pile", Purpose.GREEN),
        ):
            one = load_catalogue(name).class_of(kind, purpose)
            assert one is not None
            limit = None if one.limit is None else (one.limit.amount, one.limit.clock.value)
            filed[name, kind] = (one.code, limit)
    assert filed == {
        ("yuncheng", "street_stall"): ("0401", (2, "urgent_hour")),
        ("jiyuan-cjt214", "street_stall"): ("0501", None),
        ("yuncheng", "debris_pile"): ("0111", (5, "work_day")),
        ("jiyuan-cjt214", "debris_pile"): ("0103", (4, "work_day")),
    }


def test_the_zone_decides_between_classes_of_a_kind() -> None:
    catalogue = load_catalogue("yuncheng")
    codes = [
        one.code
        for purpose in (Purpose.PERMITTED_VENDING, Purpose.CARRIAGEWAY, Purpose.FOOTWAY, None)
        if (one := catalogue.class_of("street_stall", purpose)) is not None
    ]
    assert codes == ["0402", "0406", "0401", "0401"]
    assert catalogue.class_of("standing_object", Purpose.FOOTWAY) is None


def test_codes_that_were_not_read_in_print_say_so() -> None:
    for name in ("gb30428.2-2013", "yuncheng"):
        one = load_catalogue(name).class_of("abandoned_vehicle", None)
        assert one is not None
        assert (one.inferred, one.limit) == (True, None)


def test_a_confirmed_case_gets_code_and_deadline(database: Database, clock: FakeClock) -> None:
    zone = {"id": "footway", "purpose": "permitted_vending", "points": [[0, 0], [1, 0], [1, 1]]}
    with database.write() as session:
        one = Camera.model_validate({"id": "gate-3", "zones": [zone]})
        add_camera(session, one, clock.now(), enabled=True)
    add_case(database)
    rules = ReviewRules(filing=filing("yuncheng"))
    with database.write() as session:
        case = decide(
            session, "violation-0", LI, Decision(Verdict.CONFIRM), NOW, version=1, rules=rules
        )
    # NOW is 18:00 on a holiday; urgent hours run on.
    assert (case.code_system, case.code) == ("yuncheng", "0402")
    assert case.deadline_at == datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    with database.write() as session:
        undone = undo(session, "violation-0", LI, NOW, rules)
    assert (undone.code_system, undone.code, undone.deadline_at) == (None, None, None)
    with database.write() as session:
        other = Decision(Verdict.CONFIRM, kind="construction_dust")
        case = decide(session, "violation-0", LI, other, NOW, version=None, rules=rules)
    # Labour Day ends on the 5th; two work hours from 08:00 on the 6th.
    assert (case.code, case.deadline_at) == ("0304", datetime(2026, 5, 6, 2, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("name: Mine", "nmae: Mine", r"mine.yaml:2: nmae: unknown key"),
        ("street_stall", "street_stalls", r"mine.yaml:\d: kinds: street_stalls: no kind"),
        ("work_hour", "hours", r"mine.yaml:6: kinds.street_stall\[0\].limit.clock"),
        ("amount: 2", "amount: 0", r"mine.yaml:6: kinds.street_stall\[0\].limit.amount"),
        ('"0401"', "0401", r"mine.yaml:6: kinds.street_stall\[0\].code"),
        ("name: 游商", "name: 游商, zones: [site]", r"the last class must apply everywhere"),
        ("name: Mine", "name: Mine\nname: Yours", r"mine.yaml:3: name: named twice"),
        ("name: Mine", 'name: Mine\nhours: [{from: "08:00", to: "07:00"}]', r"hours: must end"),
    ],
)
def test_faults_name_line_and_key(tmp_path: Path, old: str, new: str, fault: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=fault):
        load_catalogue(str(path))


def test_a_city_checks_its_own_catalogue(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(MINE, encoding="utf-8")
    run = CliRunner().invoke(app, ["catalogue", "check", str(path)])
    assert run.exit_code == 0, run.output
    assert "debris_pile: has no class" in run.output
    shown = CliRunner().invoke(app, ["catalogue", "show", "gb30428.2-2013"])
    assert "0134" in shown.output
    listed = CliRunner().invoke(app, ["catalogue", "list"])
    assert "yuncheng" in listed.output
    with pytest.raises(ConfigError, match=r"no catalogue 'nowhere': shipped are gb30428.2-2013"):
        load_catalogue("nowhere")


def test_every_class_needs_at_least_a_picture() -> None:
    for name in catalogue_names():
        catalogue: Catalogue = load_catalogue(name)
        for classes in catalogue.kinds.values():
            for one in classes:
                assert "scene" in one.evidence
                assert one.missing({"scene"}) == [r for r in one.evidence if r != "scene"]
