"""A model's way, third of the stories: windows are gathered, a candidate is trained and judged, and put in use or not.

    gather   windows, firsts and entities of one cluster become a matrix and the history it rests on
    train    `training.run` makes a judged candidate of the matrix; it is kept, and promoted when it earned it
    judge    windows are scored by the champion; those over the line of the alert budget become findings with evidence

One model for each cluster: its peers, its budget and its habits are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from anomaly.errors import NoModel
from anomaly.events.key import EPOCH, microseconds
from anomaly.features.circles import Circles
from anomaly.features.history import History
from anomaly.features.mixes import Mixes
from anomaly.features.newcomers import MACHINES, forgotten, newcomer_rows
from anomaly.features.registry import extract, layout
from anomaly.findings.finding import Contribution, Finding, FindingKind, Severity
from anomaly.findings.merge import Days, Event, Story, story_id
from anomaly.hearing import Heard, train_hearing, verdicts_on
from anomaly.scoring import Context, Deviation, Scores, deviation, score
from anomaly.scoring.context import KIND_NAMES
from anomaly.settings import TrainingSettings
from anomaly.store.behind import MOST_IN_WINDOW, Asked, evidence_in_windows
from anomaly.store.database import Database
from anomaly.store.entities import all_entities
from anomaly.store.findings import Kept as KeptStories
from anomaly.store.findings import keep_deviations
from anomaly.store.firsts import load_firsts
from anomaly.store.judging import mark_judged, unjudged
from anomaly.store.models import (
    Kept,
    champion,
    champion_id,
    find_model,
    keep_model,
    load_model,
    promote_model,
)
from anomaly.store.present import Present, Telling, present_of
from anomaly.store.windows import Span, last_start, read_windows
from anomaly.windows.entity import Entity
from anomaly.windows.firsts import Firsts
from anomaly.windows.peers import Peers, groups_of
from anomaly.windows.window import Windows
from models import Budget, NotEnoughData, Threshold
from models.line import line_of
from training import RECIPES, Candidate, Matrix, Recipe, run
from training.feedback import Reviewed
from training.newcomers import Newcomers

Connection = psycopg.Connection[tuple[object, ...]]
Say = Callable[[str], None]

DAY: Final = timedelta(days=1)
LEAST_WINDOWS: Final = 40
MOST_VERDICTS: Final = 20
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
    """A kept candidate: its number, what it is, whether it is in use now, why, and what verdicts did."""

    id: int
    candidate: Candidate
    promoted: bool
    reason: str
    heard: Heard


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
    return _matrix(values, windows, history), history


def _matrix(values: NDArray[np.float32], windows: Windows, history: History) -> Matrix:
    entity = windows.entity.astype(np.int64)
    kinds = KIND_NAMES[history.peers.kind_of(entity)]
    return Matrix.of(layout(), values, entity, kinds, history.peers.group_of(entity), windows.start)


def newcomers_of(
    gathered: Gathered, history: History, confirmed: NDArray[np.bool_], time_scale: float = 1.0
) -> Newcomers:
    """This will show the machines of the later windows as if they had just come, for the first day of the budget each."""
    day = DAY // timedelta(microseconds=1) / time_scale
    rows = newcomer_rows(gathered.windows, history, history.mixes.until_us, int(day))
    rows = rows[~confirmed[rows]]
    windows = gathered.windows.take(rows)
    _, values = extract(windows, forgotten(windows, history))
    matrix = _matrix(values, windows, history)
    return Newcomers(matrix, tuple(kind.value for kind in MACHINES))


def train(
    database: Database,
    cluster_id: int,
    span: timedelta,
    since: datetime | None,
    until: datetime,
    recipe: Recipe | None = None,
    say: Say = lambda said: None,
    time_scale: float = 1.0,
    tune: Callable[[Recipe], Recipe] = lambda recipe: recipe,
    most_verdicts: int = MOST_VERDICTS,
) -> Trained:
    """This will train a candidate for a cluster, keep it, and make it the champion when it earned that.

    Without a recipe it is `small` for short histories, else `nightly`; `tune` may change it. `time_scale` 60 makes minutes of the
    log stand for hours: the budget's day is then 24 minutes long. Windows of confirmed attacks teach nothing; of other verdicts
    at most `most_verdicts` on one technique are heard. Raises models.NotEnoughData when there is too little to train on.
    """
    with database.connection() as connection:
        say("gathering windows")
        gathered = gather(connection, cluster_id, span, since, until)
    say(f"computing features of {gathered.windows.n:,} windows")
    recipe = tune(recipe or _recipe_for(gathered.windows))
    matrix, history = matrix_of(gathered, recipe)
    day = _windows_a_day(gathered.windows, time_scale)
    recipe = replace(recipe, windows_a_day=day)
    with database.begin() as session:
        try:
            before: Kept | None = champion(session, cluster_id)
        except NoModel:
            before = None
        reigning = load_model(session, before) if before else None
    with database.connection() as connection:
        verdicts = verdicts_on(
            connection, cluster_id, span, matrix, gathered.windows, history, until, most_verdicts
        )

    newcomers = newcomers_of(gathered, history, verdicts.confirmed, time_scale)

    def train_on(reviewed: Reviewed | None) -> Candidate:
        return run(matrix, recipe, reigning, verdicts.confirmed, reviewed, say, newcomers)

    candidate, heard = train_hearing(train_on, verdicts, recipe.jobs)
    context = {
        "verdicts": heard.to_dict(),
        "trained_beside": before.id if before else None,
        "span_us": span // timedelta(microseconds=1),
        "since": since.isoformat() if since else None,
        "until": until.isoformat(),
        "windows_a_day": day,
        "time_scale": time_scale,
        "peers": history.peers.to_dict(),
    }
    promoted, reason = before is None or candidate.decision.promote, candidate.decision.reason
    with database.begin() as session:
        number = keep_model(session, cluster_id, candidate.model, context)
        if promoted and champion_id(session, cluster_id) != (before.id if before else None):
            # It was judged against a model that is not in use any more: whoever changed that decides.
            promoted, reason = False, "Kept as a candidate: another model was put in use meanwhile."
        if promoted:
            promote_model(session, number)
    return Trained(number, candidate, promoted, reason, heard)


def tuned(recipe: Recipe, training: TrainingSettings, per_day: float) -> Recipe:
    """This will set what the settings say into a recipe; the recipe for short histories keeps its small windows."""
    chosen = replace(
        recipe,
        seed=training.seed,
        trees=training.trees,
        samples=training.sample,
        budget=Budget(per_day=per_day),
    )
    return chosen if recipe.name == "small" else replace(chosen, least_windows=training.min_windows)


def _recipe_for(windows: Windows) -> Recipe:
    entities = max(len(np.unique(windows.entity)), 1)
    return RECIPES["small" if windows.n / entities < SHORT_HISTORY else "nightly"]


def _windows_a_day(windows: Windows, time_scale: float) -> float:
    """Windows that a day of the budget brings, at the rate of the training windows."""
    length_us = int(windows.start.max() - windows.start.min()) + windows.span_us
    return windows.n / length_us * (DAY // timedelta(microseconds=1)) / time_scale


@dataclass(frozen=True, slots=True)
class Judged:
    """What judging came to. `over` windows lie over the line and tell `findings` stories before people, `beyond` of them
    over their day's budget as they are critical; `full` more had no room left on their day; `below` counts windows that stayed under the line: none is hidden."""

    model_id: int
    windows: int
    findings: int
    new: int
    below: int
    threshold: Threshold
    since: datetime | None
    until: datetime | None
    over: int = 0
    full: int = 0
    beyond: int = 0


@dataclass(frozen=True, slots=True)
class Judge:
    """A champion ready to judge one cluster's windows: load it once, use it for many. `held` is of whoever judges all that change."""

    kept: Kept
    context: Context
    threshold: Threshold
    days: Days = field(default_factory=Days)
    held: Present | None = None

    def scores(self, windows: Windows) -> Scores:
        """This will score windows of its cluster."""
        return score(windows, self.context)


def load_judge(
    database: Database, cluster_id: int, span: timedelta, budget: Budget, model_id: int | None = None
) -> Judge:
    """This will load a model of a cluster, its champion unless said, with the past it was trained on. Raises NoModel, NotFound."""
    with database.begin() as session:
        kept = champion(session, cluster_id) if model_id is None else find_model(session, model_id)
        model = load_model(session, kept)
    until = datetime.fromisoformat(kept.context["until"])
    since = datetime.fromisoformat(kept.context["since"]) if kept.context["since"] else None
    with database.connection() as connection:
        trained = gather(connection, cluster_id, span, since, until)
    peers = Peers.from_dict(kept.context["peers"])
    windows = trained.windows
    circles = Circles.of(trained.firsts, peers, windows.vocabulary, windows.span_us)
    history = History(trained.firsts, circles, Mixes.of([windows], microseconds(until)), peers)
    among = float(kept.context["windows_a_day"])
    threshold = line_of(model.card, budget, among)
    scale = float(kept.context.get("time_scale", 1.0))
    # Days that minutes stand for begin with what the trial judges; real ones are the same for every model.
    days = Days(DAY / scale, budget.per_day, EPOCH if scale == 1.0 else until, among=among)
    return Judge(kept, Context(model, history, trained.entities, threshold.p_value), threshold, days)


def survey(
    database: Database, judge: Judge, span: Span, say: Say = lambda said: None
) -> tuple[Scores, Context] | None:
    """This will score the windows of a span without keeping anything, with what is known by now; None when there are none."""
    span_us = int(judge.kept.context["span_us"])
    with database.connection() as connection:
        say("reading windows")
        windows, firsts, entities = present_of(connection, judge.kept.cluster_id, span, span_us, judge.held)
    if not windows.n:
        return None
    present = [entities[number] for number in sorted(set(windows.entity.tolist()))]
    peers = judge.context.history.peers.with_strangers(present, groups_of(windows))
    history = judge.context.history.refreshed(firsts, peers, windows)
    context = replace(judge.context, history=history, entities=entities)
    say(f"judging {windows.n:,} windows")
    return score(windows, context), context


def judge(database: Database, judge: Judge, span: Span, say: Say = lambda said: None) -> Judged:
    """This will judge the windows of a span and keep what deviates as findings with their events."""
    with database.connection() as connection:
        # Noted before reading: what is folded in meanwhile is judged once more, never overlooked.
        due = unjudged(connection, judge.kept.cluster_id, span)
    surveyed = survey(database, judge, span, say)
    if surveyed is None:
        return Judged(judge.kept.id, 0, 0, 0, 0, judge.threshold, span.since, span.until)
    scores, context = surveyed
    over = scores.over(context.threshold)
    if judge.held:
        lying = zip(scores.windows.entity[over].tolist(), scores.windows.start[over].tolist(), strict=True)
        told, waits = judge.held.tell(list(lying), lambda place: deviation(scores, int(over[place]), context))
    else:
        told, waits = [(deviation(scores, int(row), context), MOST_IN_WINDOW) for row in over], set()
    kept = keep(database, judge.kept, judge.kept.cluster_id, told, _days_so_far(database, judge))
    with database.connection() as connection:
        mark_judged(connection, [one for one in due if (one.entity_id, microseconds(one.start)) not in waits])
    return Judged(
        judge.kept.id,
        scores.windows.n,
        kept.stories - kept.below,
        kept.new,
        scores.windows.n - len(over),
        judge.threshold,
        span.since,
        span.until,
        len(over),
        kept.below,
        kept.beyond,
    )


def _days_so_far(database: Database, judge: Judge) -> Days:
    """Days that minutes stand for are of a log that ends: the last has room for the part that there is."""
    if (days := judge.days).length == DAY or days.horizon is not None:
        return days
    with database.connection() as connection:
        last = last_start(connection, Span(since=days.origin, cluster_id=judge.kept.cluster_id))
    span = timedelta(microseconds=int(judge.kept.context["span_us"]))
    return days if last is None else replace(days, horizon=last + span)


def strangest_below(database: Database, judge: Judge, span: Span, most: int) -> list[Deviation]:
    """This will explain the strangest windows of a span that stay under the line, at most so many, and keep nothing."""
    surveyed = survey(database, judge, span)
    if surveyed is None or most < 1:
        return []
    scores, context = surveyed
    under = scores.over(1.0)[len(scores.over(context.threshold)) :][:most]
    return [deviation(scores, int(row), context) for row in under]


def keep(database: Database, kept: Kept, cluster_id: int, told: Sequence[Telling], days: Days) -> KeptStories:
    """This will keep deviations as findings with the very events behind them: one a story, the gravest of each day first."""
    with database.begin() as session:
        behind = evidence_in_windows(session, [Asked.of(*one) for one in told])
        pieces = [
            piece_of(kept, cluster_id, one, days, events)
            for (one, _), events in zip(told, behind, strict=True)
        ]
        return keep_deviations(session, pieces, days)


def piece_of(kept: Kept, cluster_id: int, one: Deviation, days: Days, events: Sequence[Event] = ()) -> Story:
    """This will return a deviation as a piece of its story; `events` are its evidence by time, without them the window's bounds hold."""
    start = EPOCH + timedelta(microseconds=one.start_us)
    end = start + timedelta(microseconds=one.span_us)
    number = story_id(cluster_id, one.entity.identity.username, one.name, days.start_of(start))
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
    return Story(finding, cluster_id, one.entity.id, kept.id, frozenset(events))
