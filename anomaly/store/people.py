"""People who may sign in: their names, roles and clusters. Passwords are hashed in `passwords.py`, never here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy
from sqlalchemy import Connection, Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert

from anomaly.errors import AnomalyError, MoveNotAllowed, NotFound, UsageError
from anomaly.rights import RIGHTS_OF, Principal, Role
from anomaly.store.tables import cluster, person, person_cluster

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}", re.ASCII)
_GUARD: Final = 0x70656F70
"""Held while the number of admins may change, so that the last two cannot remove each other at once."""


class PersonExists(AnomalyError):
    """There is an account of this name already."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What an account may do: a role, on clusters by id; None means every cluster, those that come later too."""

    role: Role
    clusters: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Person:
    """An account as people see it. `clusters` None means every cluster."""

    id: int
    name: str
    role: Role
    clusters: tuple[str, ...] | None
    has_password: bool
    issuer: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    signed_in_at: datetime | None

    @property
    def state(self) -> str:
        """This will be "active", "disabled", or "invited" until a password is chosen."""
        if self.disabled_at is not None:
            return "disabled"
        return "active" if self.has_password or self.issuer is not None else "invited"

    def principal(self) -> Principal:
        """This will return the person as one who asks."""
        clusters = None if self.clusters is None else frozenset(self.clusters)
        return Principal("person", self.id, self.name, RIGHTS_OF[self.role], clusters)


def checked_person(name: str) -> str:
    """This will return the name of an account in lower case. Raises UsageError when it cannot be one."""
    lowered = name.strip().lower()
    if not _NAME.fullmatch(lowered):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of an account.",
            hint="Use 1 to 100 of a-z, 0-9 and . _ @ + -, beginning with a letter or digit, as in ann@example.com.",
        )
    return lowered


def add_person(connection: Connection, name: str, reach: Reach, created_by: str) -> int:
    """This will make an account that cannot sign in yet, and return its id. Raises PersonExists or UsageError."""
    made = connection.execute(
        insert(person)
        .values(
            name=checked_person(name),
            role=reach.role,
            every_cluster=reach.clusters is None,
            created_by=created_by,
        )
        .on_conflict_do_nothing()
        .returning(person.c.id)
    ).scalar_one_or_none()
    if made is None:
        raise PersonExists(
            f"There is an account {name!r} already.", hint="`anomaly account list` shows them."
        )
    _set_clusters(connection, int(made), reach)
    return int(made)


def set_reach(
    connection: Connection, person_id: int, reach: Reach, *, even_of_the_last_admin: bool = False
) -> None:
    """This will give an account another role and other clusters. Raises MoveNotAllowed for the last admin of every cluster."""
    if not even_of_the_last_admin:
        _keep_an_admin(connection, person_id, still=reach.role is Role.ADMIN and reach.clusters is None)
    connection.execute(
        update(person)
        .where(person.c.id == person_id)
        .values(role=reach.role, every_cluster=reach.clusters is None)
    )
    connection.execute(person_cluster.delete().where(person_cluster.c.person_id == person_id))
    _set_clusters(connection, person_id, reach)


def set_disabled(connection: Connection, person_id: int, at: datetime | None) -> None:
    """This will let an account sign in no more from `at` on, or again with None. Raises MoveNotAllowed for the last admin."""
    _keep_an_admin(connection, person_id, still=at is None)
    connection.execute(update(person).where(person.c.id == person_id).values(disabled_at=at))


def set_password(connection: Connection, person_id: int, encoded: str) -> None:
    """This will replace the password of an account by one that is hashed already."""
    connection.execute(update(person).where(person.c.id == person_id).values(password=encoded))


def password_of(connection: Connection, name: str) -> tuple[int, str] | None:
    """This will return the id and hashed password of an account that may sign in with it; None if there is none such."""
    if not _NAME.fullmatch(name.strip().lower()):
        return None
    row = connection.execute(
        select(person.c.id, person.c.password).where(
            person.c.name == name.strip().lower(),
            person.c.disabled_at.is_(None),
            person.c.password.is_not(None),
        )
    ).one_or_none()
    return None if row is None else (int(row[0]), str(row[1]))


def note_sign_in(connection: Connection, person_id: int, now: datetime) -> None:
    """This will keep when the person signed in last."""
    connection.execute(update(person).where(person.c.id == person_id).values(signed_in_at=now))


def list_people(connection: Connection) -> Sequence[Person]:
    """This will return every account by name."""
    return [to_person(row) for row in connection.execute(people().order_by(person.c.name))]


def one_person(connection: Connection, name: str) -> Person:
    """This will return the account of this name. Raises NotFound."""
    wanted = people().where(person.c.name == name.strip().lower())
    row = connection.execute(wanted).one_or_none() if _NAME.fullmatch(name.strip().lower()) else None
    if row is None:
        raise no_person(name)
    return to_person(row)


def no_person(name: str) -> NotFound:
    """This will return the error for an account that is not there, or that whoever asks must not learn of."""
    return NotFound(f"There is no account {name[:100]!r}.", hint="`anomaly account list` shows them.")


def has_admin(connection: Connection) -> bool:
    """This will say whether anybody can sign in as an admin of every cluster."""
    return connection.execute(select(_admins().exists())).scalar_one()


def people() -> Select[tuple[object, ...]]:
    """This will be the query for accounts with their clusters, for `to_person`."""
    ordered = func.array_agg(aggregate_order_by(cluster.c.name, cluster.c.name))
    named = (
        select(func.coalesce(ordered, sqlalchemy.literal_column("'{}'")))
        .select_from(person_cluster.join(cluster, cluster.c.id == person_cluster.c.cluster_id))
        .where(person_cluster.c.person_id == person.c.id)
        .correlate(person)
        .scalar_subquery()
    )
    return select(
        person.c.id,
        person.c.name,
        person.c.role,
        person.c.every_cluster,
        named.label("clusters"),
        person.c.password.is_not(None).label("has_password"),
        person.c.issuer,
        person.c.created_at,
        person.c.created_by,
        person.c.disabled_at,
        person.c.signed_in_at,
    )


def to_person(row: Row[tuple[object, ...]]) -> Person:
    """This will make an account of a row of `people`."""
    return Person(
        row.id,
        row.name,
        Role(row.role),
        None if row.every_cluster else tuple(row.clusters),
        row.has_password,
        row.issuer,
        row.created_at,
        row.created_by,
        row.disabled_at,
        row.signed_in_at,
    )


def _admins() -> Select[tuple[int]]:
    return select(person.c.id).where(
        person.c.role == Role.ADMIN,
        person.c.every_cluster,
        person.c.disabled_at.is_(None),
        sqlalchemy.or_(person.c.password.is_not(None), person.c.issuer.is_not(None)),
    )


def _keep_an_admin(connection: Connection, person_id: int, *, still: bool) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_GUARD)))
    admins = set(connection.execute(_admins()).scalars())
    if not still and admins == {person_id}:
        raise MoveNotAllowed(
            "This is the last admin of every cluster; nobody could let people in any more.",
            hint="Make another admin first: `anomaly account invite NAME --role admin --all-clusters`.",
        )


def _set_clusters(connection: Connection, person_id: int, reach: Reach) -> None:
    if reach.clusters:
        connection.execute(
            person_cluster.insert(),
            [{"person_id": person_id, "cluster_id": one} for one in sorted(reach.clusters)],
        )
