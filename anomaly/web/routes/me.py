"""Whoever asks: what they may do, their password, where they are signed in."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from anomaly.accounts import change_password
from anomaly.errors import Refused
from anomaly.payloads.person import SessionPayload, session_payload
from anomaly.rights import Principal
from anomaly.store.sessions import end_sessions, list_sessions
from anomaly.web.access import need_any
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.cookies import session_secret
from anomaly.web.openapi import problems
from anomaly.web.pages.sign_in import address_of, hashing

router = APIRouter(prefix="/v1/me", tags=["me"], responses=problems(429))
Anybody = Annotated[Principal, Depends(need_any)]


class MePayload(TypedDict):
    """Who asks. `kind` is token or person; `clusters` null means every cluster."""

    kind: str
    name: str
    rights: list[str]
    clusters: list[str] | None


class Passwords(BaseModel):
    """The password that is in use, and the one that is to be."""

    model_config = ConfigDict(extra="forbid")

    old: Annotated[str, Field(max_length=1000)]
    new: Annotated[str, Field(max_length=1000)]


@router.get("")
def me(who: Anybody) -> MePayload:
    """Say who asks and what they may do."""
    return {
        "kind": who.kind,
        "name": who.name,
        "rights": sorted(who.rights),
        "clusters": None if who.clusters is None else sorted(who.clusters),
    }


@router.post("/password", status_code=204)
async def password(request: Request, wanted: Passwords, who: Anybody) -> Response:
    """Change the own password; sessions elsewhere end."""
    shared = shared_of(request)
    keep = session_secret(request) or ""
    _check_person(who)
    await hashing(
        partial(
            change_password,
            shared.database,
            who.name,
            wanted.old,
            wanted.new,
            address_of(request),
            keep,
            clock(),
        )
    )
    return Response(status_code=204)


@router.get("/sessions")
def sessions(request: Request, who: Anybody) -> list[SessionPayload]:
    """List where the person is signed in, newest first."""
    _check_person(who)
    shared = shared_of(request)
    with shared.database.read() as connection:
        found = list_sessions(connection, who.id, clock(), shared.doorkeeper.lifetime.idle)
    return [session_payload(one) for one in found]


@router.delete("/sessions", status_code=204)
def end_all(request: Request, who: Anybody) -> Response:
    """Sign out everywhere else."""
    _check_person(who)
    with shared_of(request).database.begin() as connection:
        end_sessions(connection, who.id, clock(), session_secret(request))
    return Response(status_code=204)


def _check_person(who: Principal) -> None:
    if who.kind != "person":
        raise Refused("Only people have a password and sessions.")
