"""Adding a cluster in three steps: its name, the files to copy, and waiting for the first event.

Its path cannot be that of a cluster: no name of one begins with a hyphen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from anomaly.errors import AnomalyError, NotFound, UsageError
from anomaly.joining import join, sink_for
from anomaly.payloads.cluster import webhook_payload
from anomaly.policy.generate import generate
from anomaly.policy.webhook import AUTHORITY, FILE, POLICY
from anomaly.rights import Principal, Right
from anomaly.store.clusters import ClusterExists
from anomaly.web.access import need, need_page
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page
from anomaly.web.console.view import view_of
from anomaly.web.console.ward import ward_of
from anomaly.web.desk import desk_of

router = APIRouter(include_in_schema=False)

LONGEST_PEM = 1 << 16


@router.get("/clusters/-/add")
def ask(request: Request, who: Annotated[Principal, Depends(need_page(Right.ADMIN))]) -> Response:
    """Ask for the name, and for the address at which the API server reaches this service: as a proposal, that of the browser."""
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
    given = {"name": "", "server": f"{request.url.scheme}://{request.url.netloc}", "days": "", "pem": ""}
    return page("clusters_add.html", view, given=given, problem=None)


@router.post("/clusters/-/add")
def add(
    request: Request,
    who: Annotated[Principal, Depends(need(Right.ADMIN))],
    name: Annotated[str, Form(max_length=200)],
    server: Annotated[str, Form(max_length=2_000)],
    days: Annotated[str, Form(max_length=8)] = "",
    pem: Annotated[str, Form(max_length=LONGEST_PEM)] = "",
) -> Response:
    """Add the cluster and show its token, this once, with what its control plane needs; or say what was wrong with the answers."""
    desk = desk_of(request)
    with desk.database.read() as connection:
        view = view_of(request, who, connection)
    policy = generate(desk.wanted).text
    try:
        if not who.may_see(name):
            raise UsageError("You may only add clusters that are within your scope.")
        wanted = sink_for(name, server.strip(), None, pem.encode() if pem.strip() else None)
        until = clock() + timedelta(days=_days(days)) if days else None
        # A token that nobody has seen must not be: whatever fails while it is shown takes it back.
        with desk.database.begin() as session:
            sink = join(session, wanted, until)
            shown = webhook_payload(sink, until)
    except (UsageError, ClusterExists, NotFound) as wrong:
        given = {"name": name, "server": server, "days": days, "pem": pem}
        return page("clusters_add.html", view, _status(wrong), given=given, problem=wrong)
    bed = ward_of(desk, clock(), frozenset({name})).beds[0]
    return page(
        "clusters_added.html",
        view,
        shown=shown,
        sink=sink,
        bed=bed,
        policy=policy,
        until=until,
        places={"file": FILE, "policy": POLICY, "authority": AUTHORITY},
        needs_authority=not sink.is_plain and sink.authority_pem is None,
    )


def _days(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 3_660:
        return int(text)
    raise UsageError("A token ends after 1 to 3,660 days, or never.")


def _status(wrong: AnomalyError) -> int:
    return 409 if isinstance(wrong, ClusterExists) else 422
