"""Cases that are sent again after they were declined, and evidence that comes late."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("deliveries") as table:
        table.add_column(
            sa.Column("round", sa.Integer(), nullable=False, server_default=sa.text("1"))
        )
    with op.batch_alter_table("destinations") as table:
        table.add_column(
            sa.Column("takes_evidence", sa.Boolean(), nullable=False, server_default=sa.true())
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("destinations") as table:
        table.drop_column("takes_evidence")
    with op.batch_alter_table("deliveries") as table:
        table.drop_column("round")
