"""One replica as a process of its own, to be killed: runs a job that writes down each time it begins and ends.

python -m tests.anomaly.jobs.replica URL SECONDS EVERY|HH:MM [BOOM]
"""

import os
import signal
import sys
import threading
import time
from datetime import timedelta

from anomaly.jobs.job import Job
from anomaly.jobs.runner import run_jobs
from anomaly.jobs.schedule import Daily, Every
from anomaly.settings import DatabaseSettings, JobSettings, Settings


def slow_job(seconds, when):
    def run(work):
        for note in ("begins", "ends"):
            with work.database.connection() as connection:
                connection.execute(
                    "INSERT INTO public.diary (pid, note, scheduled_at) VALUES (%s, %s, %s)",
                    [os.getpid(), note, work.scheduled_at],
                )
            if note == "begins":
                time.sleep(seconds)
        return {"pid": os.getpid()}

    schedule = Daily(when) if ":" in when else Every(timedelta(seconds=float(when)))
    return Job("slow", "Takes its time.", lambda settings: schedule, run)


def settings_for(url):
    return Settings(
        database=DatabaseSettings(url=url, pool_size=2),
        jobs=JobSettings(lead_every=timedelta(milliseconds=50)),
    )


def main(url, seconds, when):
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_jobs(settings_for(url), stop, [slow_job(float(seconds), when)])


if __name__ == "__main__":
    main(*sys.argv[1:])
