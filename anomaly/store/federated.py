"""Accounts of people whom an OIDC issuer vouches for: made at their first signing in, and given what the issuer says each time."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Connection, select, update

from anomaly.errors import Refused, UsageError
from anomaly.rights import Role
from anomaly.store.clusters import cluster_names
from anomaly.store.people import PersonExists, Reach, add_person, set_reach
from anomaly.store.tables import person


def admitted(
    connection: Connection, issuer: str, subject: str, name: str, reach: Reach, now: datetime
) -> int:
    """This will return the id of the account of a subject, made if need be, with the role and clusters the issuer's groups give.

    A name that somebody else has already, a local account above all, is never taken over: the issuer's host is put behind it.
    Raises Refused for an account that is disabled here.
    """
    row = connection.execute(
        select(person.c.id, person.c.disabled_at)
        .where(person.c.issuer == issuer, person.c.subject == subject)
        .with_for_update()
    ).one_or_none()
    if row is None:
        number = _add(connection, issuer, subject, name, reach)
    elif row.disabled_at is not None:
        raise Refused(
            "This account is disabled here.", hint="An admin can enable it: `anomaly account enable`."
        )
    else:
        number = int(row.id)
        # The issuer has the last word, or whoever was the last admin would stay one for ever.
        set_reach(connection, number, reach, even_of_the_last_admin=True)
    connection.execute(update(person).where(person.c.id == number).values(signed_in_at=now))
    return number


def reach_of(connection: Connection, role: Role, names: frozenset[str] | None) -> Reach:
    """This will return a reach by names of clusters; those that are not there yet are left out until the next signing in."""
    if names is None:
        return Reach(role, None)
    return Reach(
        role, frozenset(number for number, name in cluster_names(connection).items() if name in names)
    )


def _add(connection: Connection, issuer: str, subject: str, name: str, reach: Reach) -> int:
    host = urlsplit(issuer).hostname or "oidc"
    for tried in (name, f"{name}@{host}", f"{subject}@{host}"):
        try:
            with connection.begin_nested():
                number = add_person(connection, tried, reach, issuer)
        except (PersonExists, UsageError):
            continue
        connection.execute(update(person).where(person.c.id == number).values(issuer=issuer, subject=subject))
        return number
    raise Refused("The issuer's name for this account cannot be used here.")
