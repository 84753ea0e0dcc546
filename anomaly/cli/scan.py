"""`anomaly scan`: the rules over events in a file or from standard input, with no database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, cell, visible, write_json_line, write_text

if TYPE_CHECKING:
    from anomaly.events.decode import Decoded
    from anomaly.rules.scan import Hit, Scan
    from anomaly.sources.files import LogFile

app = App(
    name="scan",
    help="Run the rules over events in a file, a folder or standard input (-), without a database.",
)

_SEVERITIES = ("info", "low", "medium", "high", "critical")


class _Show(Protocol):
    def __call__(self, read: int, size: int) -> None: ...


@app.default
def scan(
    source: Annotated[
        str,
        Parameter(
            allow_leading_hyphen=True,
            help="A log (JSON lines, EventList; gz and zst too), a folder of logs, or -.",
        ),
    ],
    *,
    rules: Annotated[Path | None, Parameter(help="A rule file or folder instead of the pack.")] = None,
    severity: Literal["info", "low", "medium", "high", "critical"] = "info",
    output: Output = Format.TABLE,
) -> int:
    """Print one line for each match, as events come; correlations follow at the end.

    Parameters
    ----------
    severity
        The lowest severity that is printed.
    """
    from anomaly.rules import load, pack
    from anomaly.rules.scan import Scan
    from anomaly.sources.files import logs_of

    shown = frozenset(_SEVERITIES[_SEVERITIES.index(severity) :])
    state = Scan(pack() if rules is None else load(rules))
    for name in logs_of(source):
        for hit in _file_hits(state, name):
            _print(hit, shown, output)
    for hit in state.finish():
        _print(hit, shown, output)
    rejected = f", {state.rejects:,} not decodable" if state.rejects else ""
    current().say(f"{state.events:,} events{rejected}, {state.hits:,} matches.")
    return 1 if state.rejects and not state.events else 0


def _file_hits(state: Scan, name: str) -> Iterator[Hit]:
    from anomaly.sources.files import open_source

    with open_source(name) as file, _progress(file) as show:
        for decoded in _decoded(file):
            yield from state.feed(decoded)
            show(file.read_bytes, file.size)


def _decoded(file: LogFile) -> Iterator[Decoded]:
    from anomaly.events.decode import Decoded, Reject, decode_lines
    from anomaly.sources.block import Oversized
    from anomaly.sources.unwrap import normalise

    for block in file.blocks():
        if isinstance(block, Oversized):
            yield Decoded(rejects=[Reject(block.head, f"the event is {block.length:,} bytes long")])
        else:
            yield decode_lines(normalise(block.data))


def _print(hit: Hit, shown: frozenset[str], output: Format) -> None:
    if hit.severity not in shown:
        return
    if output is Format.JSON:
        write_json_line(hit)
    else:
        techniques = f" [{', '.join(hit.attack)}]" if hit.attack else ""
        write_text(visible(f"{cell(hit.time)}  {hit.severity:<8}  {hit.rule}{techniques}  {hit.why}"))


@contextmanager
def _progress(file: LogFile) -> Iterator[_Show]:
    """A bar on standard error while that is a terminal; nothing otherwise."""
    from anomaly.cli.output import progress

    with progress(quiet=current().quiet) as bar:
        task = bar.add_task(visible(file.name), total=file.size or None)

        def show(read: int, size: int) -> None:
            bar.update(task, completed=min(read, size) if size else read)

        yield show
