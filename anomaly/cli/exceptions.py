"""`anomaly exceptions`: what rules shall not report, for whom, why, and until when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table, write_text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from anomaly.findings.exceptions import RuleException
    from anomaly.store.exceptions import Preview

app = App(
    name="exceptions", help="Exceptions from rules: try them on what is stored, save, list and end them."
)

_Rule = Annotated[str, Parameter(name="--rule", help="Id of a rule or correlation; * stands for anything.")]
_Part = Annotated[str, Parameter(help="* stands for anything.")]
_Until = Annotated[
    str, Parameter(name="--until", help="When it ends: 2026-11-23, or 30d, 12w from now; a year at most.")
]
_Days = Annotated[int, Parameter(help="How many days of stored findings to try it on.")]


@app.command
def preview(
    *,
    rule: _Rule,
    cluster: _Part = "*",
    entity: _Part = "*",
    namespace: _Part = "*",
    name: _Part = "*",
    days: _Days = 30,
    output: Output = Format.TABLE,
) -> None:
    """Show what an exception would have silenced, without saving it."""
    from anomaly.cli.moment import clock

    now = clock()
    exception = _made(
        rule, cluster, entity, namespace, name, "preview", "preview", now + timedelta(days=1), now
    )
    with current().database() as database, database.read() as connection:
        found = _tried(connection, exception, now, days)
    _show(found, days, output)


@app.command
def add(
    *,
    rule: _Rule,
    owner: str,
    reason: str,
    until: _Until,
    cluster: _Part = "*",
    entity: _Part = "*",
    namespace: _Part = "*",
    name: _Part = "*",
    days: _Days = 30,
    output: Output = Format.TABLE,
) -> None:
    """Save an exception, after saying what it would have silenced.

    It holds for events received before its end, from the next batch on; findings there are already stay. Matches it covers
    make no finding and feed no correlation; `anomaly exceptions show` lists them.

    Parameters
    ----------
    owner
        Who answers for it.
    reason
        Why this is harmless.
    """
    from anomaly.cli.moment import clock
    from anomaly.payloads.exception import kept_exception_payload
    from anomaly.store.exceptions import add_exception

    now = clock()
    exception = _made(rule, cluster, entity, namespace, name, owner, reason, _end(until, now), now)
    with current().database() as database:
        with database.read() as connection:
            found = _tried(connection, exception, now, days)
        current().say(_sentence(found, days))
        with database.begin() as connection:
            number = add_exception(connection, exception)
    write_details(kept_exception_payload(number, exception, found), output=output)


@app.command(name="list")
def list_(
    *, all_: Annotated[bool, Parameter(name="--all", negative="")] = False, output: Output = Format.TABLE
) -> None:
    """List the exceptions in force, and what each has silenced.

    Parameters
    ----------
    all_
        Also those that ended.
    """
    from anomaly.cli.moment import clock
    from anomaly.payloads.exception import exception_payload
    from anomaly.store.exceptions import list_exceptions

    with current().database() as database, database.read() as connection:
        found = list_exceptions(connection, None if all_ else clock())
    rows = [exception_payload(one) for one in found]
    names = ("id", "rule", "cluster", "entity", "namespace", "name", "ends_at", "owner", "reason")
    columns = [Column(part) for part in names] + [
        Column("findings", right=True),
        Column("silenced", right=True),
    ]
    write_table(rows, columns, output=output, empty="There are no exceptions.")


@app.command
def show(exception: int, *, limit: int = 50, output: Output = Format.TABLE) -> None:
    """List what an exception has silenced: the findings there would be."""
    from anomaly.errors import NotFound
    from anomaly.payloads.exception import held_payload
    from anomaly.store.exceptions import list_exceptions
    from anomaly.store.pauses import list_held

    with current().database() as database, database.read() as connection:
        if exception not in {one.exception.id for one in list_exceptions(connection)}:
            raise NotFound(
                f"There is no exception {exception}.",
                hint="`anomaly exceptions list --all` shows all of them.",
            )
        held = list_held(connection, "exception", exception, limit)
    write_table(
        [held_payload(one) for one in held], HELD, output=output, empty="It has silenced nothing yet."
    )


@app.command
def end(exception: int) -> None:
    """End an exception now: events received from now on are reported again."""
    from anomaly.cli.moment import clock
    from anomaly.store.exceptions import end_exception

    with current().database() as database, database.begin() as connection:
        end_exception(connection, exception, clock())
    current().say(f"Exception {exception} has ended.")


HELD = (
    *(Column("start", wrap=False), Column("rule"), Column("cluster"), Column("entity")),
    *(Column("reason"), Column("count", "events", right=True)),
)


def _made(
    rule: str,
    cluster: str,
    entity: str,
    namespace: str,
    name: str,
    owner: str,
    reason: str,
    end: datetime,
    now: datetime,
) -> RuleException:
    from anomaly.bootstrap import load_rules
    from anomaly.findings.exceptions import RuleException, checked

    made = RuleException(rule, owner, reason, end, cluster, entity, namespace, name)
    return checked(made, now, load_rules(current().settings()).by_id)


def _end(text: str, now: datetime) -> datetime:
    from anomaly.cli.moment import moment

    read = moment(text, now)
    assert read is not None
    # "30d" means so long ago elsewhere; an end lies ahead.
    return now + (now - read) if text.strip()[-1:].isalpha() and text.strip()[:-1].isdigit() else read


def _tried(connection: Connection, exception: RuleException, now: datetime, days: int) -> Preview:
    from anomaly.bootstrap import load_rules
    from anomaly.errors import UsageError
    from anomaly.store.exceptions import preview as tried

    if not 1 <= days <= 3660:
        raise UsageError("--days must be between 1 and 3660.")
    rules = load_rules(current().settings()).by_id
    return tried(connection, exception, rules, now - timedelta(days=days), now)


def _sentence(found: Preview, days: int) -> str:
    parts = f"{found.findings:,} findings wholly, {found.partly:,} in part, {found.events:,} events in them"
    fed = f"; correlations would not have seen {found.fed:,} matches" if found.fed else ""
    return f"In the last {days} days it would have silenced {parts}{fed}."


def _show(found: Preview, days: int, output: Format) -> None:
    from anomaly.payloads.exception import exception_preview_payload

    shown = exception_preview_payload(found)
    if output is Format.JSON:
        write_json(shown)
        return
    write_text(_sentence(found, days))
    if shown["examples"]:
        by_day = [row | {"day": f"{row['day']:%Y-%m-%d}"} for row in map(dict, shown["days"])]
        write_table(by_day, (Column("day"), Column("findings", right=True)))
        write_text("")
        write_table(shown["examples"], tuple(Column(name) for name in ("id", "rule", "entity", "start")))
