"""Tokens: who may send for a cluster. Only their SHA-256 is kept, so a copy of the database opens no door.

A token is `anomaly_`, 43 characters of chance (256 bits) and 6 of CRC-32: scanners of repositories recognise it, and a
mistyped one is refused without asking the database. A fast hash is right here: chance of 256 bits cannot be guessed, and
looking a digest up in an index tells nothing about how near a wrong token was.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zlib import crc32

from sqlalchemy import Connection, select, update

from anomaly.errors import NotFound
from anomaly.store.tables import cluster, token

PREFIX: Final = "anomaly_"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHANCE, _CHECK = 43, 6
_SHAPE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_CHANCE + _CHECK}}}", re.ASCII)


class Scope(StrEnum):
    """What a token may do."""

    INGEST = "ingest"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever shows a valid token."""

    token_id: int
    cluster_id: int
    cluster: str
    scope: Scope
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; never the token itself."""

    id: int
    scope: Scope
    created_at: datetime
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
    made = new_token()
    connection.execute(
        token.insert().values(
            cluster_id=cluster_id, digest=digest_of(made), scope=Scope.INGEST, expires_at=expires_at
        )
    )
    return made


def holder_of(connection: Connection, digest: bytes, now: datetime) -> Holder | None:
    """This will return who shows this token; None if it is unknown, revoked, or expired at `now`."""
    row = connection.execute(
        select(token.c.id, cluster.c.id, cluster.c.name, token.c.scope, token.c.expires_at)
        .join(cluster, cluster.c.id == token.c.cluster_id)
        .where(token.c.digest == digest, token.c.revoked_at.is_(None))
    ).one_or_none()
    if row is None or (row[4] is not None and row[4] <= now):
        return None
    return Holder(row[0], row[1], row[2], Scope(row[3]), row[4])


def list_tokens(connection: Connection, cluster_id: int) -> Sequence[Token]:
    """This will return every token that the cluster ever had, newest first."""
    columns = (token.c.id, token.c.scope, token.c.created_at, token.c.expires_at, token.c.revoked_at)
    rows = connection.execute(
        select(*columns).where(token.c.cluster_id == cluster_id).order_by(token.c.id.desc())
    )
    return [Token(row[0], Scope(row[1]), *row[2:]) for row in rows]


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


def _check(chance: str) -> str:
    number, text = crc32(chance.encode()), ""
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
