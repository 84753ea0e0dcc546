"""Accounts of people. An admin of some clusters sees and changes only those that reach no further than they do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool
from sqlalchemy import Connection

from anomaly.accounts import disable, invite, new_link
from anomaly.errors import Refused
from anomaly.payloads.person import LinkPayload, PersonPayload, link_payload, person_payload
from anomaly.rights import Principal, Right, Role
from anomaly.store.clusters import cluster_id, no_cluster
from anomaly.store.people import Person, Reach, list_people, no_person, one_person, set_disabled, set_reach
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.csrf import own_address
from anomaly.web.openapi import problems

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], responses=problems(409))
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]
Names = Annotated[list[str], Field(min_length=1, max_length=1000)]


class Invited(BaseModel):
    """An account to be made. Without `clusters` it reaches every cluster."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role
    clusters: Names | None = None


class Changed(BaseModel):
    """What is to be otherwise. A role and its clusters come together; without `clusters` it reaches every cluster."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    clusters: Names | None = None
    disabled: StrictBool | None = None


@router.get("")
def accounts(request: Request, who: Admin) -> list[PersonPayload]:
    """List the accounts by name."""
    with shared_of(request).database.read() as connection:
        found = list_people(connection)
    return [person_payload(one) for one in found if who.covers(one.principal().clusters)]


@router.get("/{account}")
def account(request: Request, account: str, who: Admin) -> PersonPayload:
    """Show one account."""
    with shared_of(request).database.read() as connection:
        return person_payload(_seen(connection, account, who))


@router.post("", status_code=201)
def make(request: Request, wanted: Invited, who: Admin) -> LinkPayload:
    """Make an account, and the link by which its owner chooses a password: shown this once, it works once, for three days."""
    with shared_of(request).database.begin() as connection:
        reach = _reach(connection, wanted.role, wanted.clusters, who)
        link = invite(connection, wanted.name, reach, who.name, clock())
    return link_payload(link, own_address(request))


@router.post("/{account}/link", status_code=201)
def another_link(request: Request, account: str, who: Admin) -> LinkPayload:
    """Make another link for an account; earlier ones end."""
    with shared_of(request).database.begin() as connection:
        link = new_link(connection, _seen(connection, account, who).name, who.name, clock())
    return link_payload(link, own_address(request))


@router.patch("/{account}")
def change(request: Request, account: str, wanted: Changed, who: Admin) -> PersonPayload:
    """Give an account another role and clusters, disable it or enable it again."""
    with shared_of(request).database.begin() as connection:
        found = _seen(connection, account, who)
        if wanted.role is not None:
            set_reach(connection, found.id, _reach(connection, wanted.role, wanted.clusters, who))
        if wanted.disabled:
            disable(connection, found, clock())
        elif wanted.disabled is False:
            set_disabled(connection, found.id, None)
        return person_payload(one_person(connection, account))


def _seen(connection: Connection, name: str, who: Principal) -> Person:
    found = one_person(connection, name)
    if not who.covers(found.principal().clusters):
        raise no_person(name)
    return found


def _reach(connection: Connection, role: Role, names: list[str] | None, who: Principal) -> Reach:
    if names is None and who.clusters is not None:
        raise Refused("You may not give every cluster.", hint="Name clusters that you may see.")
    for name in names or ():
        if not who.may_see(name):
            raise no_cluster(name)
    return Reach(role, None if names is None else frozenset(cluster_id(connection, name) for name in names))
