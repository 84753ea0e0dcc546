"""Every five minutes, where the settings name API servers: read what they counted of their audit events."""

from __future__ import annotations

from anomaly.api_server import api_servers, ask
from anomaly.errors import AnomalyError, SourceUnavailable
from anomaly.intake.exposition import read_sample
from anomaly.jobs.job import Detail, Job, JobFailed, Work
from anomaly.jobs.schedule import Every
from anomaly.settings import Settings
from anomaly.store.audit_metrics import keep_sample
from anomaly.store.clusters import cluster_id


def _run(work: Work) -> Detail:
    read, failed = 0, []
    for server in api_servers(work.settings.completeness):
        work.say(f"{server.cluster}: reads its counts")
        try:
            with work.database.read() as session:
                number = cluster_id(session, server.cluster)
            status, page = ask(server, "/metrics")
            if status != 200:
                raise SourceUnavailable(f"{server.url}/metrics answers {status}.")
            sample = read_sample(page.decode("utf-8", "replace"), work.now, server.instance)
            with work.database.connection() as connection:
                keep_sample(connection, number, sample)
            read += 1
        # The other API servers shall be read all the same.
        except AnomalyError as failure:
            failed.append(str(failure))
    if failed:
        raise JobFailed(failed[0], detail={"read": read, "failed": failed[:10]})
    return {"read": read}


def _schedule(settings: Settings) -> Every:
    return Every(settings.completeness.scrape_every)


JOB = Job(
    "scraping",
    "Read what API servers counted of their audit events, where the settings say so.",
    _schedule,
    _run,
    catch_up=False,
)
