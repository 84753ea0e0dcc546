"""Events as files: complete, readable, and harmless in a spreadsheet."""

import csv
import io
import json

import pyarrow.parquet
import pytest

from anomaly.events.decode import decode_lines
from anomaly.query import EVERYTHING
from anomaly.reports.cells import harmless
from anomaly.reports.event_export import COLUMNS, written
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.search import Asked, search_events
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import START, raw_event
from tests.anomaly.store.state import HOUR_US

EVIL = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "\uff1d1",
    '"; DROP',
    "a,b\nc",
    "\u202eevil",
    "\ud800",
]


@pytest.fixture(scope="module")
def found(postgres):
    raws = [
        raw_event(by=text, agent=text, name=text, namespace=text, at=number)
        for number, text in enumerate(EVIL[:-1])
    ]
    raws.append(raw_event(by="pretty", at=99).replace(b",", b",\n"))
    with postgres.clone() as database:
        with database.begin() as connection:
            number = ensure_cluster(connection, "prod")
        writer = Writer(database.dedicated, pack(), HOUR_US)
        writer.write(
            [
                Arrival(
                    number,
                    "t",
                    decode_lines(raws[0] + b"\n" + b"\n".join(one.replace(b"\n", b"") for one in raws[1:])),
                )
            ]
        )
        writer.close()
        with database.read() as connection:
            yield search_events(connection, Asked(EVERYTHING, START), None, 100, raw=True).found


def test_csv_holds_every_event_and_no_cell_is_a_formula(found):
    rows = list(csv.DictReader(io.StringIO(b"".join(written(found, "csv")).decode())))
    assert len(rows) == len(found) == len(EVIL)
    for row in rows:
        assert tuple(row) == COLUMNS
        assert not any(
            cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in row.values()
        )
    assert {row["user"].removeprefix("'") for row in rows} >= {
        text.replace("\x00", "") for text in EVIL[:-1]
    } - {"a,b\nc"}


def test_json_lines_are_the_events_as_they_came(found):
    lines = b"".join(written(found, "jsonl")).splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(one.raw) for one in found]


def test_parquet_has_types(found):
    table = pyarrow.parquet.read_table(io.BytesIO(b"".join(written(found, "parquet"))))
    assert table.column_names == list(COLUMNS)
    assert table["time"].to_pylist() == [one.received_at for one in found]
    assert table["user"].to_pylist() == [one.user for one in found]
    assert table.schema.field("code").type == "int16"


def test_nothing_is_a_file_too():
    assert b"".join(written([], "csv")).decode().strip() == ",".join(COLUMNS)
    assert b"".join(written([], "jsonl")) == b""
    assert pyarrow.parquet.read_table(io.BytesIO(b"".join(written([], "parquet")))).num_rows == 0


@pytest.mark.parametrize(
    ("text", "cell"), [("=1", "'=1"), ("plain", "plain"), ("a=1", "a=1"), ("", ""), ("  @x", "'  @x")]
)
def test_only_what_begins_like_a_formula_is_marked(text, cell):
    assert harmless(text) == cell
