"""Every night: train a model for each cluster, put it in use when it earned it, let go of the oldest."""

from __future__ import annotations

from anomaly.errors import AnomalyError
from anomaly.jobs.job import Detail, Job, JobFailed, JobStopped, Work
from anomaly.jobs.schedule import Daily
from anomaly.nightly import train, tuned
from anomaly.settings import Settings
from anomaly.store.clusters import Cluster, list_clusters
from anomaly.store.models import prune_models
from models import NotEnoughData
from models.errors import ModelError
from training import Recipe


def _run(work: Work) -> Detail:
    with work.database.begin() as session:
        clusters = list_clusters(session, work.now)
    detail: dict[str, object] = {}
    failed = []
    for cluster in clusters:
        try:
            detail[cluster.name] = _train(work, cluster)
        except NotEnoughData as few:
            detail[cluster.name] = {"trained": False, "reason": str(few)}
        except JobStopped:
            raise
        # The other clusters shall have their model all the same.
        except (AnomalyError, ModelError) as failure:
            detail[cluster.name] = {"trained": False, "reason": str(failure)}
            failed.append(cluster.name)
    if failed:
        raise JobFailed(f"The training of {', '.join(failed)} failed.", detail=detail)
    return detail


def _train(work: Work, cluster: Cluster) -> dict[str, object]:
    training = work.settings.training

    def tune(recipe: Recipe) -> Recipe:
        return tuned(recipe, training, work.settings.scoring.findings_per_day)

    until = work.now - work.settings.windows.settle
    trained = train(
        work.database,
        cluster.id,
        work.settings.windows.span,
        until - training.lookback,
        until,
        say=lambda said: work.say(f"{cluster.name}: {said}"),
        tune=tune,
        most_verdicts=training.verdicts_per_technique,
    )
    with work.database.begin() as session:
        pruned = prune_models(session, cluster.id, training.keep_models)
    return {
        "trained": True,
        "model": trained.id,
        "promoted": trained.promoted,
        "reason": trained.reason,
        "verdicts": trained.heard.reason,
        "vanished": len(trained.heard.vanished),
        "pruned": pruned,
    }


def _schedule(settings: Settings) -> Daily:
    return Daily(settings.training.at, settings.training.zone)


JOB = Job("training", "Train a model for each cluster and put it in use when it earned it.", _schedule, _run)
