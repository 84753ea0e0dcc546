"""`anomaly suppress`: what is not to be shown for a while, by whom, why and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from anomaly.findings.suppress import Suppression
    from anomaly.review import Preview

app = App(name="suppress", help="Hide findings for a while; they are kept and counted, never dropped.")

Kind = Literal["rule", "behaviour"]
UpTo = Annotated[
    Literal["info", "low", "medium", "high", "critical"],
    Parameter(help="Highest severity it hides; what is graver is shown."),
]
Days = Annotated[float, Parameter(help="How long it holds, at most a year.")]


@app.command
def add(
    *,
    reason: str,
    name: str | None = None,
    entity: str | None = None,
    cluster: str | None = None,
    namespace: str | None = None,
    kind: Kind | None = None,
    up_to: UpTo = "high",
    days: Days = 30,
    owner: str | None = None,
    even_confirmed: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Hide findings by rule or deviation, entity, cluster or namespace. Says what it would have hidden lately.

    Parameters
    ----------
    name
        Rule id or name of the deviation; * stands for anything.
    entity
        Username; * stands for anything.
    namespace
        Only findings all of whose events lie there.
    owner
        Who answers for it; the user of this machine unless said.
    even_confirmed
        Keep it although it would have hidden findings that were confirmed as attacks.
    """
    from anomaly.cli.moment import clock
    from anomaly.payloads.suppression import kept_suppression_payload
    from anomaly.review import hold_back, suppress

    now = clock()
    with current().database() as database, database.begin() as session:
        wanted = _wanted(session, now, name, entity, cluster, namespace, kind, up_to, days, owner, reason)
        kept, would = suppress(session, wanted, now, even_confirmed)
        held = hold_back(session, now)
    write_details(kept_suppression_payload(kept, held.hidden, would), output=output)


@app.command
def preview(
    *,
    name: str | None = None,
    entity: str | None = None,
    cluster: str | None = None,
    namespace: str | None = None,
    kind: Kind | None = None,
    up_to: UpTo = "high",
    back: Annotated[float, Parameter(help="How many days to look back.")] = 30,
    output: Output = Format.TABLE,
) -> None:
    """Show what a suppression would have hidden. Keeps nothing.

    Parameters
    ----------
    name
        Rule id or name of the deviation; * stands for anything.
    entity
        Username; * stands for anything.
    """
    from datetime import timedelta

    from anomaly.cli.moment import clock
    from anomaly.errors import UsageError
    from anomaly.findings.suppress import checked
    from anomaly.payloads.suppression import suppression_preview_payload
    from anomaly.review import preview as look

    if not 0 < back <= 366:
        raise UsageError("--back takes at most 366 days.")
    now = clock()
    with current().database() as database, database.read() as session:
        wanted = _wanted(session, now, name, entity, cluster, namespace, kind, up_to, 1, "nobody", "a look")
        would = look(session, checked(wanted, now), now, timedelta(days=back))
    shown = suppression_preview_payload(would)
    if output is Format.JSON:
        write_json(shown)
        return
    write_table(
        shown["hidden"],
        [Column("id"), Column("severity"), Column("name"), Column("entity")],
        empty="It would have hidden nothing.",
    )
    _tell(would)


@app.command(name="list")
def listed(*, ended: bool = False, output: Output = Format.TABLE) -> None:
    """List suppressions with how many findings each hides.

    Parameters
    ----------
    ended
        Also those that hold no more.
    """
    from anomaly.cli.moment import clock
    from anomaly.payloads.suppression import suppression_payload
    from anomaly.store.clusters import cluster_names
    from anomaly.store.triage import list_suppressions

    with current().database() as database, database.read() as session:
        found = list_suppressions(session, clock(), ended)
        names = cluster_names(session)
    rows = [suppression_payload(one, hidden, names) for one, hidden in found]
    columns = [
        Column("id", right=True),
        Column("name"),
        Column("entity"),
        Column("namespace"),
        Column("up_to", "up to"),
        Column("owner"),
        Column("reason"),
        Column("ends_at", "ends"),
        Column("hides", right=True),
    ]
    write_table(rows, columns, output=output, empty="Nothing is suppressed.")


@app.command
def end(number: int, *, owner: str | None = None, output: Output = Format.TABLE) -> None:
    """End a suppression before its time. What it hid stays as it is; `anomaly triage reopen` brings one back."""
    from anomaly.cli.moment import clock
    from anomaly.cli.triage import myself
    from anomaly.store.triage import end_suppression

    with current().database() as database, database.begin() as session:
        end_suppression(session, number, owner or myself(), clock())
    write_details({"suppression": number, "ended": True}, output=output)


def _wanted(
    session: Connection,
    now: datetime,
    name: str | None,
    entity: str | None,
    cluster: str | None,
    namespace: str | None,
    kind: Kind | None,
    up_to: str,
    days: float,
    owner: str | None,
    reason: str,
) -> Suppression:
    from datetime import timedelta

    from anomaly.cli.triage import myself
    from anomaly.errors import UsageError
    from anomaly.findings.finding import FindingKind, Severity
    from anomaly.findings.suppress import Suppression
    from anomaly.store.clusters import cluster_id

    if not 0 < days <= 366:
        raise UsageError("--days takes at most 366.")
    return Suppression(
        name,
        entity,
        owner or myself(),
        reason,
        now + timedelta(days=days),
        FindingKind(kind) if kind else None,
        cluster_id(session, cluster) if cluster else None,
        namespace,
        Severity(up_to),
    )


def _tell(would: Preview) -> None:
    current().say(f"{len(would.hidden)} of {would.looked_at} findings in that time.")
    if would.confirmed:
        current().say(f"{would.confirmed} of them were confirmed as attacks.")
