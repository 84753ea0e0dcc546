"""Events as a file to work on elsewhere: CSV, JSON lines with the whole events, or Parquet. Written as it is read."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from anomaly.reports.cells import harmless
from anomaly.store.found import Found

Form = Literal["csv", "jsonl", "parquet"]
MEDIA: Final[dict[Form, str]] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
COLUMNS: Final = ("time", "cluster", "user", "acting_as", "verb", "resource", "namespace", "name", "code", "allowed", "address",
                  "agent", "stage", "level", "latency_ms", "size", "key")  # fmt: skip
_ROWS_AT_ONCE: Final = 2_000
_PIECE: Final = 1 << 20


def written(found: Iterable[Found], form: Form) -> Iterator[bytes]:
    """This will yield the file in pieces. JSON lines need the raw events; the others do without."""
    return {"csv": _csv, "jsonl": _json_lines, "parquet": _parquet}[form](found)


def row_of(one: Found) -> dict[str, Any]:
    """This will return an event as a row of `COLUMNS`."""
    return {
        "time": one.received_at,
        "cluster": one.cluster,
        "user": one.user,
        "acting_as": one.acting_as,
        "verb": one.verb,
        "resource": one.resource,
        "namespace": one.namespace,
        "name": one.name,
        "code": one.code,
        "allowed": one.allowed,
        "address": one.address,
        "agent": one.agent,
        "stage": one.stage,
        "level": one.level,
        "latency_ms": one.latency_us / 1000,
        "size": one.size,
        "key": one.event_key.hex,
    }


def _csv(found: Iterable[Found]) -> Iterator[bytes]:
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(COLUMNS)
    for one in found:
        row = row_of(one) | {"time": one.received_at.isoformat()}
        writer.writerow([harmless(value) if isinstance(value, str) else value for value in row.values()])
        if held.tell() > _PIECE:
            yield held.getvalue().encode("utf-8", "backslashreplace")
            held.seek(0)
            held.truncate()
    yield held.getvalue().encode("utf-8", "backslashreplace")


def _json_lines(found: Iterable[Found]) -> Iterator[bytes]:
    for one in found:
        # Inside texts JSON has no line ends, so those of a pretty-printed event can go.
        yield one.raw.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def _parquet(found: Iterable[Found]) -> Iterator[bytes]:
    import pyarrow
    from pyarrow import parquet

    numbers = {"code": pyarrow.int16(), "size": pyarrow.int64(), "latency_ms": pyarrow.float64()}
    kinds = numbers | {"time": pyarrow.timestamp("us", tz="UTC"), "allowed": pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])
    with tempfile.TemporaryFile() as file:
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            rows: list[dict[str, Any]] = []
            for one in found:
                rows.append(row_of(one))
                if len(rows) == _ROWS_AT_ONCE:
                    writer.write_table(pyarrow.Table.from_pylist(rows, schema))
                    rows = []
            writer.write_table(pyarrow.Table.from_pylist(rows, schema))
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece
