"""`anomaly jobs`: what runs by itself, what came of it, and running it by hand or alone."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_table

app = App(name="jobs", help="What runs by itself: list it, run it, see what came of it.")


@app.command(name="list")
def listed(*, output: Output = Format.TABLE) -> None:
    """List the jobs with their times and what came of their last run."""
    from anomaly.cli.moment import clock
    from anomaly.jobs.job import all_jobs
    from anomaly.payloads.job import job_payload
    from anomaly.store.job_runs import has_leader, last_run

    settings = current().settings()
    now = clock()
    with current().database(settings) as database, database.connection() as connection:
        rows = [job_payload(job, settings, last_run(connection, job.name), now) for job in all_jobs()]
        led = has_leader(connection)
    columns = [Column(key, wrap=False) for key in ("job", "runs", "last", "outcome", "next")]
    write_table(rows, [*columns, Column("about")], output=output)
    if not led:
        current().say("Nobody runs them now: `anomaly serve` does, or `anomaly jobs serve` alone.")


@app.command
def history(job: str | None = None, *, limit: int = 20, output: Output = Format.TABLE) -> None:
    """Show past runs, the latest first.

    Parameters
    ----------
    job
        Only runs of this job.
    """
    from anomaly.errors import UsageError
    from anomaly.payloads.job import run_payload
    from anomaly.store.job_runs import list_runs

    if not 1 <= limit <= 10_000:
        raise UsageError("--limit must be between 1 and 10000.")
    with current().database() as database, database.connection() as connection:
        runs = list_runs(connection, job, limit)
    rows: list[dict[str, object]] = [dict(run_payload(run)) for run in runs]
    if output is not Format.JSON:
        for row, run in zip(rows, runs, strict=True):
            row["detail"] = "; ".join(f"{key}: {value}" for key, value in run.detail.items())
    columns = [
        Column("job", wrap=False),
        Column("scheduled_at", "scheduled", wrap=False),
        Column("started_at", "started", wrap=False),
        Column("outcome", wrap=False),
        Column("attempt", right=True),
        Column("host"),
        Column("detail"),
    ]
    write_table(rows, columns, output=output, empty="No job ran yet.")


@app.command
def run(name: Annotated[str, Parameter(help="Which job.")], *, output: Output = Format.TABLE) -> int:
    """Run a job now, beside its schedule. Exit code 1 when it fails."""
    import threading

    from anomaly.cli.moment import clock
    from anomaly.errors import NotFound
    from anomaly.jobs.job import all_jobs
    from anomaly.jobs.runner import Runner
    from anomaly.store.job_runs import OK

    found = {job.name: job for job in all_jobs()}
    if name not in found:
        raise NotFound(f"There is no job {name!r}.", hint=f"There are {', '.join(found)}.")
    settings = current().settings()
    with current().database(settings) as database:
        runner = Runner(settings, database, threading.Event())
        done = runner.run_once(found[name], clock(), current().say)
    if done is None:
        raise NotFound(f"Somebody else runs {name!r} at this very moment.")
    write_details({"job": done.job, "outcome": done.outcome, **done.detail}, output=output)
    return 0 if done.outcome == OK else 1


@app.command
def serve() -> None:
    """Run the jobs until told to stop (Ctrl-C or SIGTERM). Several may run: one leads, the others stand by."""
    import signal
    import threading

    from anomaly.jobs.runner import run_jobs

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    say = current().say
    say("Jobs stand by.")
    run_jobs(
        current().settings(),
        stop,
        leading=lambda leads: say("Leads." if leads else "Does not lead any more."),
    )
