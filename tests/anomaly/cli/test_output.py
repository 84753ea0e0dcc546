"""What reaches the terminal, and what never does."""

import io
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.cli.output import (
    Column,
    Format,
    cell,
    progress,
    visible,
    write_details,
    write_json,
    write_json_line,
    write_table,
)

COLUMNS = [Column("user"), Column("count", right=True)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def table(rows, **options):
    out = io.StringIO()
    write_table(rows, COLUMNS, file=out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param("bob", "bob", id="plain text stays"),
        pytest.param("Zoë 李 🚀", "Zoë 李 🚀", id="other scripts stay"),
        pytest.param("[bold]bob[/bold]", "[bold]bob[/bold]", id="markup is text"),
        pytest.param("a\x1b[2Jb", "a\\x1b[2Jb", id="clear screen"),
        pytest.param("a\x1b]0;title\x07b", "a\\x1b]0;title\\x07b", id="window title"),
        pytest.param("a\rb\nc\td", "a\\rb\\nc\\td", id="lines and tabs"),
        pytest.param("a\x9b31mb", "a\\x9b31mb", id="C1 escape"),
        pytest.param("a\u202eb", "a\\u202eb", id="right to left override"),
        pytest.param("a\u200bb\ufeff", "a\\u200bb\\ufeff", id="zero width"),
        pytest.param("a\x00b", "a\\x00b", id="NUL"),
        pytest.param("a\ud800b", "a\\ud800b", id="lone surrogate"),
        pytest.param("a\U000e0041b", "a\\U000e0041b", id="tag character"),
    ],
)
def test_hidden_characters_are_seen(raw, shown):
    assert visible(raw) == shown


@given(st.text())
def test_no_text_can_steer_a_terminal(text):
    rows = [{"user": text, "count": 1}]
    plain = table(rows)
    terminal = Terminal()
    write_table(rows, [Column("user")], file=terminal)

    assert not set(plain) & set(map(chr, [*range(10), *range(11, 32), *range(127, 160)]))
    assert plain.count("\n") == 2
    # The only escapes on a terminal are our own heading's.
    assert terminal.getvalue().count("\x1b") <= 4
    assert "\x1b]" not in terminal.getvalue()


@given(st.text(st.characters(codec="utf-8")))
def test_json_keeps_every_character_and_shows_none_that_is_hidden(text):
    out = io.StringIO()
    write_json({"user": text}, file=out)

    assert json.loads(out.getvalue()) == {"user": text}
    assert visible(out.getvalue().replace("\n", "")) == out.getvalue().replace("\n", "")


def test_a_table_for_a_pipe_is_plain_and_whole():
    long = "system:serviceaccount:" + "x" * 20
    assert table([{"user": long, "count": 7}, {"user": "bob", "count": 12}]).splitlines() == [
        f"{'user':<{len(long)}}  count",
        f"{long}      7",
        f"{'bob':<{len(long)}}     12",
    ]


def test_one_long_name_moves_only_its_own_row_in_a_pipe():
    long = "x" * 500
    assert table([{"user": long, "count": 7}, {"user": "bob", "count": 12}]).splitlines() == [
        f"{'user':<60}  count",
        f"{long}      7",
        f"{'bob':<60}     12",
    ]


def test_a_table_on_a_terminal_heeds_no_color(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    rows, bright, dull = [{"user": "bob", "count": 1}], Terminal(), Terminal()
    write_table(rows, COLUMNS, file=bright)
    monkeypatch.setenv("NO_COLOR", "1")
    write_table(rows, COLUMNS, file=dull)

    assert "\x1b[" in bright.getvalue()
    # Bold is no colour; what counts is that nothing is coloured.
    assert "\x1b[3" not in dull.getvalue()
    assert "bob" in dull.getvalue()


def test_an_empty_table_says_so_beside_the_data(capsys):
    write_table([], COLUMNS, empty="No findings yet.")
    said = capsys.readouterr()

    assert (said.out, said.err) == ("", "No findings yet.\n")


def test_an_empty_table_is_an_empty_array_for_programs():
    assert json.loads(table([], output=Format.JSON)) == []


def test_json_holds_more_than_the_columns():
    assert json.loads(table([{"user": "bob", "count": 1, "id": "x"}], output=Format.JSON)) == [
        {"user": "bob", "count": 1, "id": "x"}
    ]


def test_details_are_a_line_each_or_one_object():
    details = {"state": "ready", "size_bytes": 12, "pending": []}
    lines, document = io.StringIO(), io.StringIO()
    write_details(details, file=lines)
    write_details(details, output=Format.JSON, file=document)

    assert lines.getvalue().splitlines() == ["state       ready", "size bytes  12", "pending     -"]
    assert json.loads(document.getvalue()) == details


def test_json_takes_what_our_own_values_are_made_of():
    @dataclass
    class Finding:
        at: datetime
        output: Format
        tags: frozenset

    out = io.StringIO()
    write_json_line(Finding(datetime(2026, 1, 2, tzinfo=UTC), Format.JSON, frozenset({"a"})), file=out)

    assert out.getvalue() == '{"at":"2026-01-02T00:00:00Z","output":"json","tags":["a"]}\n'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (True, "yes"),
        (0, "0"),
        (0.123456, "0.123"),
        (12345.6, "12,346"),
        (["a", "b\x1b"], "a, b\\x1b"),
        (datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=timezone(timedelta(hours=2))), "2026-01-02 01:04:05Z"),
    ],
)
def test_values_are_written_for_people(value, shown):
    assert cell(value) == shown


def test_an_encoding_that_cannot_write_a_name_does_not_end_the_command():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    write_table([{"user": "李", "count": 1}], COLUMNS, file=out)
    out.flush()

    assert b"\\u674e" in raw.getvalue()


def test_progress_leaves_nothing_behind_when_nobody_looks(capsys):
    with progress() as shown:
        shown.advance(shown.add_task("reading", total=10), 10)

    assert capsys.readouterr().err == ""
    assert not sys.stderr.isatty()
