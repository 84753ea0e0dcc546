"""Keep people, their sessions, tokens of every kind, client certificates and who did what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take the step."""
    op.create_table(
        "access_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="token, person, certificate, command or nobody"),
        sa.Column("principal_id", sa.Integer(), nullable=True, comment="null: nobody, or a command"),
        sa.Column("name", sa.Text(), nullable=False, comment="what it was called then"),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column(
            "route", sa.Text(), nullable=False, comment="the pattern of the path, as /v1/findings/{finding}"
        ),
        sa.Column(
            "object", sa.Text(), nullable=False, comment="what stood in the braces, as finding=760692be"
        ),
        sa.Column("cluster", sa.Text(), nullable=True, comment="null: no one cluster"),
        sa.Column(
            "status", sa.SmallInteger(), nullable=True, comment="null: begun, and no outcome was written"
        ),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "times",
            sa.Integer(),
            server_default="1",
            nullable=False,
            comment="alike refusals gathered in one",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("access_entry_pkey")),
        schema="anomaly",
    )
    op.create_index("access_entry_made_at_idx", "access_entry", ["made_at"], unique=False, schema="anomaly")
    op.create_index(
        "access_entry_name_idx", "access_entry", ["name", "made_at"], unique=False, schema="anomaly"
    )
    op.create_table(
        "failed_try",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "whose",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of an account's name, an address, or both",
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("failed_try_pkey")),
        schema="anomaly",
    )
    op.create_index("failed_try_made_at_idx", "failed_try", ["made_at"], unique=False, schema="anomaly")
    op.create_index(
        "failed_try_whose_idx", "failed_try", ["whose", "made_at"], unique=False, schema="anomaly"
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="what is typed to sign in, lower case"),
        sa.Column(
            "password",
            sa.Text(),
            nullable=True,
            comment="argon2id, with its parameters; null: none chosen, or signs in by OIDC",
        ),
        sa.Column(
            "issuer",
            sa.Text(),
            nullable=True,
            comment="OIDC: who vouches for the person, with the subject it knows them by",
        ),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("every_cluster", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(issuer IS NULL) = (subject IS NULL)", name=op.f("person_issuer_with_subject_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("person_pkey")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("person_issuer_subject_key")),
        sa.UniqueConstraint("name", name=op.f("person_name_key")),
        schema="anomaly",
    )
    op.create_table(
        "certificate_name",
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="common name or alternative name of a client certificate",
        ),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["anomaly.cluster.id"],
            name=op.f("certificate_name_cluster_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("certificate_name_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "invite",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the code in the link"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "used_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was used, or replaced by another",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["anomaly.person.id"], name=op.f("invite_person_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("invite_pkey")),
        sa.UniqueConstraint("digest", name=op.f("invite_digest_key")),
        schema="anomaly",
    )
    op.create_index("invite_person_id_idx", "invite", ["person_id"], unique=False, schema="anomaly")
    op.create_table(
        "person_cluster",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["anomaly.cluster.id"],
            name=op.f("person_cluster_cluster_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["anomaly.person.id"],
            name=op.f("person_cluster_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("person_id", "cluster_id", name=op.f("person_cluster_pkey")),
        schema="anomaly",
    )
    op.create_table(
        "session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the cookie"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="its end, however busy"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=False, comment="where it was begun"),
        sa.Column(
            "agent", sa.Text(), nullable=False, comment="User-Agent it was begun with, at most 200 characters"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["anomaly.person.id"], name=op.f("session_person_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("session_pkey")),
        sa.UniqueConstraint("digest", name=op.f("session_digest_key")),
        schema="anomaly",
    )
    op.create_index("session_person_id_idx", "session", ["person_id"], unique=False, schema="anomaly")
    op.create_table(
        "token_cluster",
        sa.Column("token_id", sa.Integer(), nullable=False),
        sa.Column("cluster_id", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"],
            ["anomaly.cluster.id"],
            name=op.f("token_cluster_cluster_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["token_id"], ["anomaly.token.id"], name=op.f("token_cluster_token_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_id", "cluster_id", name=op.f("token_cluster_pkey")),
        schema="anomaly",
    )
    op.add_column(
        "token",
        sa.Column("every_cluster", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        schema="anomaly",
    )
    op.add_column(
        "token",
        sa.Column("name", sa.Text(), server_default="", nullable=False, comment="what it is for"),
        schema="anomaly",
    )
    op.add_column(
        "token", sa.Column("created_by", sa.Text(), server_default="", nullable=False), schema="anomaly"
    )
    op.alter_column(
        "token",
        "cluster_id",
        existing_type=sa.SMALLINT(),
        nullable=True,
        comment="for a token that may only send events of this cluster; null: see token_cluster, every_cluster",
        schema="anomaly",
    )
    op.alter_column(
        "token",
        "scope",
        existing_type=sa.TEXT(),
        comment="rights, with commas between",
        existing_nullable=False,
        schema="anomaly",
    )


def downgrade() -> None:
    """Take the step back."""
    # The release before knows no token without a cluster of its own.
    op.execute("DELETE FROM anomaly.token WHERE cluster_id IS NULL")
    op.alter_column(
        "token",
        "scope",
        existing_type=sa.TEXT(),
        comment=None,
        existing_comment="rights, with commas between",
        existing_nullable=False,
        schema="anomaly",
    )
    op.alter_column(
        "token",
        "cluster_id",
        existing_type=sa.SMALLINT(),
        nullable=False,
        comment=None,
        existing_comment="for a token that may only send events of this cluster; null: see token_cluster, every_cluster",
        schema="anomaly",
    )
    op.drop_column("token", "created_by", schema="anomaly")
    op.drop_column("token", "name", schema="anomaly")
    op.drop_column("token", "every_cluster", schema="anomaly")
    op.drop_table("token_cluster", schema="anomaly")
    op.drop_index("session_person_id_idx", table_name="session", schema="anomaly")
    op.drop_table("session", schema="anomaly")
    op.drop_table("person_cluster", schema="anomaly")
    op.drop_index("invite_person_id_idx", table_name="invite", schema="anomaly")
    op.drop_table("invite", schema="anomaly")
    op.drop_table("certificate_name", schema="anomaly")
    op.drop_table("person", schema="anomaly")
    op.drop_index("failed_try_whose_idx", table_name="failed_try", schema="anomaly")
    op.drop_index("failed_try_made_at_idx", table_name="failed_try", schema="anomaly")
    op.drop_table("failed_try", schema="anomaly")
    op.drop_index("access_entry_name_idx", table_name="access_entry", schema="anomaly")
    op.drop_index("access_entry_made_at_idx", table_name="access_entry", schema="anomaly")
    op.drop_table("access_entry", schema="anomaly")
