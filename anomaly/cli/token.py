"""`anomaly token`: what programs show to use the API, each with its scopes, clusters and end."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table, write_text
from anomaly.cli.reach import AllClusters, Clusters, operator, reached
from anomaly.rights import Right

app = App(name="token", help="Tokens of programs: what each may do, on which clusters, until when.")


@app.command
def create(
    name: str,
    /,
    *,
    scope: Annotated[list[Right], Parameter(negative="")],
    cluster: Clusters = None,
    all_clusters: AllClusters = False,
    expires: Annotated[str, Parameter()] = "90d",
    output: Output = Format.TABLE,
) -> None:
    """Make a token and show it, once.

    Parameters
    ----------
    name
        What it is for, as "grafana" or "ci of team shop".
    scope
        What it may do; can be given more than once. `admin` means everything.
    expires
        Time until it ends, as 90d; `never` for one that lasts until it is revoked.
    """
    from anomaly.cli.cluster import ends_at
    from anomaly.cli.moment import clock
    from anomaly.payloads.access import new_token_payload
    from anomaly.store.access_log import note_command
    from anomaly.store.tokens import Grant, make, one_token

    until = None if expires == "never" else ends_at(expires)
    with current().database() as database, database.begin() as connection:
        grant = Grant(name, frozenset(scope), reached(connection, cluster, all_clusters), until, operator())
        number, made = make(connection, grant)
        known = one_token(connection, number)
        note_command(connection, "token create", f"token={number}", None, operator(), clock())
        # Shown before the transaction commits: a token that nobody has seen must not exist.
        if output is Format.JSON:
            write_json(new_token_payload(known, made, clock()))
            return
        where = "every cluster" if known.clusters is None else ", ".join(known.clusters)
        ending = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until it is revoked"
        scopes = ", ".join(known.scopes)
        write_text(
            f"Token {number} may {scopes} on {where}, valid {ending}; shown only this once:\n\n    {made}\n"
        )


@app.command(name="list")
def list_(*, output: Output = Format.TABLE) -> None:
    """List every token: what it is for and may do, when it ends. Never the tokens themselves."""
    from anomaly.cli.moment import clock
    from anomaly.payloads.access import service_token_payload
    from anomaly.store.tokens import list_tokens

    with current().database() as database, database.read() as connection:
        rows = [service_token_payload(one, clock()) for one in list_tokens(connection)]
    columns = [
        Column("id", "token", right=True),
        Column("name"),
        Column("state"),
        Column("scopes"),
        Column("clusters"),
        Column("created_by", "by"),
        Column("expires_at", "expires"),
    ]
    if output is Format.TABLE:
        shown = [
            row | {"clusters": "every one" if row["clusters"] is None else row["clusters"]} for row in rows
        ]
        write_table(
            shown, columns, empty="There are no tokens; `anomaly token create NAME --scope read` makes one."
        )
        return
    write_table(rows, columns, output=output)


@app.command
def revoke(number: int, /, *, output: Output = Format.TABLE) -> None:
    """Revoke a token. A running service notices within 5 seconds.

    Parameters
    ----------
    number
        Its number, as `anomaly token list` shows it.
    """
    from anomaly.cli.moment import clock
    from anomaly.store.access_log import note_command
    from anomaly.store.tokens import revoke_token

    with current().database() as database, database.begin() as connection:
        ended = revoke_token(connection, number, clock())
        note_command(connection, "token revoke", f"token={number}", None, operator(), clock())
    write_details({"token": number, "revoked": ended}, output=output)
    if not ended:
        current().say("It was revoked before.")
