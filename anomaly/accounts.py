"""A person's way in: invited, a password chosen by a link, signed in, changed, let go. For the command line, the API and pages alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from anomaly.errors import MoveNotAllowed, NotFound, Refused
from anomaly.rights import Role
from anomaly.store.database import Database
from anomaly.store.invites import end_invites, invite_of, make_invite
from anomaly.store.passwords import hashed, is_weaker, matches, prepare, rehashed
from anomaly.store.people import (
    Person,
    Reach,
    add_person,
    has_admin,
    note_sign_in,
    one_person,
    password_of,
    set_disabled,
    set_password,
    set_reach,
)
from anomaly.store.sessions import Lifetime, begin_session, end_sessions
from anomaly.store.tries import Try, begin_try, forget_tries

INVITE_LASTS: Final = timedelta(days=3)
"""Long enough for a weekend, short enough that a link forgotten in a mailbox opens nothing."""
FIRST_INVITE_LASTS: Final = timedelta(hours=1)
"""Whoever starts the service for the first time sits before it."""
FIRST_ADMIN: Final = "admin"


class WrongPassword(Refused):
    """The name or the password is wrong."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link made for an account: the code belongs after `/invite/` and can never be shown again."""

    name: str
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Caller:
    """Where somebody signs in from."""

    address: str
    agent: str


def invite(connection: Connection, name: str, reach: Reach, by: str, now: datetime) -> Link:
    """This will make an account and the link by which its owner chooses a password. Raises PersonExists or UsageError."""
    add_person(connection, name, reach, by)
    return new_link(connection, name, by, now)


def new_link(
    connection: Connection, name: str, by: str, now: datetime, lasts: timedelta = INVITE_LASTS
) -> Link:
    """This will make another link for an account, for whom the first did not reach or who forgot the password.

    Earlier links end; the password in use stays until the link is used. Raises NotFound, and MoveNotAllowed for an account
    that is disabled or signs in by OIDC.
    """
    found = one_person(connection, name)
    if found.state == "disabled":
        raise MoveNotAllowed(f"The account {found.name} is disabled.", hint="Enable it first.")
    if found.issuer is not None:
        raise MoveNotAllowed(
            f"{found.name} signs in by {found.issuer}, so a password would not be asked for."
        )
    return Link(found.name, make_invite(connection, found.id, now, now + lasts, by), now + lasts)


def invite_first_admin(connection: Connection, by: str, now: datetime, name: str = FIRST_ADMIN) -> Link:
    """This will make the link for the first admin of every cluster. Raises MoveNotAllowed when there is one already.

    An account that was invited so before and never used is invited again.
    """
    if has_admin(connection):
        raise MoveNotAllowed(
            "There is an admin already.", hint="`anomaly account invite NAME --role admin --all-clusters`."
        )
    reach = Reach(Role.ADMIN, None)
    try:
        found = one_person(connection, name)
    except NotFound:
        add_person(connection, name, reach, by)
    else:
        if found.disabled_at is not None:
            set_disabled(connection, found.id, None)
        set_reach(connection, found.id, reach)
    return new_link(connection, name, by, now, FIRST_INVITE_LASTS)


def choose_password(database: Database, code: str, password: str, now: datetime) -> str:
    """This will set the password of the account that a link is for, end the link and all sessions, and return the name.

    Raises NotFound when the link does not work, UsageError when the password cannot be used; the link then still works.
    """
    with database.begin() as connection:
        name = invite_of(connection, code, now).name
    encoded = hashed(password, name)
    with database.begin() as connection:
        found = invite_of(connection, code, now, lock=True)
        _take_on(connection, found.person_id, encoded, now)
    return name


def sign_in(
    database: Database, name: str, password: str, caller: Caller, lifetime: Lifetime, now: datetime
) -> str:
    """This will begin a session and return its secret.

    Raises TooManyTries before the password is looked at, and WrongPassword, in the same words and after the same time for a
    wrong password, an unknown name, a disabled account and one without a password.
    """
    given = Try(name, caller.address)
    prepare()
    with database.begin() as connection:
        begin_try(connection, given, now)
        found = password_of(connection, name)
    # Without a connection: it takes a tenth of a second, and a few of these would empty the pool.
    if not matches(found[1] if found else None, password) or found is None:
        raise WrongPassword
    person_id, encoded = found
    renewed = rehashed(password) if is_weaker(encoded) else None
    with database.begin() as connection:
        if password_of(connection, name) != found:
            raise WrongPassword
        if renewed is not None:
            set_password(connection, person_id, renewed)
        forget_tries(connection, given, now)
        note_sign_in(connection, person_id, now)
        return begin_session(connection, person_id, now, lifetime, caller.address, caller.agent)


def change_password(
    database: Database, name: str, old: str, new: str, address: str, keep: str, now: datetime
) -> None:
    """This will replace a password by its owner's wish; other sessions than the one to `keep` (by its secret) end.

    Raises WrongPassword when the old one is not right, TooManyTries, and UsageError when the new one cannot be used.
    """
    given = Try(name, address)
    with database.begin() as connection:
        begin_try(connection, given, now)
        found = password_of(connection, name)
    if not matches(found[1] if found else None, old) or found is None:
        raise WrongPassword
    encoded = hashed(new, name)
    with database.begin() as connection:
        forget_tries(connection, given, now)
        set_password(connection, found[0], encoded)
        end_invites(connection, found[0], now)
        end_sessions(connection, found[0], now, keep)


def disable(connection: Connection, found: Person, now: datetime) -> None:
    """This will let an account sign in no more, and end its sessions and links. Raises MoveNotAllowed for the last admin."""
    set_disabled(connection, found.id, now)
    end_invites(connection, found.id, now)
    end_sessions(connection, found.id, now)


def _take_on(connection: Connection, person_id: int, encoded: str, now: datetime) -> None:
    set_password(connection, person_id, encoded)
    end_invites(connection, person_id, now)
    # Whoever knew the old password, or sat at another desk, is out.
    end_sessions(connection, person_id, now)
