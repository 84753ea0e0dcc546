"""Rows for spreadsheets: CSV in which nothing that somebody named is taken for a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from io import StringIO


def harmless(text: str) -> str:
    """This will return a cell with a quote in front if it begins like a formula (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def csv_lines(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> str:
    """This will return rows as CSV lines (RFC 4180), without a heading."""
    out = StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return harmless(", ".join(str(one) for one in value))
    text = "".join(
        c if c.isprintable() or c == " " else c.encode("unicode_escape").decode() for c in str(value)
    )
    return harmless(text)
