"""`anomaly entities`: who acts in the clusters, how risky each is, and the portrait of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import (
    Column,
    Format,
    Output,
    tell,
    write_details,
    write_json,
    write_table,
    write_text,
)

if TYPE_CHECKING:
    from anomaly.portrait import Portrait

app = App(
    name="entities", help="Who acts in the clusters: users, service accounts, nodes; their risk and habits."
)

Kind = Literal["human", "serviceaccount", "node", "system", "anonymous"]


@app.command(name="list")
def list_(
    text: str = "",
    *,
    kind: Kind | None = None,
    cluster: str | None = None,
    since: str = "7d",
    until: str | None = None,
    limit: int = 50,
    output: Output = Format.TABLE,
) -> None:
    """List entities, the riskiest first, then the busiest.

    Parameters
    ----------
    text
        Part of the username.
    since
        2026-11-23, 2026-11-23T10:30:00Z, or 30m, 6h, 7d for so long ago; until likewise.
    """
    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.events.identity import EntityKind
    from anomaly.payloads.portrait import listed_payload
    from anomaly.portrait import entities

    now = clock()
    with current().database() as database, database.read() as connection:
        shown = {one.id: one.name for one in chosen_clusters(connection, cluster, now)}
        found = entities(
            connection,
            shown,
            moment(since, now) or now,
            moment(until, now) or now,
            text=text,
            kind=EntityKind(kind) if kind else None,
            limit=limit,
        )
    columns = [Column("risk", right=True), Column("entity"), Column("kind"), Column("cluster")]
    columns += [Column("requests", right=True), Column("findings", right=True), Column("why")]
    write_table(
        [dict(listed_payload(one)) for one in found],
        columns,
        output=output,
        empty="No entity was active in that time; --since looks further back.",
    )
    if found and found[0].one_of > 1:
        tell(f"Requests are estimated from one of {found[0].one_of} windows.")


@app.command
def show(
    entity: str,
    *,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    output: Output = Format.TABLE,
) -> None:
    """Show who an entity is, what it does against what is usual for it and its peers, its risk and why.

    Parameters
    ----------
    entity
        Username, as in alice@example.com.
    cluster
        Needed when the entity is known in several.
    since
        2026-11-23, or 6h for so long ago; until likewise. The last week of activity unless said.
    """
    from datetime import UTC

    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import NotFound, UsageError
    from anomaly.payloads.portrait import portrait_payload
    from anomaly.portrait import portrait
    from anomaly.store.extents import entity_id_of

    now = clock()
    settings = current().settings()
    with current().database(settings) as database, database.read() as connection:
        there = [
            one
            for one in chosen_clusters(connection, cluster, now)
            if entity_id_of(connection, one.id, entity) is not None
        ]
        if not there:
            raise NotFound(f"There is no entity {entity}.", hint="`anomaly entities list` lists them.")
        if len(there) > 1:
            raise UsageError(
                f"{entity} is known in {', '.join(one.name for one in there)}.",
                hint="Choose one by --cluster.",
            )
        drawn = portrait(
            connection,
            there[0].id,
            there[0].name,
            entity,
            moment(since, now),
            moment(until, now),
            settings.windows.span,
            now,
            UTC,
        )
    if output is Format.JSON:
        write_json(portrait_payload(drawn))
        return
    _write(drawn)


def _write(one: Portrait) -> None:
    usual = "never active before" if one.usual_requests is None else f"usually {one.usual_requests:,.0f}"
    write_details(
        {
            "entity": one.identity.username,
            "kind": one.kind.value,
            "cluster": one.cluster,
            "risk": f"{one.risk.value:.0f} of 100",
            "seen": f"{one.first_seen:%Y-%m-%d %H:%M} to {one.last_seen:%Y-%m-%d %H:%M} UTC",
            "requests": f"{one.requests:,.0f} since {one.since:%Y-%m-%d %H:%M}, {usual}",
            "groups": one.groups,
            "images written": one.images,
            "dangers written": one.dangers,
            "credentials": one.credentials,
            "peers": f"{one.peers.name} ({len(one.peers.members)} others)" if one.peers else None,
        }
    )
    if one.risk.parts:
        write_text("\nWhat makes the risk")
        rows = [
            {
                "share": f"{part.share:.0%}",
                "finding": part.mark.id[:8],
                "title": part.mark.title,
                "at": part.mark.at,
            }
            for part in one.risk.parts[:8]
        ]
        write_table(
            rows, [Column("share", right=True), Column("finding"), Column("title"), Column("at", wrap=False)]
        )
    for dimension, habits in one.habits.items():
        if habits:
            write_text(f"\n{dimension.name.capitalize()} now, and usually in as much activity")
            rows = [
                {
                    "text": habit.text,
                    "now": f"{habit.now:,.0f}",
                    "usual": "never" if habit.usual is None else f"{habit.usual:,.1f}",
                    "peers": None if habit.peers is None else f"{habit.peers:.0%}",
                }
                for habit in habits
            ]
            columns = [
                Column("text"),
                Column("now", right=True),
                Column("usual", right=True),
                Column("peers", right=True),
            ]
            write_table(rows, columns)
    if one.firsts:
        write_text("\nFor the first time")
        firsts = [
            {
                "at": first.at,
                "what": first.dimension.name.lower(),
                "text": first.text,
                "new to cluster": first.for_cluster,
            }
            for first in one.firsts[:15]
        ]
        write_table(
            firsts, [Column("at", wrap=False), Column("what"), Column("text"), Column("new to cluster")]
        )
