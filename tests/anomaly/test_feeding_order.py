"""Numbers of entities and terms are of who came first; the same log taken in otherwise must bring the same model."""

import numpy as np
import pytest

from anomaly.nightly import load_judge, survey
from anomaly.store.models import champion
from anomaly.store.windows import Span
from anomaly.testing import raw_event
from models import Budget
from tests.anomaly import town as build
from tests.anomaly.conftest import Town
from tests.anomaly.town import MINUTE, PAST, team, theft, work

LONERS = tuple(f"loner-{number:02}" for number in range(14))
ROBOTS = tuple(f"system:serviceaccount:{place}:bot" for place in ("ci", "shop", "ops", "web", "db", "log"))


def lives(begin):
    """The team; people without a group, half of whom read and half of whom write; service accounts each in its namespace."""
    yield from team(begin, PAST)
    for number, who in enumerate(LONERS):
        for step in range(number % 5, PAST, 4):
            what = ("configmaps", "list") if number % 2 else ("apps/deployments", "patch")
            yield raw_event(
                *what, by=who, groups=("system:authenticated",), name=f"x{step % 3}", at=begin + step * MINUTE
            )
    for number, who in enumerate(ROBOTS):
        yield from work(who, begin + number * MINUTE, PAST - number, seed=number)


def fed(postgres, events, now, orders):
    """A town that took the events in, in these portions, and trained."""
    clone = postgres.clone()
    with clone as database:
        for portion in orders(list(events)):
            cluster_id = build.keep(database, portion)
        town = Town(database, now, cluster_id)
        trained = town.train(tune=lambda recipe: recipe)
        town.keep(*team(now, 1, seed=5), *theft("loner-03", now, 10))
        yield town, trained


def forward(events):
    return [events[start::3] for start in range(3)]


def backward(events):
    portions = [events[start::7] for start in range(7)]
    return [portion[::-1] for portion in portions[::-1]]


def by_name(events):
    """One entity after the other, the last name first: no number stays what it was."""
    named = sorted(events, key=lambda event: event.partition(b'"username":')[2][:60], reverse=True)
    return [named[start : start + 40] for start in range(0, len(named), 40)]


def told(town, trained):
    """All that the model says, by name: its line, its peer groups, and the score of every window."""
    judge = load_judge(town.database, town.cluster_id, MINUTE, Budget(per_day=10))
    scores, context = survey(town.database, judge, Span(town.now - PAST * MINUTE))
    names = {number: one.identity.username for number, one in context.entities.items()}
    windows = {
        (names[int(entity)], int(start)): (score.tobytes(), p_value.tobytes(), row.tobytes())
        for entity, start, score, p_value, row in zip(
            scores.windows.entity,
            scores.windows.start,
            scores.judged.score,
            scores.judged.p_value,
            scores.matrix,
            strict=True,
        )
    }
    peers = {name: context.history.peers.name_of(number) for number, name in names.items()}
    report = trained.candidate.report
    with town.database.begin() as session:
        assert champion(session, town.cluster_id).id == trained.id
    return {
        "line": (judge.threshold, context.threshold),
        "report": report.to_dict(),
        "peers": peers,
        "numbers": sorted((name, number) for number, name in names.items()),
        "scales": {
            kind: [array.tobytes() for array in detector.calibration.arrays().values()]
            for kind, detector in trained.candidate.model.detectors.items()
        },
        "windows": windows,
    }


@pytest.fixture(scope="module")
def one_way(postgres):
    now = build.this_minute()
    events = lives(now - PAST * MINUTE)
    (said,) = (told(town, trained) for town, trained in fed(postgres, events, now, forward))
    return now, said


@pytest.mark.parametrize("order", [backward, by_name])
def test_a_log_taken_in_otherwise_brings_the_same_line_peers_and_scores(postgres, one_way, order):
    now, first = one_way
    for town, trained in fed(postgres, lives(now - PAST * MINUTE), now, order):
        second = told(town, trained)

        assert first["numbers"] != second["numbers"] or order is backward
        assert len(np.unique(list(first["peers"].values()))) >= 4
        assert "people who work alike, 1" in first["peers"].values()
        for what in ("peers", "scales", "line", "report"):
            assert first[what] == second[what], what
        assert first["windows"] == second["windows"]
