from __future__ import annotations

from datetime import timedelta

from posting import FakeClock
from sqlalchemy import select

from service.auth.keys import add_key, revoke, whose
from service.auth.principal import Principal
from service.store.database import Database
from service.store.tables import ApiKeyRow, Role, Scope


def made(database: Database, clock: FakeClock, **options: object) -> tuple[str, str]:
    with database.write() as session:
        key, row = add_key(
            session, "gateway", [Scope.INGEST], clock.now(), created_by="user:boss", **options
        )
        return key, row.id


def test_a_key_stands_for_its_scopes(database: Database, clock: FakeClock) -> None:
    key, id_ = made(database, clock)
    assert key.startswith("jxk_")
    found = whose(database, key, clock.now())
    assert found == Principal(actor=f"key:{id_}", scopes=frozenset({Scope.INGEST}))


def test_a_key_is_not_in_the_database(database: Database, clock: FakeClock) -> None:
    key, _ = made(database, clock)
    with database.read() as session:
        row = session.scalars(select(ApiKeyRow)).one()
    assert key.startswith(row.shown)
    assert all(key not in str(value) for value in vars(row).values())


def test_wrong_expired_and_revoked_keys_stand_for_nobody(
    database: Database, clock: FakeClock
) -> None:
    key, id_ = made(database, clock, expires_at=clock.now() + timedelta(days=1))
    assert whose(database, key[:-1], clock.now()) is None
    assert whose(database, "", clock.now()) is None
    assert whose(database, key, clock.now() + timedelta(days=1)) is None
    with database.write() as session:
        revoke(session.get_one(ApiKeyRow, id_), clock.now())
    assert whose(database, key, clock.now()) is None


def test_the_last_use_of_a_key_is_noted(database: Database, clock: FakeClock) -> None:
    key, id_ = made(database, clock)
    whose(database, key, clock.now())
    with database.read() as session:
        assert session.get_one(ApiKeyRow, id_).used_at == clock.now()


def test_roles_hold_what_lesser_roles_hold_and_keys_hold_no_role() -> None:
    reviewer = Principal(actor="user:a", role=Role.REVIEWER)
    assert reviewer.may(Role.VIEWER, None)
    assert reviewer.may(Role.REVIEWER, Scope.READ)
    assert not reviewer.may(Role.SUPERVISOR, Scope.READ)
    assert not reviewer.may(None, Scope.READ)
    reader = Principal(actor="key:b", scopes=frozenset({Scope.READ}))
    assert reader.may(Role.ADMIN, Scope.READ)
    assert not reader.may(Role.VIEWER, Scope.INGEST)
    assert not reader.may(Role.VIEWER, None)
    assert not Principal(actor="nobody").may(Role.VIEWER, Scope.READ)
