"""`anomaly triage`: what people do with findings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from anomaly.store.triage import Kept

app = App(name="triage", help="Take findings, comment, close them with a verdict; see who did what.")

Which = Annotated[str, Parameter(help="Id of the finding, or how it begins.")]
Who = Annotated[str | None, Parameter(name="--as", help="Who does it; the user of this machine unless said.")]
Seen = Annotated[
    int | None, Parameter(name="--version", help="The version you decided on: refused if it changed since.")
]


@app.command
def take(finding: Which, *, who: Who = None, version: Seen = None, output: Output = Format.TABLE) -> None:
    """Take a finding in hand."""
    from anomaly.review import take as move

    _make(finding, who, output, lambda session, number, name, now: move(session, number, name, now, version))


@app.command
def assign(
    finding: Which, to: str, *, who: Who = None, version: Seen = None, output: Output = Format.TABLE
) -> None:
    """Put a finding into somebody else's hands."""
    from anomaly.review import assign as move

    _make(
        finding, who, output, lambda session, number, name, now: move(session, number, to, name, now, version)
    )


@app.command
def release(finding: Which, *, who: Who = None, version: Seen = None, output: Output = Format.TABLE) -> None:
    """Give a taken finding back to whoever comes next."""
    from anomaly.review import release as move

    _make(finding, who, output, lambda session, number, name, now: move(session, number, name, now, version))


@app.command
def comment(finding: Which, note: str, *, who: Who = None, output: Output = Format.TABLE) -> None:
    """Add a remark to a finding."""
    from anomaly.review import comment as move

    _make(finding, who, output, lambda session, number, name, now: move(session, number, note, name, now))


@app.command
def close(
    finding: Which,
    *,
    verdict: Literal["true", "benign", "false_alarm"],
    note: str = "",
    who: Who = None,
    version: Seen = None,
    output: Output = Format.TABLE,
) -> None:
    """Close a finding with a verdict, from which judging and training learn.

    Parameters
    ----------
    verdict
        true: an attack or a breach. benign: unusual, but wanted. false_alarm: not unusual at all.
    note
        Why, for those who come after.
    """
    from anomaly.findings.triage import Verdict
    from anomaly.review import close as move

    said = Verdict(verdict)
    _make(
        finding,
        who,
        output,
        lambda session, number, name, now: move(session, number, said, name, now, note, version),
    )


@app.command
def reopen(
    finding: Which, *, note: str = "", who: Who = None, version: Seen = None, output: Output = Format.TABLE
) -> None:
    """Open a closed or suppressed finding again; its verdict is taken back."""
    from anomaly.review import reopen as move

    _make(
        finding,
        who,
        output,
        lambda session, number, name, now: move(session, number, name, now, note, version),
    )


@app.command
def undo(finding: Which, *, who: Who = None, version: Seen = None, output: Output = Format.TABLE) -> None:
    """Take back the last step; comments stay, and the history shows both."""
    from anomaly.review import undo as move

    _make(finding, who, output, lambda session, number, name, now: move(session, number, name, now, version))


@app.command
def history(finding: Which, *, output: Output = Format.TABLE) -> None:
    """Show who did what with a finding, oldest first."""
    from anomaly.payloads.triage import history_payload
    from anomaly.review import history as steps
    from anomaly.store.triage import standing_of

    with current().database() as database, database.read() as session:
        number = chosen(session, finding)
        made, held = steps(session, number), standing_of(session, number)
    shown = history_payload(number, held, made)
    if output is Format.JSON:
        write_json(shown)
        return
    columns = [
        Column(key, wrap=key == "note") for key in ("at", "who", "move", "state", "verdict", "undone", "note")
    ]
    write_table(shown["steps"], columns, empty="Nobody did anything with this finding yet.")
    moves = ", ".join(shown["moves"])
    current().say(f"It is {held.standing.state.value}, version {held.version}; it can {moves}.")


def chosen(session: Connection, prefix: str) -> UUID:
    """This will return the one finding whose id begins so. Raises NotFound or UsageError."""
    from anomaly.errors import NotFound, UsageError
    from anomaly.store.findings import findings_by_prefix

    found = findings_by_prefix(session, prefix)
    if not found:
        raise NotFound(f"There is no finding {prefix}.", hint="`anomaly findings list` shows their ids.")
    if len(found) > 1:
        ids = ", ".join(str(one.id)[:13] for one in found)
        raise UsageError(f"Several findings begin with {prefix}: {ids}.", hint="Give more of the id.")
    return found[0].id


def myself() -> str:
    """This will return the name of the user of this machine."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _make(
    finding: str,
    who: str | None,
    output: Format,
    move: Callable[[Connection, UUID, str, datetime], Kept],
) -> None:
    from anomaly.cli.moment import clock
    from anomaly.payloads.triage import standing_payload

    with current().database() as database, database.begin() as session:
        number = chosen(session, finding)
        kept = move(session, number, who or myself(), clock())
    write_details(standing_payload(number, kept), output=output)
