"""Many rows as columns of numbers: PostgreSQL joins each column into one run of bytes, which numpy reads as it lies.

Ten thousand rows take some milliseconds this way; one by one, as Python objects, they take tens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, FromClause, LargeBinary, func, literal, select
from sqlalchemy.sql.elements import ColumnElement

Numbers = NDArray[np.int64]

_FORMS: Final = {"int4": ">i4", "int8": ">i8", "timestamptz": ">i8", "float8": ">f8", "uuid": "V16"}
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""From which PostgreSQL counts times."""
_MICROSECOND: Final = timedelta(microseconds=1)


def read_columns(
    connection: Connection,
    columns: Mapping[str, tuple[str, ColumnElement[Any]]],
    source: FromClause,
    where: Sequence[ColumnElement[bool]],
    only: Mapping[str, ColumnElement[bool]] | None = None,
) -> dict[str, NDArray[Any]]:
    """This will return one array for each column, named (type, expression); types are int4, int8, timestamptz, float8 and uuid.

    Integers and times come as int64, times as `moment` reads them, float8 as float64, uuid as 16 bytes each. No value may be null:
    a null would be left out, and the columns would not go together. The order of rows is any, but one for all columns. Columns
    named in `only` have just the rows that are so: two questions of one pass.
    """
    only = only or {}
    joined = [_run(kind, one, only.get(name)) for name, (kind, one) in columns.items()]
    row = connection.execute(select(*joined).select_from(source).where(*where)).one()
    return {
        name: _read(bytes(run or b""), kind)
        for (name, (kind, _)), run in zip(columns.items(), row, strict=True)
    }


def _run(kind: str, one: ColumnElement[Any], only: ColumnElement[bool] | None) -> ColumnElement[bytes]:
    sent = getattr(func, f"{kind}_send" if kind[-1].isalpha() else f"{kind}send")(one)
    run = func.string_agg(sent, literal(b"", LargeBinary), type_=LargeBinary)
    return run if only is None else run.filter(only)


def _read(run: bytes, kind: str) -> NDArray[Any]:
    found = np.frombuffer(run, _FORMS[kind])
    return found if kind == "uuid" else found.astype(np.float64 if kind == "float8" else np.int64)


def uuid_of(value: Any) -> UUID:
    """This will return the id that 16 bytes of a column are."""
    return UUID(bytes=bytes(value))


def ticks(at: datetime) -> int:
    """This will return a time as columns hold it."""
    return (at - _EPOCH) // _MICROSECOND


def moment(value: Any) -> datetime:
    """This will return the time that a value of a column is."""
    return _EPOCH + timedelta(microseconds=int(value))
