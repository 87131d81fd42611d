"""What figures are looked up by."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_cases_deadline", "cases", ["deadline_at"])
    op.create_index("ix_case_steps_at", "case_steps", ["at"])


def downgrade() -> None:
    """Take back."""
    op.drop_index("ix_case_steps_at", "case_steps")
    op.drop_index("ix_cases_deadline", "cases")
