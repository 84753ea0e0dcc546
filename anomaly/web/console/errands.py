"""Errands as pages use them: long work begun by a form, followed by a part of the page that asks again until it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import Connection
from starlette.requests import Request

from anomaly.errors import NotFound
from anomaly.rights import Principal
from anomaly.store.database import driver_connection
from anomaly.store.job_runs import OK, Run, find_run
from anomaly.web.clock import clock
from anomaly.web.desk import desk_of
from anomaly.web.routes.moves import who_is

if TYPE_CHECKING:
    from anomaly.jobs.errand import Deed


def begin(
    request: Request,
    who: Principal,
    name: str,
    cluster: str | None,
    about: Mapping[str, object],
    deed: Deed,
) -> Run:
    """This will begin an errand; `about` stays in its detail, beside who asked and for which cluster. Raises TooMany."""
    said = {"by": who_is(who), **about} | ({} if cluster is None else {"cluster": cluster})
    return desk_of(request).errands.begin(name, said, deed, clock())


def followed(
    connection: Connection, who: Principal, number: int, name: str, about: Mapping[str, object]
) -> Run:
    """This will return an errand of this name and about just this. Raises NotFound, as for one that there is not, when it is of
    another kind or of a cluster out of sight."""
    run = find_run(driver_connection(connection), number)
    cluster = run.detail.get("cluster")
    in_sight = who.clusters is None or (isinstance(cluster, str) and who.may_see(cluster))
    ours = run.job == name and all(run.detail.get(key) == value for key, value in about.items())
    if not (in_sight and ours):
        raise NotFound(f"There is no run {number}.", hint="Begin it again from the page.")
    return run


def ended_well(run: Run) -> bool:
    """This will say whether an errand has come to its result."""
    return run.outcome == OK and run.finished_at is not None
