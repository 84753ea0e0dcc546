"""Keep views of the console's pages, and find what the inbox asks for without reading every finding."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "owner", sa.Text(), nullable=False, comment="kind and name of whoever keeps it, as person:erika"
        ),
        sa.Column("page", sa.Text(), nullable=False, comment="path of the page, as /events"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False, comment="what stands behind the question mark"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("saved_view_pkey")),
        sa.UniqueConstraint("owner", "page", "name", name=op.f("saved_view_owner_page_name_key")),
        schema="anomaly",
    )
    op.create_index(
        "finding_cluster_id_kind_start_at_idx",
        "finding",
        ["cluster_id", "kind", "start_at"],
        unique=False,
        schema="anomaly",
    )


def downgrade() -> None:
    """Take the step back."""
    op.drop_index("finding_cluster_id_kind_start_at_idx", table_name="finding", schema="anomaly")
    op.drop_table("saved_view", schema="anomaly")
