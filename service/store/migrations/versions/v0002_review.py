"""Review, deadlines and places of cases; decisions and links."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True).with_variant(
    postgresql.JSONB(none_as_null=True), "postgresql"
)


def _added() -> list[sa.Column[Any]]:
    """Columns that cases get."""
    return [
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("queue_at", INSTANT, nullable=True),
        sa.Column("stage", sa.String(length=16), server_default=sa.text("'first'"), nullable=False),
        sa.Column("claimed_by", sa.String(length=160), nullable=True),
        sa.Column("claimed_until", INSTANT, nullable=True),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("box", DOCUMENT, nullable=True),
        sa.Column("place", DOCUMENT, nullable=True),
        sa.Column("occurrences", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("recurrence_of", sa.String(length=64), nullable=True),
        sa.Column("recurrences", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("code_system", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=True),
        sa.Column("deadline_at", INSTANT, nullable=True),
        sa.Column("deadline_clock", sa.String(length=16), nullable=True),
        sa.Column("deadline_left_s", sa.Double(), nullable=True),
    ]


def upgrade() -> None:
    """Apply."""
    for column in _added():
        op.add_column("cases", column)
    op.execute("UPDATE cases SET queue_at = raised_at WHERE state = 'candidate'")
    op.create_index(
        "ix_cases_queue",
        "cases",
        ["queue_at", "id"],
        sqlite_where=sa.text("queue_at IS NOT NULL"),
        postgresql_where=sa.text("queue_at IS NOT NULL"),
    )
    op.create_index("ix_cases_settled", "cases", ["state", "settled_at"])
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("reviewer", sa.String(length=160), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("settles", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("kind_before", sa.String(length=64), nullable=False),
        sa.Column("kind_after", sa.String(length=64), nullable=False),
        sa.Column("box_before", DOCUMENT, nullable=True),
        sa.Column("box_after", DOCUMENT, nullable=True),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=True),
        sa.Column("on_screen_s", sa.Double(), nullable=True),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_decisions_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_at", "decisions", ["at"])
    op.create_index("ix_decisions_case", "decisions", ["case_id", "id"])
    op.create_index("ix_decisions_reviewer", "decisions", ["reviewer", "id"])
    op.create_table(
        "case_links",
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("other_id", sa.String(length=64), nullable=False),
        sa.Column("relation", sa.String(length=24), nullable=False),
        sa.Column("distance_m", sa.Double(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_case_links_case_id"),
        sa.ForeignKeyConstraint(["other_id"], ["cases.id"], name="fk_case_links_other_id"),
        sa.PrimaryKeyConstraint("case_id", "other_id", "relation", name="pk_case_links"),
    )
    op.create_index("ix_case_links_other", "case_links", ["other_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("case_links")
    op.drop_table("decisions")
    op.drop_index("ix_cases_settled", "cases")
    op.drop_index("ix_cases_queue", "cases")
    for column in reversed(_added()):
        op.drop_column("cases", column.name)
