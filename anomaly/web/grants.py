"""What somebody may give to a program: a token that reaches no further than they do. For the API and the page alike."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from anomaly.errors import Refused, UsageError
from anomaly.rights import Principal, Right
from anomaly.store.clusters import cluster_id, no_cluster
from anomaly.store.tokens import Grant, Token, list_tokens, no_token, one_token

LONGEST: Final = timedelta(days=3660)


def grant_of(
    connection: Connection,
    who: Principal,
    name: str,
    scopes: Collection[Right],
    clusters: Collection[str] | None,
    expires_at: datetime | None,
    now: datetime,
) -> Grant:
    """This will return the grant of a token that somebody wants to make; `clusters` None means every cluster.

    Raises UsageError for an end that is none, Refused and NotFound for clusters out of their reach.
    """
    if expires_at is not None and not now < expires_at < now + LONGEST:
        raise UsageError("expires_at must be a time to come, within ten years.")
    if clusters is None and who.clusters is not None:
        raise Refused("You may not give every cluster.", hint="Name clusters that you may see.")
    for cluster in clusters or ():
        if not who.may_see(cluster):
            raise no_cluster(cluster)
    ids = frozenset(cluster_id(connection, cluster) for cluster in clusters) if clusters else None
    return Grant(name, frozenset(scopes), ids, expires_at, who.name)


def tokens_for(connection: Connection, who: Principal) -> list[Token]:
    """This will return the tokens that reach no further than somebody does, newest first."""
    return [one for one in list_tokens(connection) if who.covers(_reach(one))]


def token_for(connection: Connection, who: Principal, number: int) -> Token:
    """This will return one token. Raises NotFound, as for one there is not, when it reaches further than they do."""
    found = one_token(connection, number)
    if not who.covers(_reach(found)):
        raise no_token(number)
    return found


def _reach(one: Token) -> frozenset[str] | None:
    return None if one.clusters is None else frozenset(one.clusters)
