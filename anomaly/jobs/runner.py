"""Runs the jobs: APScheduler says when, one replica leads, and each run is claimed in the database before it begins.

- Schedules are kept in memory and made of the settings: nothing is pickled into a table that others can write.
- A run missed while nobody led is made up for once when somebody leads again, however many were missed.
- A run whose runner died is marked as crashed and taken again, at most three times.
- Two that think they lead cannot run anything twice: the second finds the run claimed.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from anomaly.bootstrap import open_database
from anomaly.errors import AnomalyError
from anomaly.jobs.job import Detail, Job, JobFailed, JobStopped, Shared, Work, all_jobs
from anomaly.jobs.leader import Leadership
from anomaly.settings import Settings
from anomaly.store.database import Database
from anomaly.store.job_runs import CRASHED, FAILED, MOST_ATTEMPTS, OK, Run, bury, claimed, finish, last_run

log = logging.getLogger(__name__)

Clock = Callable[[], datetime]
AGAIN: Final = timedelta(minutes=5)
"""After which a failed run is tried once more: a database that restarts is back by then."""
AT_ONCE: Final = 4
"""Jobs side by side: scoring does not wait for the training."""


def run_jobs(
    settings: Settings,
    stop: threading.Event,
    jobs: Sequence[Job] | None = None,
    leading: Callable[[bool], None] = lambda leads: None,
) -> None:
    """This will run the jobs whenever this replica leads, until `stop` is set; a job in hand ends with its step.

    For a thread of its own, or a process. `leading` hears when this replica begins and ceases to lead. Never raises for a
    database that is away: it is asked again.
    """
    with open_database(settings) as database:
        Runner(settings, database, stop, jobs, leading).run()


class Runner:
    """One replica's part in running jobs."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        stop: threading.Event,
        jobs: Sequence[Job] | None = None,
        leading: Callable[[bool], None] = lambda leads: None,
        clock: Clock = lambda: datetime.now(tz=UTC),  # noqa: TID251 -- jobs are where the clock is read
    ) -> None:
        self.settings = settings
        self.database = database
        self.jobs = tuple(all_jobs() if jobs is None else jobs)
        self._stop = stop
        self._leading = leading
        self._clock = clock
        self._leadership = Leadership(database.dedicated)
        self._shared = Shared(settings, database)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(AT_ONCE)},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )

    def run(self) -> None:
        """This will run until told to stop."""
        self._scheduler.start(paused=True)
        led = False
        try:
            while not self._stop.is_set():
                leads = self._leadership.look()
                try:
                    if leads and not led:
                        self._take_up()
                    elif led and not leads:
                        self._scheduler.pause()
                    elif leads:
                        self._revive()
                except (psycopg.Error, AnomalyError) as fault:
                    log.warning("jobs wait for the database", extra={"reason": _first_line(fault)})
                    self._leadership.close()
                    self._scheduler.pause()
                    leads = False
                if leads != led:
                    led = leads
                    log.info("leads the jobs" if led else "does not lead the jobs any more")
                    self._leading(led)
                self._stop.wait(self.settings.jobs.lead_every.total_seconds())
        finally:
            self._scheduler.shutdown(wait=True)
            self._leadership.close()

    def _take_up(self) -> None:
        """Begin to lead: bury the dead, make up for what was missed, go on as scheduled."""
        now = self._clock()
        self._shared.forget()
        with self.database.dedicated() as connection:
            bury(connection, now)
            missed = {job.name: self._missed(connection, job, now) for job in self.jobs}
        for job in self.jobs:
            trigger = job.schedule(self.settings).trigger()
            begin = {"next_run_time": now} if missed[job.name] else {}
            self._scheduler.add_job(
                self._fire, trigger, args=[job], id=job.name, name=job.name, replace_existing=True, **begin
            )
        self._scheduler.resume()

    def _missed(self, connection: psycopg.Connection[tuple[object, ...]], job: Job, now: datetime) -> bool:
        if not job.catch_up:
            return False
        last = last_run(connection, job.name)
        due = job.schedule(self.settings).last(now)
        if last is None:
            return False
        again = last.outcome in {CRASHED, FAILED} and last.attempt < MOST_ATTEMPTS
        return last.scheduled_at < due or (last.scheduled_at == due and again)

    def _revive(self) -> None:
        """A run that somebody else began may have died while this replica led all along."""
        now = self._clock()
        with self.database.connection() as connection:
            dead = {run.job for run in bury(connection, now)}
        for job in self.jobs:
            if job.name in dead and job.catch_up:
                self._scheduler.modify_job(job.name, next_run_time=now)

    def _fire(self, job: Job) -> None:
        due = self._fire_once(job)
        # APScheduler passes over a time that comes while the run before it goes on: scoring, when its last look took a moment too
        # long, was then silent for half a minute.
        while job.catch_up and due is not None and job.schedule(self.settings).last(self._clock()) > due:
            due = self._fire_once(job)

    def _fire_once(self, job: Job) -> datetime | None:
        """Make the run that is due now, and return when it was due; None when it was not ours, or failed before it began."""
        if not self._leadership.held or self._stop.is_set():
            return None
        now = self._clock()
        try:
            schedule = job.schedule(self.settings)
            due = schedule.last(now)
            until = schedule.trigger().get_next_fire_time(None, now + timedelta(microseconds=1))
            run = self.run_once(job, due, until=until)
        except (psycopg.Error, AnomalyError) as fault:
            log.warning("job could not run", extra={"job": job.name, "reason": _first_line(fault)})
            return None
        if run is not None and run.outcome == FAILED and job.catch_up and run.attempt < MOST_ATTEMPTS:
            self._scheduler.modify_job(job.name, next_run_time=self._clock() + AGAIN)
        return due if run is not None else None

    def run_once(
        self,
        job: Job,
        scheduled_at: datetime,
        say: Callable[[str], None] = lambda said: None,
        until: datetime | None = None,
    ) -> Run | None:
        """This will claim a run and make it, and return it as it ended; None when it was not ours to make.

        `until` is when the next run is due: a job that looks again and again goes on so long.
        """
        host = f"{socket.gethostname()}:{os.getpid()}"
        with (
            self.database.dedicated() as connection,
            claimed(connection, job.name, scheduled_at, host, self._clock()) as run,
        ):
            if run is None:
                return None
            began = time.perf_counter()
            outcome, detail = self._made(job, run, say, until)
            detail = {**detail, "seconds": round(time.perf_counter() - began, 3)}
            if not finish(connection, run, outcome, detail, self._clock()):
                log.warning("a run was taken for dead and taken again", extra={"job": job.name})
            level = logging.DEBUG if outcome == OK else logging.WARNING
            log.log(level, "job %s", outcome, extra={"job": job.name, "detail": detail})
            return _ended(run, outcome, detail)

    def _made(
        self, job: Job, run: Run, say: Callable[[str], None], until: datetime | None
    ) -> tuple[str, Detail]:
        def heard(said: str) -> None:
            if self._stop.is_set():
                raise JobStopped
            say(said)

        work = Work(
            self.settings,
            self.database,
            self._shared,
            run.scheduled_at,
            self._clock(),
            heard,
            until,
            lambda seconds: not self._stop.wait(seconds),
        )
        try:
            return OK, job.run(work)
        except JobStopped as stopped:
            return CRASHED, {"error": str(stopped)}
        except JobFailed as failure:
            return FAILED, {**failure.detail, "error": str(failure)}
        except Exception as failure:  # whatever it is, it is this run's failure and nobody else's
            log.exception("job failed", extra={"job": job.name})
            return FAILED, {"error": f"{type(failure).__name__}: {_first_line(failure)}"}


def _ended(run: Run, outcome: str, detail: Detail) -> Run:
    return replace(run, outcome=outcome, detail=dict(detail))


def _first_line(failure: BaseException) -> str:
    return (str(failure).strip().splitlines() or [type(failure).__name__])[0][:300]
