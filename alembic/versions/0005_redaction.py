"""Count what is replaced before it is stored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "redaction",
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column(
            "day",
            sa.Date(),
            nullable=False,
            comment="of the events; of the arrival for what is in quarantine",
        ),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="what was replaced: anomaly/redaction/stand_in.py",
        ),
        sa.Column(
            "replaced",
            sa.BigInteger(),
            nullable=False,
            comment="values, counted once for each event that is kept",
        ),
        sa.PrimaryKeyConstraint("cluster_id", "day", "kind", name=op.f("redaction_pkey")),
        schema="anomaly",
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_table("redaction", schema="anomaly")
