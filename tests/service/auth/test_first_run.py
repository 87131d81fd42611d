from __future__ import annotations

import stat
from pathlib import Path

import pytest
from posting import FakeClock

from service.auth.first_run import FirstRunError, make_first_admin, offer_token
from service.auth.passwords import PasswordError
from service.store.database import Database

PASSWORD = "a long way home"


def test_the_token_makes_one_admin(database: Database, clock: FakeClock, tmp_path: Path) -> None:
    path = offer_token(database, tmp_path / "data", clock.now())
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with database.write() as session:
        user = make_first_admin(session, path.read_text(), "boss", PASSWORD, clock.now())
        assert user.role == "admin"
    with pytest.raises(FirstRunError, match="users already"), database.write() as session:
        make_first_admin(session, path.read_text(), "second", PASSWORD, clock.now())
    assert offer_token(database, tmp_path / "data", clock.now()) is None
    assert not path.exists()


def test_a_wrong_token_makes_nobody(database: Database, clock: FakeClock, tmp_path: Path) -> None:
    offer_token(database, tmp_path, clock.now())
    with pytest.raises(FirstRunError, match="not the one"), database.write() as session:
        make_first_admin(session, "guess", "boss", PASSWORD, clock.now())


def test_a_later_start_makes_the_earlier_token_worthless(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    path = offer_token(database, tmp_path, clock.now())
    assert path is not None
    first = path.read_text()
    offer_token(database, tmp_path, clock.now())
    with pytest.raises(FirstRunError), database.write() as session:
        make_first_admin(session, first, "boss", PASSWORD, clock.now())


def test_a_refused_password_leaves_the_token(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    path = offer_token(database, tmp_path, clock.now())
    assert path is not None
    with pytest.raises(PasswordError), database.write() as session:
        make_first_admin(session, path.read_text(), "boss", "short", clock.now())
    with database.write() as session:
        make_first_admin(session, path.read_text(), "boss", PASSWORD, clock.now())
