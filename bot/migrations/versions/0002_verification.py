"""Which account a conversation was verified for, and who is locked out."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "account_link",
        sa.Column(
            "conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("account_no", sa.String(32), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "verification_lock",
        sa.Column(
            "conversation_id", sa.Integer, sa.ForeignKey("conversation.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("wrong", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True)),
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("verification_lock")
    op.drop_table("account_link")
