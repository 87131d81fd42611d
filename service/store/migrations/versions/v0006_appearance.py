"""How the things of violations looked, to tell candidates that look alike."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("violations") as table:
        table.add_column(sa.Column("appearance", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("violations") as table:
        table.drop_column("appearance")
