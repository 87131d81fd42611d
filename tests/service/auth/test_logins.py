from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from posting import FakeClock
from sqlalchemy import select

from service.audit import Origin
from service.auth.guard import BY_ADDRESS, BY_NAME, begin_attempt
from service.auth.logins import (
    LoggedIn,
    LoginTimes,
    Refused,
    forget_logins,
    log_in,
    log_out,
    who,
)
from service.auth.users import UserError, add_user, disable, find_user, set_password, set_role
from service.store.database import Database
from service.store.tables import AuditRow, Role, SessionRow, UserRow

PASSWORD = "a long way home"
TIMES = LoginTimes(idle_s=3600, whole_s=24 * 3600)


@pytest.fixture
def user(database: Database, clock: FakeClock) -> UserRow:
    with database.write() as session:
        add_user(session, "boss", Role.ADMIN, clock.now(), password="another long way")
        return add_user(session, "Li.Na", Role.REVIEWER, clock.now(), password=PASSWORD)


def attempt(
    database: Database,
    clock: FakeClock,
    password: str = PASSWORD,
    name: str = "li.na",
    address: str = "10.0.0.1",
) -> LoggedIn | Refused:
    origin = Origin(address=address, request_id="r1")
    return log_in(database, name, password, origin=origin, now=clock.now(), times=TIMES)


def audited(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(AuditRow.action).order_by(AuditRow.id)))


@pytest.mark.usefixtures("user")
def test_a_login_is_known_by_its_token_until_it_ends(database: Database, clock: FakeClock) -> None:
    login = attempt(database, clock, name=" LI.NA ")
    assert isinstance(login, LoggedIn)
    principal = who(database, login.token, clock.now(), TIMES)
    assert principal is not None
    assert (principal.actor, principal.role) == ("user:li.na", Role.REVIEWER)
    assert who(database, login.token + "x", clock.now(), TIMES) is None
    assert principal.session is not None
    with database.write() as session:
        log_out(session, principal.session)
    assert who(database, login.token, clock.now(), TIMES) is None


@pytest.mark.usefixtures("user")
def test_the_token_is_not_in_the_database(database: Database, clock: FakeClock) -> None:
    login = attempt(database, clock)
    assert isinstance(login, LoggedIn)
    with database.read() as session:
        row = session.scalars(select(SessionRow)).one()
    assert login.token not in (row.token_sha256, row.csrf_token)


@pytest.mark.usefixtures("user")
def test_a_login_ends_when_unused_or_old(database: Database, clock: FakeClock) -> None:
    unused = attempt(database, clock)
    used = attempt(database, clock)
    assert isinstance(unused, LoggedIn)
    assert isinstance(used, LoggedIn)
    for _ in range(46):
        clock.sleep(TIMES.idle_s / 2)
        assert who(database, used.token, clock.now(), TIMES) is not None
    assert who(database, unused.token, clock.now(), TIMES) is None
    clock.sleep(2 * TIMES.idle_s)
    assert who(database, used.token, clock.now(), TIMES) is None
    with database.write() as session:
        forget_logins(session, clock.now(), TIMES)
    with database.read() as session:
        assert session.scalars(select(SessionRow)).all() == []


def test_a_disabled_user_is_out_at_once(
    database: Database, clock: FakeClock, user: UserRow
) -> None:
    login = attempt(database, clock)
    assert isinstance(login, LoggedIn)
    with database.write() as session:
        disable(session, session.get_one(UserRow, user.id), clock.now())
    assert who(database, login.token, clock.now(), TIMES) is None
    assert attempt(database, clock) == Refused()


def test_a_new_password_ends_all_logins(
    database: Database, clock: FakeClock, user: UserRow
) -> None:
    login = attempt(database, clock)
    assert isinstance(login, LoggedIn)
    with database.write() as session:
        set_password(session, session.get_one(UserRow, user.id), "a new and longer way")
    assert who(database, login.token, clock.now(), TIMES) is None
    assert attempt(database, clock) == Refused()
    assert isinstance(attempt(database, clock, "a new and longer way"), LoggedIn)


@pytest.mark.usefixtures("user")
def test_logins_and_failures_are_audited(database: Database, clock: FakeClock) -> None:
    attempt(database, clock)
    attempt(database, clock, "wrong")
    attempt(database, clock, name="nobody")
    assert audited(database) == ["login", "login.failed", "login.failed"]
    with database.read() as session:
        rows = session.scalars(select(AuditRow).order_by(AuditRow.id)).all()
    assert [row.subject for row in rows] == ["user:li.na", "user:li.na", "user:nobody"]
    assert rows[0].actor == "user:li.na"
    assert (rows[1].actor, rows[1].address, rows[1].request_id) == ("nobody", "10.0.0.1", "r1")
    assert all("wrong" not in str(vars(row)) for row in rows)


@pytest.mark.usefixtures("user")
def test_a_name_is_locked_after_too_many_failures(database: Database, clock: FakeClock) -> None:
    for _ in range(BY_NAME.free):
        assert attempt(database, clock, "wrong") == Refused()
    locked = attempt(database, clock, address="10.9.9.9")
    assert isinstance(locked, Refused)
    assert locked.wait == timedelta(seconds=BY_NAME.first_s)
    clock.sleep(BY_NAME.first_s)
    assert isinstance(attempt(database, clock), LoggedIn)
    assert audited(database)[-2:] == ["login.locked_out", "login"]
    assert attempt(database, clock, "wrong") == Refused(), "failures are forgotten"


@pytest.mark.usefixtures("user")
def test_locks_grow_but_not_for_ever(database: Database, clock: FakeClock) -> None:
    waits = []
    for _ in range(BY_NAME.free + 8):
        attempt(database, clock, "wrong")
        refused = attempt(database, clock, "wrong")
        if isinstance(refused, Refused) and refused.wait is not None:
            waits.append(refused.wait.total_seconds())
            clock.sleep(waits[-1])
    assert waits[:3] == [30, 60, 120]
    assert max(waits) == BY_NAME.longest_s


@pytest.mark.usefixtures("user")
def test_an_address_that_tries_many_names_is_locked(database: Database, clock: FakeClock) -> None:
    with database.write() as session:
        for number in range(BY_ADDRESS.free):
            assert begin_attempt(session, f"user{number}", "10.0.0.1", clock.now()) is None
    locked = attempt(database, clock)
    assert isinstance(locked, Refused)
    assert locked.wait is not None
    assert isinstance(attempt(database, clock, address="10.0.0.2"), LoggedIn)


def test_guesses_sent_at_once_are_all_counted(database: Database, clock: FakeClock) -> None:
    looked_at = []

    def guess(number: int) -> None:
        with database.write() as session:
            if begin_attempt(session, "li.na", f"10.0.0.{number}", clock.now()) is None:
                looked_at.append(number)

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked_at) == BY_NAME.free


def test_the_last_admin_stays(database: Database, clock: FakeClock, user: UserRow) -> None:
    with database.write() as session:
        boss = find_user(session, "boss")
        assert boss is not None
        with pytest.raises(UserError, match="only admin"):
            disable(session, boss, clock.now())
        with pytest.raises(UserError, match="only admin"):
            set_role(session, boss, Role.VIEWER)
        set_role(session, session.get_one(UserRow, user.id), Role.ADMIN)
        set_role(session, boss, Role.VIEWER)


@pytest.mark.usefixtures("user")
@pytest.mark.parametrize("name", ["", "a", "two words", "<b>", "x" * 65, "Li.Na", "li'na"])
def test_names_that_are_none_or_taken_are_refused(
    database: Database, clock: FakeClock, name: str
) -> None:
    with pytest.raises(UserError), database.write() as session:
        add_user(session, name, Role.VIEWER, clock.now(), password=PASSWORD)
