"""Users, keys and the audit, for admins."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from sqlalchemy.orm import Session

from service import audit
from service.api.fields import Id, Name, Text, Time, Word
from service.api.paging import Limit
from service.api.problem import Problem, answers, not_found
from service.api.security import Admin, Origin, TheService
from service.auth import keys, users
from service.auth.users import UserError
from service.store.tables import ApiKeyRow, AuditRow, Role, Scope, UserRow

router = APIRouter(tags=["administration"], responses=answers(401, 403))

_Password = Annotated[SecretStr, Field(max_length=256)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserForm(_Form):
    """A new user."""

    name: Annotated[Text, StringConstraints(max_length=64)] = Field(examples=["wang.wei"])
    role: Role
    password: _Password = Field(examples=["a long way home"])
    display_name: Annotated[Text, StringConstraints(max_length=128)] = ""


class UserChange(_Form):
    """What is to be changed of a user; what is left out stays."""

    role: Role | None = None
    password: _Password | None = None
    disabled: bool | None = None


class UserBody(BaseModel):
    """A user."""

    id: str
    name: str
    display_name: str
    role: Role
    created_at: AwareDatetime
    disabled_at: AwareDatetime | None


class KeyForm(_Form):
    """A new key."""

    name: Name = Field(examples=["gateway of the north gate"])
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=len(Scope))]
    expires_at: Time | None = None


class KeyBody(BaseModel):
    """A key, without the key."""

    id: str
    name: str
    shown: str = Field(description="How it begins")
    scopes: list[Scope]
    created_by: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    used_at: AwareDatetime | None = Field(description="Last use, to a minute")


class NewKeyBody(KeyBody):
    """A new key; it cannot be had again."""

    key: str


class AuditBody(BaseModel):
    """A line of the audit."""

    id: int
    at: AwareDatetime
    actor: str
    action: str
    subject: str
    reason: str | None
    address: str | None
    request_id: str | None
    details: dict[str, Any]


class AuditPage(BaseModel):
    """Lines of the audit, newest first."""

    items: list[AuditBody]
    next_before: int | None = Field(description="Give it as before for the next page")


@router.get("/users")
def list_users(service: TheService, _who: Admin) -> list[UserBody]:
    """All users by name."""
    with service.database.read() as session:
        return [_user(row) for row in users.users(session)]


@router.post("/users", status_code=201, responses=answers(409))
def create_user(form: UserForm, service: TheService, who: Admin, origin: Origin) -> UserBody:
    """Make a user."""
    now = service.clock()
    with service.database.write() as session:
        if users.find_user(session, form.name) is not None:
            raise Problem(409, "exists", "there is a user of this name already")
        user = users.add_user(
            session,
            form.name,
            form.role,
            now,
            password=form.password.get_secret_value(),
            display_name=form.display_name,
        )
        audit.write(
            session,
            now,
            origin,
            who.actor,
            "user.created",
            subject=f"user:{user.name}",
            details={"role": form.role},
        )
        return _user(user)


@router.patch("/users/{user_id}", responses=answers(404, 409))
def change_user(
    user_id: Id, form: UserChange, service: TheService, who: Admin, origin: Origin
) -> UserBody:
    """Change a user's role or password, disable or enable them."""
    now = service.clock()
    with service.database.write() as session:
        user = session.get(UserRow, user_id, with_for_update=True)
        if user is None:
            raise not_found("user")
        try:
            changed = _change(session, user, form, service)
        except UserError as error:
            raise Problem(409, "last_admin", str(error)) from None
        audit.write(
            session,
            now,
            origin,
            who.actor,
            "user.changed",
            subject=f"user:{user.name}",
            details={"changed": changed, "role": user.role},
        )
        session.flush()
        return _user(user)


@router.get("/keys")
def list_keys(service: TheService, _who: Admin) -> list[KeyBody]:
    """All keys, revoked ones too, newest first."""
    with service.database.read() as session:
        return [KeyBody(**_key(row)) for row in keys.keys(session)]


@router.post("/keys", status_code=201)
def create_key(form: KeyForm, service: TheService, who: Admin, origin: Origin) -> NewKeyBody:
    """Make a key for a program. It is shown in this answer and never again."""
    now = service.clock()
    with service.database.write() as session:
        key, row = keys.add_key(
            session,
            form.name,
            form.scopes,
            now,
            created_by=who.actor,
            expires_at=form.expires_at,
        )
        audit.write(
            session,
            now,
            origin,
            who.actor,
            "key.created",
            subject=f"key:{row.id}",
            details={"name": row.name, "scopes": row.scopes},
        )
        return NewKeyBody(**_key(row), key=key)


@router.delete("/keys/{key_id}", status_code=204, responses=answers(404))
def revoke_key(key_id: Id, service: TheService, who: Admin, origin: Origin) -> None:
    """Let a key in no more."""
    now = service.clock()
    with service.database.write() as session:
        row = session.get(ApiKeyRow, key_id, with_for_update=True)
        if row is None:
            raise not_found("key")
        keys.revoke(row, now)
        audit.write(session, now, origin, who.actor, "key.revoked", subject=f"key:{row.id}")


@router.get("/audit")
def list_audit(
    service: TheService,
    _who: Admin,
    limit: Limit = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    actor: Annotated[Word | None, Query()] = None,
    action: Annotated[Word | None, Query()] = None,
    subject: Annotated[Word | None, Query()] = None,
) -> AuditPage:
    """The audit, newest first."""
    with service.database.read() as session:
        rows = audit.page(
            session, limit=limit + 1, before=before, actor=actor, action=action, subject=subject
        )
    more = len(rows) > limit
    return AuditPage(
        items=[_line(row) for row in rows[:limit]],
        next_before=rows[limit - 1].id if more else None,
    )


def _change(session: Session, user: UserRow, form: UserChange, service: TheService) -> list[str]:
    if form.role is not None:
        users.set_role(session, user, form.role)
    if form.password is not None:
        users.set_password(session, user, form.password.get_secret_value())
    if form.disabled is True:
        users.disable(session, user, service.clock())
    if form.disabled is False:
        users.enable(user)
    return sorted(form.model_fields_set)


def _user(row: UserRow) -> UserBody:
    return UserBody(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        role=Role(row.role),
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _key(row: ApiKeyRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in KeyBody.model_fields}


def _line(row: AuditRow) -> AuditBody:
    return AuditBody(**{name: getattr(row, name) for name in AuditBody.model_fields})
