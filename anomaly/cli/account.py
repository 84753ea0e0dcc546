"""`anomaly account`: people who sign in, what each may do and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table, write_text
from anomaly.cli.reach import AllClusters, Clusters, address_of, operator, reached
from anomaly.errors import UsageError
from anomaly.rights import Role

if TYPE_CHECKING:
    from anomaly.accounts import Link

app = App(name="account", help="People who sign in: what each may do, on which clusters.")


@app.command
def invite(
    name: str = "",
    /,
    *,
    role: Role = Role.VIEWER,
    cluster: Clusters = None,
    all_clusters: AllClusters = False,
    first_admin: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Make an account, and a link by which its owner chooses a password. Shown once; it works once, for three days.

    Parameters
    ----------
    name
        What is typed to sign in, as ann or ann@example.com; with --first-admin it is admin unless said.
    role
        viewer reads and scores, analyst triages as well, admin may everything.
    first_admin
        Make the link for the first admin, when there is none; it works for an hour.
    """
    from anomaly.accounts import FIRST_ADMIN, invite_first_admin
    from anomaly.accounts import invite as invited
    from anomaly.cli.moment import clock
    from anomaly.store.access_log import note_command
    from anomaly.store.people import Reach

    if not name and not first_admin:
        raise UsageError("Name the account, or say --first-admin.")
    with current().database() as database, database.begin() as connection:
        if first_admin:
            link = invite_first_admin(connection, operator(), clock(), name or FIRST_ADMIN)
        else:
            reach = Reach(role, reached(connection, cluster, all_clusters))
            link = invited(connection, name, reach, operator(), clock())
        note_command(connection, "account invite", f"person={link.name}", None, operator(), clock())
        _show(link, output)


@app.command
def reset(name: str, /, *, output: Output = Format.TABLE) -> None:
    """Make another link for an account, for whom the first did not reach or who forgot the password.

    Parameters
    ----------
    name
        Name of the account.
    """
    from anomaly.accounts import new_link
    from anomaly.cli.moment import clock
    from anomaly.store.access_log import note_command

    with current().database() as database, database.begin() as connection:
        link = new_link(connection, name, operator(), clock())
        note_command(connection, "account reset", f"person={link.name}", None, operator(), clock())
        _show(link, output)


@app.command(name="list")
def list_(*, output: Output = Format.TABLE) -> None:
    """List the accounts: role, clusters, state, when each signed in last."""
    from anomaly.payloads.person import person_payload
    from anomaly.store.people import list_people

    with current().database() as database, database.read() as connection:
        rows = [person_payload(one) for one in list_people(connection)]
    columns = [
        Column("name"),
        Column("role"),
        Column("clusters"),
        Column("state"),
        Column("issuer", "signs in by"),
        Column("signed_in_at", "signed in"),
    ]
    if output is Format.TABLE:
        shown = [
            row | {"clusters": "every one" if row["clusters"] is None else row["clusters"]} for row in rows
        ]
        write_table(
            shown,
            columns,
            empty="There are no accounts; `anomaly account invite --first-admin` makes the first.",
        )
        return
    write_table(rows, columns, output=output)


@app.command
def role(
    name: str,
    role: Role,
    /,
    *,
    cluster: Clusters = None,
    all_clusters: AllClusters = False,
    output: Output = Format.TABLE,
) -> None:
    """Give an account another role and other clusters. What it may do changes with its next request.

    Parameters
    ----------
    name
        Name of the account.
    role
        viewer, analyst or admin.
    """
    from anomaly.cli.moment import clock
    from anomaly.payloads.person import person_payload
    from anomaly.store.access_log import note_command
    from anomaly.store.people import Reach, one_person, set_reach

    with current().database() as database, database.begin() as connection:
        found = one_person(connection, name)
        set_reach(connection, found.id, Reach(role, reached(connection, cluster, all_clusters)))
        note_command(connection, "account role", f"person={found.name}", None, operator(), clock())
        changed = one_person(connection, name)
    write_details(person_payload(changed), output=output)


@app.command
def disable(name: str, /, *, output: Output = Format.TABLE) -> None:
    """Let an account sign in no more, and end its sessions and links at once.

    Parameters
    ----------
    name
        Name of the account.
    """
    from anomaly.accounts import disable as shut
    from anomaly.cli.moment import clock
    from anomaly.payloads.person import person_payload
    from anomaly.store.access_log import note_command
    from anomaly.store.people import one_person

    with current().database() as database, database.begin() as connection:
        found = one_person(connection, name)
        shut(connection, found, clock())
        note_command(connection, "account disable", f"person={found.name}", None, operator(), clock())
        changed = one_person(connection, name)
    write_details(person_payload(changed), output=output)


@app.command
def enable(name: str, /, *, output: Output = Format.TABLE) -> None:
    """Let an account that was disabled sign in again.

    Parameters
    ----------
    name
        Name of the account.
    """
    from anomaly.cli.moment import clock
    from anomaly.payloads.person import person_payload
    from anomaly.store.access_log import note_command
    from anomaly.store.people import one_person, set_disabled

    with current().database() as database, database.begin() as connection:
        found = one_person(connection, name)
        set_disabled(connection, found.id, None)
        note_command(connection, "account enable", f"person={found.name}", None, operator(), clock())
        changed = one_person(connection, name)
    write_details(person_payload(changed), output=output)


def _show(link: Link, output: Format) -> None:
    from anomaly.payloads.person import link_payload

    shown = link_payload(link, address_of(current().settings().serve))
    if output is Format.JSON:
        write_json(shown)
        return
    write_text(
        f"{link.name} chooses a password here, once, until {link.expires_at:%Y-%m-%d %H:%M} UTC:\n\n"
        f"    {shown['link']}\n"
    )
