"""Jobs and their runs: what runs by itself, what came of it, and long work that somebody asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from anomaly.errors import NotFound
from anomaly.jobs.errand import Deed
from anomaly.jobs.job import all_jobs
from anomaly.payloads.job import JobPayload, RunPayload, job_payload, run_payload
from anomaly.rights import Principal, Right
from anomaly.store.job_runs import Run, find_run, last_run, runs_before
from anomaly.web.access import need
from anomaly.web.answer import Page, answer, page, place_of, tagged
from anomaly.web.clock import clock
from anomaly.web.desk import aside, desk_of, plainly
from anomaly.web.fields import Cursor, Limit, Words
from anomaly.web.openapi import NOT_MODIFIED, problems
from anomaly.web.routes.moves import who_is

router = APIRouter(prefix="/v1", tags=["jobs"])
Reader = Annotated[Principal, Depends(need(Right.READ))]
Admin = Annotated[Principal, Depends(need(Right.ADMIN))]

ACCEPTED: Mapping[int | str, dict[str, object]] = {
    202: {
        "description": "It has begun: look at the run of `Location` again until its outcome is not `running`.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
}


@router.get("/jobs", response_model=list[JobPayload], responses=problems())
async def list_jobs(request: Request, who: Reader) -> Response:
    """List the jobs with their times and what came of their last run."""
    settings, now = desk_of(request).settings, clock()
    return answer(
        await plainly(
            request,
            lambda connection: [
                job_payload(job, settings, last_run(connection, job.name), now) for job in all_jobs()
            ],
        )
    )


@router.post("/jobs/{job}/run", status_code=202, response_model=RunPayload, responses=problems(429))
async def run_job(
    request: Request, who: Admin, job: Annotated[Words, Path(description="Which job.")]
) -> Response:
    """Run a job now, beside its schedule."""
    found = {one.name: one for one in all_jobs()}
    if job not in found:
        raise NotFound(f"There is no job {job!r}.", hint=f"There are {', '.join(found)}.")
    if who.clusters is not None:
        raise NotFound(
            f"There is no job {job!r}.", hint="Jobs are of every cluster, which is beyond your scope."
        )
    return await begun(request, who, found[job].name, None, found[job].run)


@router.get("/runs", response_model=Page[RunPayload], responses=problems())
async def list_runs(
    request: Request,
    who: Reader,
    job: Annotated[Words | None, Query(description="Only runs of this job.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List runs, the latest first. Whoever may see only some clusters sees only runs that were asked for one of these."""
    place = place_of(cursor, int)
    found = await plainly(
        request,
        lambda connection: runs_before(
            connection, job, None if place is None else place[0], who.clusters, limit
        ),
    )
    return page([run_payload(one) for one in found], limit, (found[-1].id,) if found else None)


@router.get("/runs/{run}", response_model=RunPayload, responses=NOT_MODIFIED | problems())
async def show_run(request: Request, who: Reader, run: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> Response:
    """Show how far a run is, and once it has ended what came of it."""
    found = await plainly(request, lambda connection: find_run(connection, run))
    cluster = found.detail.get("cluster")
    if who.clusters is not None and not (isinstance(cluster, str) and who.may_see(cluster)):
        raise NotFound(f"There is no run {run}.", hint="The list of runs has their numbers.")
    return tagged(request, run_payload(found))


async def begun(request: Request, who: Principal, name: str, cluster: str | None, deed: Deed) -> Response:
    """This will begin long work and answer 202 with its run."""
    desk = desk_of(request)
    about = {"by": who_is(who)} | ({} if cluster is None else {"cluster": cluster})
    run = await aside(request, desk.errands.begin, name, about, deed, clock())
    assert isinstance(run, Run)
    return answer(run_payload(run), 202, {"Location": f"/v1/runs/{run.id}"})
