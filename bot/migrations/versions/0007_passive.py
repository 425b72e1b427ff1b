"""Which message a reply answers, and what a door without push answered to a request."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add both; `carried_by` was never used."""
    op.add_column("message", sa.Column("answers", sa.Integer))
    op.add_column("message", sa.Column("response", sa.Text))
    op.drop_column("message", "carried_by")


def downgrade() -> None:
    """Drop them again."""
    op.add_column("message", sa.Column("carried_by", sa.Integer))
    op.drop_column("message", "response")
    op.drop_column("message", "answers")
