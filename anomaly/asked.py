"""Long work that people ask for, by command or over HTTP: training now, judging now, replays, comparisons, another try of quarantine.

Each takes settings, the database and `say`, which hears progress and may raise to end the work, and returns what is shown of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from anomaly.errors import NotFound, UsageError
from anomaly.settings import Settings
from anomaly.store.clusters import Cluster, cluster_id, list_clusters
from anomaly.store.database import Database

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from anomaly.payloads.door import DoorForecastPayload
    from anomaly.payloads.judging import JudgedPayload
    from anomaly.payloads.model import DiffPayload, ReplayPayload
    from anomaly.payloads.policy import SimulationPayload
    from anomaly.payloads.quarantine import RetriedPayload
    from anomaly.payloads.rule import RuleReplayPayload
    from anomaly.payloads.training import TrainedPayload
    from anomaly.policy.document import Policy
    from anomaly.policy.need import Need
    from anomaly.rules import RuleSet
    from training import Recipe

Say = Callable[[str], None]

MOST_WORKERS: Final = 8
LONGEST: Final = timedelta(days=400)
_SAID_EVERY: Final = 20_000


@dataclass(frozen=True, slots=True)
class Desk:
    """What all of it works with."""

    settings: Settings
    database: Database
    say: Say = lambda said: None


def chosen_clusters(connection: Connection, name: str | None, now: datetime) -> list[Cluster]:
    """This will return the cluster of that name, or all of them. Raises NotFound for a name there is not."""
    if name is not None:
        cluster_id(connection, name)
    return [one for one in list_clusters(connection, now) if name in {None, one.name}]


def train_now(
    desk: Desk,
    clusters: Sequence[Cluster],
    since: datetime,
    until: datetime,
    recipe: Recipe | None = None,
    time_scale: float = 1.0,
) -> list[TrainedPayload]:
    """This will train a model for each cluster; one with too little to train on says so."""
    from anomaly.nightly import train, tuned
    from anomaly.payloads.training import trained_payload, untrained_payload
    from models import NotEnoughData

    training, per_day = desk.settings.training, desk.settings.scoring.findings_per_day
    made = []
    for one in clusters:
        try:
            trained = train(
                desk.database,
                one.id,
                desk.settings.windows.span,
                since,
                until,
                recipe,
                _about(desk.say, one.name),
                time_scale,
                lambda made: tuned(made, training, per_day),
                training.verdicts_per_technique,
            )
        except NotEnoughData as few:
            made.append(untrained_payload(one.name, str(few)))
        else:
            made.append(trained_payload(one.name, trained))
    return made


def judge_now(
    desk: Desk,
    clusters: Sequence[Cluster],
    since: datetime | None,
    until: datetime | None,
    now: datetime,
    per_day: float | None = None,
) -> list[JudgedPayload]:
    """This will judge the windows of [since, until), keep what deviates and rank it by verdicts. Raises NoModel."""
    from anomaly.nightly import judge, load_judge
    from anomaly.payloads.judging import judged_payload
    from anomaly.ranking import Ranking
    from anomaly.store.windows import Span
    from models import Budget

    settings = desk.settings
    budget = Budget(per_day=settings.scoring.findings_per_day if per_day is None else per_day)
    made = []
    for one in clusters:
        judging = load_judge(desk.database, one.id, settings.windows.span, budget)
        judged = judge(desk.database, judging, Span(since, until), desk.say)
        ranking = Ranking(desk.database, settings.training.verdicts_per_technique)
        ranking.renew(judging, now, found_more=True)
        made.append(judged_payload(one.name, judged))
    return made


def replay_model(
    desk: Desk, model: int, against: int | None, since: datetime, until: datetime
) -> ReplayPayload:
    """This will judge history by a model and by another, the one in use unless said. Raises NotFound, NoModel, UsageError."""
    from anomaly.nightly import load_judge
    from anomaly.payloads.model import replay_payload
    from anomaly.replay import replay
    from anomaly.store.models import find_model
    from models import Budget

    budget, span = Budget(per_day=desk.settings.scoring.findings_per_day), desk.settings.windows.span
    with desk.database.begin() as session:
        number = find_model(session, model).cluster_id
    tried = load_judge(desk.database, number, span, budget, model)
    compared = load_judge(desk.database, number, span, budget, against)
    days = list(replay(desk.database, tried, compared, since, until, desk.say))
    return replay_payload(model, compared.kept.id, days)


def diff_models(desk: Desk, one: int, other: int, since: datetime, until: datetime) -> DiffPayload:
    """This will compare two models: cards, line, drift of features, and what each finds in [since, until)."""
    from anomaly.drifting import drift_between
    from anomaly.nightly import load_judge
    from anomaly.payloads.model import diff_payload
    from anomaly.replay import replay
    from anomaly.store.models import find_model
    from models import Budget

    budget, span = Budget(per_day=desk.settings.scoring.findings_per_day), desk.settings.windows.span
    with desk.database.begin() as session:
        number = find_model(session, one).cluster_id
    judges = [load_judge(desk.database, number, span, budget, each) for each in (one, other)]
    shifted = drift_between(judges[0].context.model, judges[1].context.model)
    days = list(replay(desk.database, judges[0], judges[1], since, until, desk.say))
    return diff_payload(judges, shifted, days)


def replay_rules(
    desk: Desk,
    rules: RuleSet,
    since: datetime | None,
    until: datetime | None,
    cluster: str | None,
    examples: int,
    workers: int | None = None,
    show: Callable[[int, int], None] | None = None,
) -> RuleReplayPayload:
    """This will run rules over stored events; nothing is stored. `show` hears (events looked at, events to look at)."""
    from anomaly.payloads.rule import rule_replay_payload
    from anomaly.store.clusters import cluster_names
    from anomaly.store.replay import Period, replay

    with desk.database.read() as connection:
        number = cluster_id(connection, cluster) if cluster is not None else None
        names = cluster_names(connection)
    count = workers if workers is not None else min(os.cpu_count() or 1, MOST_WORKERS)
    heard = show or (lambda done, total: desk.say(f"{done:,} of {total:,} events"))
    made = replay(desk.database.dedicated, rules, Period(since, until, number), count, heard)
    return rule_replay_payload(made, names, examples)


def simulate_policy(
    desk: Desk, policy: Policy, since: datetime | None, until: datetime | None, cluster: int | None, top: int
) -> SimulationPayload:
    """This will run an audit policy over the stored events of [since, until), of one cluster or all: what is kept, lowered and
    dropped, by rule and by so many talkers."""
    from anomaly.payloads.policy import simulation_payload
    from anomaly.policy.simulate import Simulator
    from anomaly.store.replay import Period, stored_events

    simulator = Simulator(policy)
    with desk.database.dedicated() as connection:
        for count, (event, raw) in enumerate(stored_events(connection, Period(since, until, cluster))):
            if count % _SAID_EVERY == 0:
                desk.say(f"{count:,} events")
            simulator.add(event, len(raw))
    return simulation_payload(simulator.result, top)


def weigh_policy(
    desk: Desk, policy: Policy, cluster: int, since: datetime, wanted: Sequence[Need]
) -> DoorForecastPayload:
    """This will say what a policy at our door would have dropped of a cluster's stored events since a time, and who of `wanted`
    goes blind by it."""
    from anomaly.payloads.door import door_forecast_payload
    from anomaly.store.replay import Period, stored_events
    from anomaly.weighing import weigh

    with desk.database.dedicated() as connection:
        events = stored_events(connection, Period(since, None, cluster))
        return door_forecast_payload(weigh(policy, events, wanted, desk.say), since)


def chosen_rule(known: RuleSet, name: str) -> RuleSet:
    """This will return one rule of a set, a correlation with the rules it reads. Raises NotFound."""
    from anomaly.rules import Correlation, RuleSet
    from anomaly.rules.problem import closest

    one = known.by_id.get(name)
    if one is None:
        hint = closest(name, known.by_id) or "`anomaly rules list`"
        raise NotFound(f"there is no rule {name}", hint=hint)
    if not isinstance(one, Correlation):
        return RuleSet((one,))
    return RuleSet(tuple(rule for rule in known.rules if rule.id in one.rules), (one,))


def retry_quarantine(desk: Desk, rules: RuleSet, numbers: Sequence[int]) -> RetriedPayload:
    """This will decode inputs in quarantine again; what is still undecodable stays."""
    from anomaly.bootstrap import redactor_of
    from anomaly.payloads.quarantine import retried_payload
    from anomaly.pipeline import retry_quarantined
    from anomaly.store.writer import Receipt

    total, released, redactor = Receipt(), 0, redactor_of(desk.settings)
    for place, number in enumerate(numbers):
        desk.say(f"{place} of {len(numbers)} tried")
        receipt = retry_quarantined(
            desk.database.dedicated, rules, desk.settings.windows.span, number, redactor
        )
        released += not receipt.quarantined
        total += receipt
    return retried_payload(len(numbers), released, total)


def checked_days(since: datetime, until: datetime) -> None:
    """This will do nothing for a time that can be replayed. Raises UsageError for none, or more than 400 days."""
    if not since < until <= since + LONGEST:
        raise UsageError(f"The time must be more than nothing and at most {LONGEST.days} days.")


def _about(say: Say, cluster: str) -> Say:
    return lambda said: say(f"{cluster}: {said}")
