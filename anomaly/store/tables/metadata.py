"""The MetaData all tables hang on; names of constraints follow one pattern so that migrations can name them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import MetaData

SCHEMA: Final = "anomaly"

metadata: Final = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    },
)
