"""Which host watches which camera, where several share them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from service.store.times import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "assignments",
        sa.Column("camera_id", sa.String(128), nullable=False),
        sa.Column("host", sa.String(128), nullable=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_host"), "assignments", ["host"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_assignments_host"), table_name="assignments")
    op.drop_table("assignments")
