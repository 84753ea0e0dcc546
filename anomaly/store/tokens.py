"""Tokens: what programs show to be let in. Only their SHA-256 is kept, so a copy of the database opens no door.

A token is `anomaly_`, 43 characters of chance (256 bits) and 6 of CRC-32: scanners of repositories recognise it, and a
mistyped one is refused without asking the database. A fast hash is right here: chance of 256 bits cannot be guessed, and
looking a digest up in an index tells nothing about how near a wrong token was.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zlib import crc32

import sqlalchemy
from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from anomaly.errors import NotFound, UsageError
from anomaly.rights import Right, granted
from anomaly.store.tables import cluster, token, token_cluster

PREFIX: Final = "anomaly_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHANCE, _CHECK = 43, 6
_SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_CHANCE + _CHECK}}}", re.ASCII)
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is made for. `clusters` by id; None means every cluster, those that come later too."""

    name: str
    scopes: frozenset[Right]
    clusters: frozenset[int] | None
    expires_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever shows a valid token. `clusters` maps names to ids; None means every cluster."""

    token_id: int
    name: str
    rights: frozenset[Right]
    clusters: Mapping[str, int] | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; never the token itself. `clusters` None means every cluster."""

    id: int
    name: str
    scopes: tuple[Right, ...]
    clusters: tuple[str, ...] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> str:
        """This will return "valid", "revoked" or "expired"."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def new_token() -> str:
    """This will return a token that nobody has seen before."""
    chance = "".join(secrets.choice(_ALPHABET) for _ in range(_CHANCE))
    return PREFIX + chance + _check(chance)


def looks_right(text: str) -> bool:
    """This will say whether a text can be one of our tokens at all."""
    if not _SHAPE.fullmatch(text):
        return False
    return _check(text[len(PREFIX) : -_CHECK]) == text[-_CHECK:]


def digest_of(text: str) -> bytes:
    """This will return the SHA-256 that is kept of a token."""
    return hashlib.sha256(text.encode()).digest()


def issue(connection: Connection, cluster_id: int, expires_at: datetime | None = None) -> str:
    """This will make a token that may send events of the cluster and return it; it can never be shown again."""
    return make(connection, Grant("", frozenset({Right.INGEST}), frozenset({cluster_id}), expires_at))[1]


def make(connection: Connection, grant: Grant) -> tuple[int, str]:
    """This will make a token and return its number and the token, which can never be shown again.

    Raises UsageError when it would allow nothing, or its name is longer than 100 characters.
    """
    if not grant.scopes:
        raise UsageError("A token needs a scope.", hint=f"Scopes are {', '.join(Right)}.")
    if grant.clusters is not None and not grant.clusters:
        raise UsageError("A token needs a cluster.", hint="Name one or more, or ask for every cluster.")
    if len(grant.name) > _LONGEST_NAME:
        raise UsageError(f"The name of a token has at most {_LONGEST_NAME} characters.")
    made = new_token()
    # Where a release before this one reads tokens; it would not understand any others.
    only = next(iter(grant.clusters or ())) if _is_for_a_webhook(grant) else None
    number = connection.execute(
        token.insert()
        .values(
            cluster_id=only,
            every_cluster=grant.clusters is None,
            name=grant.name,
            digest=digest_of(made),
            scope=",".join(sorted(grant.scopes)),
            expires_at=grant.expires_at,
            created_by=grant.created_by,
        )
        .returning(token.c.id)
    ).scalar_one()
    if only is None and grant.clusters:
        connection.execute(
            token_cluster.insert(),
            [{"token_id": number, "cluster_id": one} for one in sorted(grant.clusters)],
        )
    return int(number), made


def holder_of(connection: Connection, digest: bytes, now: datetime) -> Holder | None:
    """This will return who shows this token; None if it is unknown, revoked, or expired at `now`."""
    row = connection.execute(
        _tokens().where(token.c.digest == digest, token.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    clusters = None if row.every_cluster else dict(zip(row.names, row.ids, strict=True))
    return Holder(row.id, row.name, granted(_scopes(row.scope)), clusters, row.expires_at)


def list_tokens(
    connection: Connection, cluster_id: int | None = None, only: int | None = None
) -> Sequence[Token]:
    """This will return every token there ever was, newest first; of one cluster: those its webhook may use and no other may."""
    wanted = _tokens()
    if cluster_id is not None:
        wanted = wanted.where(token.c.cluster_id == cluster_id)
    if only is not None:
        wanted = wanted.where(token.c.id == only)
    return [_token(row) for row in connection.execute(wanted.order_by(token.c.id.desc()))]


def revoke(
    connection: Connection,
    cluster_id: int,
    now: datetime,
    *,
    only: int | None = None,
    keep: int | None = None,
) -> int:
    """This will end the tokens of a cluster that are not revoked yet: all, `only` one, or all but one to `keep`.

    Returns how many it ended. Raises NotFound when `only` is no token of this cluster.
    """
    wanted = [token.c.cluster_id == cluster_id, token.c.revoked_at.is_(None)]
    if only is not None:
        if only not in {known.id for known in list_tokens(connection, cluster_id)}:
            raise NotFound(
                f"The cluster has no token number {only}.", hint="`anomaly cluster show NAME` lists them."
            )
        wanted.append(token.c.id == only)
    if keep is not None:
        wanted.append(token.c.id != keep)
    ended = connection.execute(update(token).where(*wanted).values(revoked_at=now).returning(token.c.id))
    return len(ended.all())


def one_token(connection: Connection, number: int) -> Token:
    """This will return what is known of a token. Raises NotFound."""
    # Larger numbers than the column holds would be an error of the database's.
    found = list_tokens(connection, only=number) if 0 < number < 2**31 else []
    if not found:
        raise no_token(number)
    return found[0]


def no_token(number: int) -> NotFound:
    """This will return the error for a token that is not there, or that whoever asks must not learn of."""
    return NotFound(f"There is no token number {number}.", hint="`anomaly token list` shows them.")


def revoke_token(connection: Connection, number: int, now: datetime) -> bool:
    """This will end a token of any kind; false if it was revoked before. Raises NotFound."""
    one_token(connection, number)
    ended = connection.execute(
        update(token).where(token.c.id == number, token.c.revoked_at.is_(None)).values(revoked_at=now)
    )
    return ended.rowcount > 0


def _tokens() -> Select[tuple[object, ...]]:
    """Each token with the ids and names of its clusters, whichever way they are kept."""
    named = select(token_cluster.c.token_id, token_cluster.c.cluster_id).union_all(
        select(token.c.id, token.c.cluster_id).where(token.c.cluster_id.is_not(None))
    )
    of = named.subquery()

    def gathered(column: sqlalchemy.Column[object]) -> sqlalchemy.ScalarSelect[object]:
        ordered = sqlalchemy.func.array_agg(aggregate_order_by(column, cluster.c.name))
        return (
            select(sqlalchemy.func.coalesce(ordered, sqlalchemy.literal_column("'{}'")))
            .select_from(of.join(cluster, cluster.c.id == of.c.cluster_id))
            .where(of.c.token_id == token.c.id)
            .correlate(token)
            .scalar_subquery()
        )

    return select(
        token.c.id,
        token.c.name,
        token.c.scope,
        token.c.every_cluster,
        gathered(cluster.c.id).label("ids"),
        gathered(cluster.c.name).label("names"),
        token.c.created_at,
        token.c.created_by,
        token.c.expires_at,
        token.c.revoked_at,
    )


def _token(row: Row[tuple[object, ...]]) -> Token:
    clusters = None if row.every_cluster else tuple(row.names)
    times = (row.created_at, row.created_by, row.expires_at, row.revoked_at)
    return Token(row.id, row.name, _scopes(row.scope), clusters, *times)


def _is_for_a_webhook(grant: Grant) -> bool:
    return grant.scopes == {Right.INGEST} and grant.clusters is not None and len(grant.clusters) == 1


def _scopes(text: str) -> tuple[Right, ...]:
    return tuple(Right(one) for one in text.split(","))


def _check(chance: str) -> str:
    number, text = crc32(chance.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
