"""Who makes a request, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from service.store.tables import Role, Scope

RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True)
class Principal:
    """A user who is logged in, or a program with a key.

    Attributes:
        actor: ``user:<name>`` or ``key:<id>``; what the audit calls them.
        role: Role of a user; ``None`` for a program.
        scopes: Scopes of a program's key.
        user_id: Id of a user.
        session: Hash of the token of a user's session.
        csrf_token: What a user's request that changes something must repeat.
    """

    actor: str
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    user_id: str | None = None
    session: str | None = None
    csrf_token: str | None = None

    def may(self, role: Role | None, scope: Scope | None) -> bool:
        """Whether they have at least this role, or this scope; ``None`` admits nobody."""
        if self.role is not None:
            return role is not None and RANKS[self.role] >= RANKS[role]
        return scope is not None and scope in self.scopes
