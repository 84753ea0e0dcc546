"""Sessions of people: an opaque secret in a cookie, of which only the SHA-256 is kept, so that a session can be ended.

A session ends when it is not used for a while, when its time is over however busy it is, when it is ended, and with the
account. It is never carried over a signing in: each begins a new one, so a secret planted beforehand opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select, update

from anomaly.rights import Principal
from anomaly.store.people import people, to_person
from anomaly.store.tables import person, session

_SEEN_EVERY: Final = timedelta(minutes=1)
"""How exactly the last use is kept: each request would otherwise write a row."""
_LONGEST_AGENT: Final = 200


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: without use, and at all."""

    idle: timedelta
    whole: timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """A session as people see it; never its secret."""

    id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str
    agent: str


def digest_of_session(secret: str) -> bytes:
    """This will return the SHA-256 that is kept of a session's secret."""
    return hashlib.sha256(secret.encode()).digest()


def csrf_of(secret: str) -> str:
    """This will return the token that forms of a session carry: only who knows the secret can make it, and it tells nothing of it."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def begin_session(
    connection: Connection, person_id: int, now: datetime, lifetime: Lifetime, address: str, agent: str
) -> str:
    """This will begin a session and return its secret, which can never be asked for again."""
    secret = secrets.token_urlsafe(32)
    connection.execute(
        session.insert().values(
            person_id=person_id,
            digest=digest_of_session(secret),
            created_at=now,
            seen_at=now,
            expires_at=now + lifetime.whole,
            address=address,
            agent=agent[:_LONGEST_AGENT],
        )
    )
    return secret


def person_of_session(
    connection: Connection, secret: str, now: datetime, idle: timedelta
) -> Principal | None:
    """This will return whose session it is; None if it is unknown, ended, too old, too long unused, or the account disabled."""
    found = connection.execute(
        select(session.c.id, session.c.person_id, session.c.seen_at).where(
            session.c.digest == digest_of_session(secret),
            session.c.revoked_at.is_(None),
            session.c.expires_at > now,
            session.c.seen_at > now - idle,
        )
    ).one_or_none()
    if found is None:
        return None
    row = connection.execute(
        people().where(person.c.id == found.person_id, person.c.disabled_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    if now - found.seen_at > min(_SEEN_EVERY, idle / 4):
        connection.execute(update(session).where(session.c.id == found.id).values(seen_at=now))
    return to_person(row).principal()


def list_sessions(
    connection: Connection, person_id: int, now: datetime, idle: timedelta
) -> Sequence[Session]:
    """This will return the sessions of a person that still open the door, newest first."""
    columns = (
        session.c.id,
        session.c.created_at,
        session.c.seen_at,
        session.c.expires_at,
        session.c.address,
        session.c.agent,
    )
    rows = connection.execute(
        select(*columns)
        .where(
            session.c.person_id == person_id,
            session.c.revoked_at.is_(None),
            session.c.expires_at > now,
            session.c.seen_at > now - idle,
        )
        .order_by(session.c.id.desc())
    )
    return [Session(*row) for row in rows]


def end_session(connection: Connection, secret: str, now: datetime) -> None:
    """This will end the session with this secret, if there is one."""
    connection.execute(
        update(session)
        .where(session.c.digest == digest_of_session(secret), session.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def number_of_session(connection: Connection, secret: str) -> int | None:
    """This will return the number of the session with this secret, None when there is none."""
    found = connection.execute(select(session.c.id).where(session.c.digest == digest_of_session(secret)))
    return found.scalar()


def end_one_session(connection: Connection, person_id: int, number: int, now: datetime) -> bool:
    """This will end a session of a person by its number, and say whether there was one to end."""
    wanted = (session.c.id == number, session.c.person_id == person_id, session.c.revoked_at.is_(None))
    return bool(connection.execute(update(session).where(*wanted).values(revoked_at=now)).rowcount)


def end_sessions(connection: Connection, person_id: int, now: datetime, keep: str | None = None) -> int:
    """This will end every session of a person, but the one whose secret is to `keep`, and return how many it ended."""
    wanted = [session.c.person_id == person_id, session.c.revoked_at.is_(None)]
    if keep is not None:
        wanted.append(session.c.digest != digest_of_session(keep))
    return connection.execute(update(session).where(*wanted).values(revoked_at=now)).rowcount
