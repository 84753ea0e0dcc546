"""Who read and changed what, for admins; one of some clusters sees what was done with those."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from typing_extensions import TypedDict

from anomaly.payloads.access import EntryPayload, entry_payload
from anomaly.rights import Principal, Right
from anomaly.store.access_log import Asked, list_entries
from anomaly.web.access import need
from anomaly.web.app import shared_of
from anomaly.web.fields import Since, Until
from anomaly.web.openapi import problems

router = APIRouter(prefix="/v1/access", tags=["access"], responses=problems())
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]


class EntriesPayload(TypedDict):
    """A page of entries, newest first; `next` goes into `before` for the page after it, null when there is none."""

    items: list[EntryPayload]
    next: int | None


@router.get("")
def entries(
    request: Request,
    who: Admin,
    since: Since = None,
    until: Until = None,
    name: Annotated[str | None, Query(max_length=200)] = None,
    cluster: Annotated[str | None, Query(max_length=63)] = None,
    changes: bool = False,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> EntriesPayload:
    """List who did what, newest first."""
    asked = Asked(since, until, name, cluster, who.clusters, changes, before, limit)
    with shared_of(request).database.read() as connection:
        found = list_entries(connection, asked)
    full = len(found) == limit
    return {"items": [entry_payload(one) for one in found], "next": found[-1].id if full else None}
