"""Data to standard output, as a table for people or JSON for programs; nothing an attacker named reaches the
terminal raw.

User names, object names, user agents and URIs are chosen by whoever calls the API. An escape sequence or a
right-to-left override among them could repaint the very terminal on which the finding is read.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.progress import Progress

# C0, DEL, C1; soft hyphen; marks and overrides of direction; zero width; line and paragraph separators; lone
# surrogates;
# byte order mark; tags. Unicode TR36 "bidirectional text spoofing" and "invisible characters".
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


_PADDED = 60
"""Columns up to which values for a pipe are padded: one name of 500 letters would push every row out of sight."""


class Format(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"


Output = Annotated[
    Format, Parameter(name=["--output", "-o"], help="`table` for people, `json` for programs.")
]
"""The option that every command with data has: `def show(*, output: Output = Format.TABLE)`."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: the key in each row, its heading (default: the key), numbers to the right."""

    key: str
    heading: str = ""
    right: bool = False
    wrap: bool = True


def visible(text: str, *, keep_lines: bool = False) -> str:
    r"""Make every hidden character seen. This will turn an escape into `\x1b`, an override into `\u202e`, and so on."""
    if keep_lines:
        return "\n".join(visible(line) for line in text.split("\n"))
    return _HIDDEN.sub(_spelled, text)


def write_text(text: str) -> None:
    """Write our own text to standard output, as a script or a page. This will end it with a newline."""
    _write(text, sys.stdout)


def tell(message: str) -> None:
    """Write a message to the person at the terminal, on standard error. This will make hidden characters seen."""
    _write(visible(message, keep_lines=True), sys.stderr)
    sys.stderr.flush()


def write_json(value: object, *, file: TextIO | None = None) -> None:
    """Write one JSON document, indented. This will take dataclasses, times, enums, sets and msgspec structs."""
    import msgspec

    text = msgspec.json.format(msgspec.json.encode(value, enc_hook=str), indent=2).decode()
    _write(_HIDDEN.sub(_escaped, text), file or sys.stdout)


def write_json_line(value: object, *, file: TextIO | None = None) -> None:
    """Write one JSON value on one line, for streams. This will end it with a newline."""
    import msgspec

    _write(_HIDDEN.sub(_escaped, msgspec.json.encode(value, enc_hook=str).decode()), file or sys.stdout)


def write_table(
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[Column],
    *,
    output: Format = Format.TABLE,
    empty: str = "Nothing.",
    file: TextIO | None = None,
) -> None:
    """Write many things of one kind. This will be a JSON array of the whole rows, or a table of the columns.

    On a terminal the table fits its width; elsewhere no value is cut, and one longer than 60 columns moves only
    its own row. With no rows `empty` goes to standard error.
    """
    found = list(rows)
    out = file or sys.stdout
    if output is Format.JSON:
        write_json(found, file=out)
        return
    if not found:
        _write(visible(empty), sys.stderr)
        return
    if not out.isatty():
        _write_plain(found, columns, out)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(
            column.heading or column.key.replace("_", " "),
            justify="right" if column.right else "left",
            no_wrap=not column.wrap,
            overflow="fold",
        )
    for row in found:
        # Text, not str: rich would read [brackets] in a name as markup.
        table.add_row(*(Text(cell(row.get(column.key))) for column in columns))
    _print(table, out)


def _write_plain(rows: Sequence[Mapping[str, object]], columns: Sequence[Column], out: TextIO) -> None:
    from rich.cells import cell_len

    lines = [[column.heading or column.key.replace("_", " ") for column in columns]]
    lines += [[cell(row.get(column.key)) for column in columns] for row in rows]
    widths = [min(_PADDED, max(map(cell_len, texts))) for texts in zip(*lines, strict=True)]
    for texts in lines:
        parts = []
        for text, width, column in zip(texts, widths, columns, strict=True):
            space = " " * (width - cell_len(text))
            parts.append(space + text if column.right else text + space)
        _write("  ".join(parts).rstrip(), out)


def write_details(
    details: Mapping[str, object], *, output: Format = Format.TABLE, file: TextIO | None = None
) -> None:
    """Write one thing. This will be a JSON object, or one line for each of its values."""
    out = file or sys.stdout
    if output is Format.JSON:
        write_json(dict(details), file=out)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold", no_wrap=not out.isatty())
    for name, value in details.items():
        table.add_row(Text(visible(name.replace("_", " "))), Text(cell(value)))
    _print(table, out)


def cell(value: object) -> str:
    """Write one value for people. This will be `-` for nothing, UTC to the second for times, commas for
    lists.
    """
    if value is None or value == "" or value == [] or value == ():
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(cell(item) for item in value)
    return visible(str(value))


def progress(*, quiet: bool = False) -> Progress:
    """A progress display on standard error. This will show nothing when that is no terminal, or with
    `--quiet`.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )


def _print(table: object, out: TextIO) -> None:
    from rich.console import Console

    if out.isatty():
        # rich itself heeds NO_COLOR and TERM=dumb.
        Console(file=out, highlight=False, emoji=False, markup=False).print(table)
        return
    wide = Console(file=StringIO(), width=100_000, no_color=True, highlight=False, emoji=False, markup=False)
    with wide.capture() as captured:
        wide.print(table)
    _write("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")), out)


def _write(text: str, out: TextIO) -> None:
    try:
        out.write(text + "\n")
    except UnicodeEncodeError:
        # A terminal of another encoding (LC_ALL=C) must not end the command.
        encoding = out.encoding or "ascii"
        out.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _spelled(found: re.Match[str]) -> str:
    code = ord(found[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(
        code, f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    )


def _escaped(found: re.Match[str]) -> str:
    # Inside JSON text a newline can only be our own indentation: those of values are escaped already.
    code = ord(found[0])
    if code == 10:
        return "\n"
    if code >= 0x10000:
        return f"\\u{0xD800 + ((code - 0x10000) >> 10):04x}\\u{0xDC00 + ((code - 0x10000) & 0x3FF):04x}"
    return f"\\u{code:04x}"
