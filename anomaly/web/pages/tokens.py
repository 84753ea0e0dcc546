"""Tokens of programs: which there are, a new one shown this once with a first call to try it by, and revoking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from anomaly.errors import AnomalyError, NotFound, Refused, UsageError
from anomaly.rights import Principal, Right
from anomaly.store.tokens import make, one_token, revoke_token
from anomaly.web.access import need, need_page
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry
from anomaly.web.console.view import view_of
from anomaly.web.csrf import own_address
from anomaly.web.fields import Id
from anomaly.web.grants import grant_of, token_for, tokens_for

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/tokens", N_("API tokens"), "link", "t", 90, Right.ADMIN)

SCOPES: Final = {
    Right.READ: N_("read: see events, entities, findings and models"),
    Right.SCORE: N_("score: have windows and events judged"),
    Right.TRIAGE: N_("triage: take, comment, close and suppress findings"),
    Right.INGEST: N_("ingest: send audit events"),
    Right.ADMIN: N_("admin: change everything, and all of the above"),
}
LASTS: Final = {"30": N_("30 days"), "90": N_("90 days"), "365": N_("a year"), "": N_("until it is revoked")}

Reader = Annotated[Principal, Depends(need_page(Right.ADMIN))]
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]


@router.get("/tokens")
def tokens(request: Request, who: Reader) -> Response:
    """Show the tokens, and what makes a new one."""
    return _tokens(request, who)


@router.post("/tokens")
def create(
    request: Request,
    who: Admin,
    name: Annotated[str, Form(max_length=100)] = "",
    scopes: Annotated[list[str], Form(max_length=5)] = [],  # noqa: B006 -- never changed
    reach: Annotated[list[str], Form(max_length=1000)] = [],  # noqa: B006 -- never changed
    days: Annotated[str, Form(max_length=4)] = "90",
) -> Response:
    """Make a token and show it, this once; or say what was wrong with the answers."""
    now = clock()
    given = {"name": name, "scopes": scopes, "reach": reach, "days": days}
    try:
        if not name.strip():
            raise UsageError("A token needs a name, by which it is known in the list and in the record.")
        if not scopes or not set(scopes) <= {one.value for one in SCOPES}:
            raise UsageError("Choose what the token may do.")
        if days not in LASTS:
            raise UsageError("Choose how long the token lasts.")
        until = now + timedelta(days=int(days)) if days else None
        # An empty choice of clusters must not become every cluster: that one is chosen by its own name.
        wanted = None if "" in reach else reach
        if wanted == []:
            raise UsageError("Choose the clusters that the token is for.")
        with shared_of(request).database.begin() as connection:
            rights = [Right(one) for one in scopes]
            grant = grant_of(connection, who, name.strip(), rights, wanted, until, now)
            number, secret = make(connection, grant)
            made = one_token(connection, number)
    except (UsageError, Refused, NotFound) as wrong:
        return _tokens(request, who, 422, given=given, problem=wrong)
    # A page that a browser kept could be read again: no page is (Cache-Control in `answer.HEADERS`).
    return _tokens(request, who, made=made, secret=secret, address=own_address(request))


@router.post("/tokens/{token}/revoke")
def revoke(request: Request, who: Admin, token: Id) -> Response:
    """Revoke a token; services notice within 5 seconds."""
    with shared_of(request).database.begin() as connection:
        token_for(connection, who, token)
        revoke_token(connection, token, clock())
    return RedirectResponse("/tokens", 303)


def _tokens(
    request: Request,
    who: Principal,
    status: int = 200,
    *,
    given: Mapping[str, object] | None = None,
    problem: AnomalyError | None = None,
    **values: object,
) -> Response:
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
        found = tokens_for(connection, who)
    first = {"name": "", "scopes": ["score"], "reach": [""] if who.clusters is None else [], "days": "90"}
    return page(
        "tokens.html",
        view,
        status,
        found=found,
        now=view.now,
        scopes=SCOPES,
        lasts=LASTS,
        given=given or first,
        problem=problem,
        **{"made": None, "secret": "", "address": ""} | values,
    )
