"""Tokens of programs. An admin of some clusters sees and makes only those that reach no further than they do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from anomaly.payloads.access import (
    NewTokenPayload,
    ServiceTokenPayload,
    new_token_payload,
    service_token_payload,
)
from anomaly.rights import Principal, Right
from anomaly.store.tokens import make, one_token, revoke_token
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.fields import Moment
from anomaly.web.grants import grant_of, token_for, tokens_for
from anomaly.web.openapi import problems

router = APIRouter(prefix="/v1/tokens", tags=["tokens"], responses=problems())
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]


class Wanted(BaseModel):
    """A token to be made. Without `clusters` it is for every cluster; without `expires_at` it lasts until it is revoked."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[Right], Field(min_length=1, max_length=5)]
    clusters: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = None
    expires_at: Moment | None = None


@router.get("")
def tokens(request: Request, who: Admin) -> list[ServiceTokenPayload]:
    """List the tokens, newest first; never the tokens themselves."""
    now = clock()
    with shared_of(request).database.read() as connection:
        return [service_token_payload(one, now) for one in tokens_for(connection, who)]


@router.get("/{token}")
def token(request: Request, token: int, who: Admin) -> ServiceTokenPayload:
    """Show what is known of one token."""
    with shared_of(request).database.read() as connection:
        return service_token_payload(token_for(connection, who, token), clock())


@router.post("", status_code=201)
def create(request: Request, wanted: Wanted, who: Admin) -> NewTokenPayload:
    """Make a token and show it, this once."""
    now = clock()
    with shared_of(request).database.begin() as connection:
        grant = grant_of(connection, who, wanted.name, wanted.scopes, wanted.clusters, wanted.expires_at, now)
        number, made = make(connection, grant)
        return new_token_payload(one_token(connection, number), made, now)


@router.delete("/{token}")
def revoke(request: Request, token: int, who: Admin) -> ServiceTokenPayload:
    """Revoke a token; services notice within 5 seconds. Revoking it again changes nothing."""
    now = clock()
    with shared_of(request).database.begin() as connection:
        token_for(connection, who, token)
        revoke_token(connection, token, now)
        return service_token_payload(one_token(connection, token), now)
