"""A model's way, third of the stories: windows are gathered, a candidate is trained and judged, and put in use or not.

    gather   windows, firsts and entities of one cluster become a matrix and the history it rests on
    train    `training.run` makes a judged candidate of the matrix; it is kept, and promoted when it earned it
    judge    windows are scored by the champion; those over the line of the alert budget become findings with evidence

One model for each cluster: its peers, its budget and its habits are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.errors import NoModel
from anomaly.events.key import EPOCH, microseconds
from anomaly.features.circles import Circles
from anomaly.features.history import History
from anomaly.features.mixes import Mixes
from anomaly.features.registry import extract, layout
from anomaly.findings.finding import Contribution, Finding, FindingKind, Severity, finding_id
from anomaly.scoring import Context, Deviation, Scores, deviation, score
from anomaly.scoring.context import KIND_NAMES
from anomaly.store.database import Database
from anomaly.store.entities import all_entities
from anomaly.store.findings import Deviating, keep_deviations
from anomaly.store.firsts import load_firsts
from anomaly.store.models import Kept, champion, keep_model, load_model, promote_model
from anomaly.store.search import evidence_in_window
from anomaly.store.windows import Span, mark_scored, read_windows
from anomaly.windows.entity import Entity
from anomaly.windows.firsts import Firsts
from anomaly.windows.peers import Peers, groups_of
from anomaly.windows.window import Windows
from models import Budget, Model, NotEnoughData, Threshold, threshold_for
from training import RECIPES, Candidate, Matrix, Recipe, run

Connection = psycopg.Connection[tuple[object, ...]]
Say = Callable[[str], None]

DAY: Final = timedelta(days=1)
LEAST_WINDOWS: Final = 40
SHORT_HISTORY: Final = 100
"""Windows an entity; fewer are a short history: about four days of hours."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a cluster's training rests on. `until` is exclusive: nothing later was looked at."""

    windows: Windows
    firsts: Firsts
    entities: Mapping[int, Entity]
    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Trained:
    """A kept candidate: its number, what it is and whether it is in use now."""

    id: int
    candidate: Candidate
    promoted: bool


def gather(
    connection: Connection, cluster_id: int, span: timedelta, since: datetime | None, until: datetime
) -> Gathered:
    """This will read the windows of a cluster that end by `until`, with what was known then."""
    windows = read_windows(
        connection, Span(since, until - span, cluster_id, closed=True), span // timedelta(microseconds=1)
    )
    firsts = load_firsts(connection, cluster_id)
    known = firsts.first_us < microseconds(until)
    present = set(windows.entity.tolist())
    entities = {one.id: one for one in all_entities(connection, cluster_id) if one.id in present}
    return Gathered(windows, Firsts(firsts.keys[known], firsts.first_us[known]), entities, since, until)


def matrix_of(gathered: Gathered, recipe: Recipe) -> tuple[Matrix, History]:
    """This will make the training matrix. How rare something is, is judged by the windows of the fit alone, so that the later
    windows, on which the model is calibrated, meet a past that does not hold them.

    Raises models.NotEnoughData when there are too few windows.
    """
    windows = gathered.windows
    if windows.n < LEAST_WINDOWS:
        raise NotEnoughData(f"Only {windows.n} windows to train on; {LEAST_WINDOWS} are needed at least.")
    starts = np.sort(windows.start)
    cut = int(starts[min(int(recipe.fit_share * len(starts)), len(starts) - 1)])
    history = History.of(windows, gathered.firsts, gathered.entities.values(), cut)
    _, values = extract(windows, history)
    entity = windows.entity.astype(np.int64)
    kinds = KIND_NAMES[history.peers.kind_of(entity)]
    return Matrix.of(layout(), values, entity, kinds, history.peers.group_of(entity), windows.start), history


def train(
    database: Database,
    cluster_id: int,
    span: timedelta,
    since: datetime | None,
    until: datetime,
    recipe: Recipe | None = None,
    say: Say = lambda said: None,
    time_scale: float = 1.0,
) -> Trained:
    """This will train a candidate for a cluster, keep it, and make it the champion when it earned that.

    Without a recipe it is `small` for short histories, else `nightly`. `time_scale` 60 makes minutes of the log stand for hours:
    the budget's day is then 24 minutes long. Raises models.NotEnoughData when there is too little to train on.
    """
    with database.connection() as connection:
        say("gathering windows")
        gathered = gather(connection, cluster_id, span, since, until)
    say(f"computing features of {gathered.windows.n:,} windows")
    recipe = recipe or _recipe_for(gathered.windows)
    matrix, history = matrix_of(gathered, recipe)
    day = _windows_a_day(gathered.windows, time_scale)
    with database.begin() as session:
        try:
            reigning: Model | None = load_model(session, champion(session, cluster_id))
        except NoModel:
            reigning = None
    candidate = run(matrix, replace(recipe, windows_a_day=day), reigning, progress=say)
    promoted = reigning is None or candidate.decision.promote
    context = {
        "span_us": span // timedelta(microseconds=1),
        "since": since.isoformat() if since else None,
        "until": until.isoformat(),
        "windows_a_day": day,
        "peers": _peers_document(history.peers),
    }
    with database.begin() as session:
        number = keep_model(session, cluster_id, candidate.model, context)
        if promoted:
            promote_model(session, number)
    return Trained(number, candidate, promoted)


def _recipe_for(windows: Windows) -> Recipe:
    entities = max(len(np.unique(windows.entity)), 1)
    return RECIPES["small" if windows.n / entities < SHORT_HISTORY else "nightly"]


def _windows_a_day(windows: Windows, time_scale: float) -> float:
    """Windows that a day of the budget brings, at the rate of the training windows."""
    length_us = int(windows.start.max() - windows.start.min()) + windows.span_us
    return windows.n / length_us * (DAY // timedelta(microseconds=1)) / time_scale


@dataclass(frozen=True, slots=True)
class Judged:
    """What judging came to. `below` counts windows that were judged and stayed under the line: none is hidden."""

    model_id: int
    windows: int
    findings: int
    new: int
    below: int
    threshold: Threshold
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Judge:
    """A champion ready to judge one cluster's windows: load it once, use it for many."""

    kept: Kept
    context: Context
    threshold: Threshold

    def scores(self, windows: Windows) -> Scores:
        """This will score windows of its cluster."""
        return score(windows, self.context)


def load_judge(database: Database, cluster_id: int, span: timedelta, budget: Budget) -> Judge:
    """This will load the champion of a cluster with the past it was trained on. Raises NoModel."""
    with database.begin() as session:
        kept = champion(session, cluster_id)
        model = load_model(session, kept)
    until = datetime.fromisoformat(kept.context["until"])
    since = datetime.fromisoformat(kept.context["since"]) if kept.context["since"] else None
    with database.connection() as connection:
        trained = gather(connection, cluster_id, span, since, until)
    peers = _peers_of(kept.context["peers"])
    circles = Circles.of(trained.firsts, peers, trained.windows.vocabulary, trained.windows.span_us)
    history = History(trained.firsts, circles, Mixes.of([trained.windows], microseconds(until)), peers)
    calibrated = max((kind.calibrated_on for kind in model.card.kinds), default=1)
    threshold = threshold_for(budget, float(kept.context["windows_a_day"]), max(calibrated, 1))
    return Judge(kept, Context(model, history, trained.entities, threshold.p_value), threshold)


def judge(database: Database, judge: Judge, span: Span, say: Say = lambda said: None) -> Judged:
    """This will judge the windows of a span and keep what deviates as findings with their events."""
    cluster_id = judge.kept.cluster_id
    span_us = int(judge.kept.context["span_us"])
    with database.connection() as connection:
        say("reading windows")
        windows = read_windows(connection, replace(span, cluster_id=cluster_id), span_us)
        firsts = load_firsts(connection, cluster_id)
        entities = {one.id: one for one in all_entities(connection, cluster_id)}
    present = [entities[number] for number in sorted(set(windows.entity.tolist()))]
    peers = judge.context.history.peers.with_strangers(present, groups_of(windows))
    context = replace(
        judge.context, history=judge.context.history.refreshed(firsts, peers), entities=entities
    )
    if not windows.n:
        return Judged(judge.kept.id, 0, 0, 0, 0, judge.threshold, span.since, span.until)
    say(f"judging {windows.n:,} windows")
    scores = score(windows, context)
    rows = scores.over(context.threshold)
    found = [deviation(scores, int(row), context) for row in rows]
    new = keep(database, judge.kept, cluster_id, found)
    with database.connection() as connection:
        mark_scored(connection, cluster_id, span)
    return Judged(
        judge.kept.id,
        windows.n,
        len(found),
        new,
        windows.n - len(found),
        judge.threshold,
        span.since,
        span.until,
    )


def keep(database: Database, kept: Kept, cluster_id: int, found: list[Deviation]) -> int:
    """This will keep deviations as findings with the very events behind them, and return how many are new."""
    with database.begin() as session:
        return keep_deviations(session, [_deviating(session, kept, cluster_id, one) for one in found])


def _deviating(session: Any, kept: Kept, cluster_id: int, one: Deviation) -> Deviating:
    start = EPOCH + timedelta(microseconds=one.start_us)
    end = start + timedelta(microseconds=one.span_us)
    events = evidence_in_window(session, one.entity.id, start, end, frozenset(one.evidence))
    number = finding_id(
        cluster_id, FindingKind.BEHAVIOUR, "window", (one.entity.identity.username,), one.start_us
    )
    finding = Finding(
        id=number,
        cluster="",
        entity=one.entity.identity.username,
        entity_kind=one.entity.kind.value,
        kind=FindingKind.BEHAVIOUR,
        name=one.name,
        title=one.title,
        severity=Severity(one.severity),
        attack=one.attack,
        start=events[0][0] if events else start,
        end=events[-1][0] if events else end,
        score=one.score,
        reason=one.reason,
        count=len(events),
        contributions=tuple(
            Contribution(part.feature, part.title, part.unit, part.value, part.usual, part.peers, part.share)
            for part in one.parts
        ),
        normal=one.normal,
        details={
            **one.details,
            "p-value": f"{one.p_value:.2g}",
            "window": f"{start.isoformat()}/{end.isoformat()}",
            **({"also": ", ".join(one.also)} if one.also else {}),
        },
    )
    return Deviating(finding, cluster_id, one.entity.id, kept.id, tuple(events))


def _peers_document(peers: Peers) -> dict[str, Any]:
    return {
        "entities": peers.entities.tolist(),
        "groups": peers.groups.tolist(),
        "kinds": peers.kinds.tolist(),
        "names": list(peers.names),
        "declared": dict(peers.declared),
    }


def _peers_of(said: dict[str, Any]) -> Peers:
    def labels(name: str) -> NDArray[np.int64]:
        return np.array(said[name], dtype=np.int64)

    return Peers(
        labels("entities"), labels("groups"), labels("kinds"), tuple(said["names"]), said["declared"]
    )
