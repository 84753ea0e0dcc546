"""`anomaly scan`: the rules over events in a file or from standard input, with no database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

_MOST_REFUSED = 5
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
    refused = _Refused()
    for name in logs_of(source):
        for hit in _file_hits(state, name, refused):
            _print(hit, shown, output)
    for hit in state.finish():
        _print(hit, shown, output)
    if more := state.rejects - refused.told:
        current().say(f"{more:,} more not decodable.")
    rejected = f", {state.rejects:,} not decodable" if state.rejects else ""
    events = f"{state.events:,} event" + ("" if state.events == 1 else "s")
    current().say(f"{events}{rejected}, {state.hits:,} match" + ("." if state.hits == 1 else "es."))
    if state.rejects and not state.events:
        current().say("Nothing here is an audit event: is this an audit log of the Kubernetes API server?")
        return 1
    return 0


@dataclass(slots=True)
class _Refused:
    """Says where the first things that could not be decoded are, and why. `lines` are those of the file before this block."""

    told: int = 0
    lines: int = 0

    def tell(self, file: LogFile, data: bytes, decoded: Decoded) -> None:
        wanted = decoded.rejects[: max(0, _MOST_REFUSED - self.told)]
        lines = enumerate(data.split(b"\n"), self.lines + 1) if wanted else iter(())
        for reject in wanted:
            self.told += 1
            number = next((number for number, line in lines if line == reject.raw), 0)
            # what came in a list of one line, or wrapped in a record of its cloud, is no line of its own
            place = f":{'item ' if file.list_depth else ''}{number}" if number else ""
            current().say(f"{file.name}{place}: {reject.reason}")
        self.lines += data.count(b"\n")


def _file_hits(state: Scan, name: str, refused: _Refused) -> Iterator[Hit]:
    from anomaly.sources.files import open_source

    with open_source(name) as file, _progress(file) as show:
        refused.lines = 0
        for decoded in _decoded(file, refused):
            yield from state.feed(decoded)
            show(file.read_bytes, file.size)


def _decoded(file: LogFile, refused: _Refused) -> Iterator[Decoded]:
    from anomaly.events.decode import Decoded, Reject, decode_lines
    from anomaly.sources.block import Oversized
    from anomaly.sources.unwrap import normalise

    for block in file.blocks():
        if isinstance(block, Oversized):
            decoded = Decoded(rejects=[Reject(block.head, f"the event is {block.length:,} bytes long")])
            data = block.head.partition(b"\n")[0] + b"\n"
        else:
            decoded, data = decode_lines(normalise(block.data)), block.data
        refused.tell(file, data, decoded)
        yield decoded


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
