"""Invites: links that work once and for a while, by which somebody chooses the password of an account. Only a digest is kept."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from anomaly.errors import NotFound
from anomaly.store.tables import invite, person

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Invite:
    """An invite that is still good: for which account, until when."""

    id: int
    person_id: int
    name: str
    expires_at: datetime


def make_invite(
    connection: Connection, person_id: int, now: datetime, expires_at: datetime, created_by: str
) -> str:
    """This will make the code of a link for an account and return it; it can never be shown again. Earlier ones end."""
    end_invites(connection, person_id, now)
    code = secrets.token_urlsafe(32)
    connection.execute(
        invite.insert().values(
            person_id=person_id,
            digest=_digest(code),
            created_at=now,
            created_by=created_by,
            expires_at=expires_at,
        )
    )
    return code


def invite_of(connection: Connection, code: str, now: datetime, *, lock: bool = False) -> Invite:
    """This will return what a code is for. Raises NotFound if it is unknown, used, replaced, too old, or the account disabled.

    With `lock` nobody else can use it until the transaction ends.
    """
    wanted = (
        select(invite.c.id, invite.c.person_id, person.c.name, invite.c.expires_at)
        .join(person, person.c.id == invite.c.person_id)
        .where(
            invite.c.digest == _digest(code),
            invite.c.used_at.is_(None),
            invite.c.expires_at > now,
            person.c.disabled_at.is_(None),
        )
    )
    if lock:
        wanted = wanted.with_for_update(of=invite)
    row = connection.execute(wanted).one_or_none() if _SHAPE.fullmatch(code) else None
    if row is None:
        raise NotFound(
            "This link does not work, or no longer.",
            hint="Each works once and for a while; ask for another one.",
        )
    return Invite(*row)


def end_invites(connection: Connection, person_id: int, now: datetime) -> None:
    """This will end every invite for an account."""
    connection.execute(
        update(invite).where(invite.c.person_id == person_id, invite.c.used_at.is_(None)).values(used_at=now)
    )


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
