"""Every ten minutes, where the settings name API servers: send each a canary, and look which ones arrived."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from anomaly.api_server import api_servers
from anomaly.canary import look_for_canaries, send_canary
from anomaly.errors import NotFound
from anomaly.jobs.job import Detail, Job, JobFailed, Work
from anomaly.jobs.schedule import Every
from anomaly.settings import Settings
from anomaly.store.clusters import cluster_id

_SECONDS = 45
"""How long it waits for those just sent: a batch goes out after 30 s at the latest. Later ones are found the next time."""


def _run(work: Work) -> Detail:
    sent, failed = 0, []
    for server in api_servers(work.settings.completeness):
        work.say(f"{server.cluster}: sends a canary")
        try:
            with work.database.read() as session:
                number = cluster_id(session, server.cluster)
        except NotFound as unknown:
            failed.append(str(unknown))
            continue
        _, failure = send_canary(work.database, server, number, _clock)
        sent += not failure
        failed += [failure] if failure else []
    arrived = look_for_canaries(work.database, _clock())
    waited = 0
    while sent > arrived and waited < _SECONDS:
        time.sleep(1)
        waited += 1
        work.say(f"{arrived} of {sent} canaries arrived")
        arrived += look_for_canaries(work.database, _clock())
    detail = {"sent": sent, "arrived": arrived}
    if failed:
        raise JobFailed(failed[0], detail={**detail, "failed": failed[:10]})
    return detail


def _clock() -> datetime:
    return datetime.now(tz=UTC)  # noqa: TID251 -- jobs are where the clock is read


def _schedule(settings: Settings) -> Every:
    return Every(settings.completeness.canary_every)


JOB = Job(
    "canaries",
    "Send requests whose events must arrive, where the settings say so.",
    _schedule,
    _run,
    catch_up=False,
)
