"""Replay: what another model would have found, day by day, and nothing kept of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from anomaly.drifting import drift_between
from anomaly.errors import UsageError
from anomaly.nightly import judge
from anomaly.replay import replay
from anomaly.store.findings import Wanted, count_findings, list_findings
from anomaly.store.judging import unjudged
from anomaly.store.windows import Span
from tests.anomaly.town import MINUTE, PAST, theft


def blind(recipe):
    return replace(recipe, trees=1, samples=2, budget=replace(recipe.budget, per_day=1))


def test_a_model_beside_itself_gains_and_loses_nothing(town):
    town.keep(*theft("mallory", town.now))
    days = list(replay(town.database, town.judge(), town.judge(), town.now, town.now + timedelta(hours=1)))

    assert sum(day.tried for day in days) == sum(day.compared for day in days) == 1
    assert all(day.gained == day.lost == () for day in days)


def test_what_a_blind_model_would_have_missed_is_listed_as_lost_with_its_reason(town):
    town.keep(*theft("mallory", town.now))
    sharp, dull = town.judge(), town.judge(town.train(tune=blind).id)
    dull = replace(dull, context=replace(dull.context, threshold=0.0))
    (day,) = replay(town.database, dull, sharp, town.now, town.now + MINUTE)

    assert (day.windows, day.tried, day.compared, day.gained) == (1, 0, 1, ())
    assert [(one.entity, one.name) for one in day.lost] == [("mallory", "secrets_enumerated")]
    assert "get secrets" in day.lost[0].reason


def test_windows_of_one_story_are_one_finding_and_what_has_no_room_is_counted(town):
    for step in range(3):
        town.keep(*theft("mallory", town.now + step * MINUTE))
    town.keep(*theft("oscar", town.now))
    sharp = town.judge()
    (day,) = replay(town.database, sharp, sharp, town.now, town.now + timedelta(minutes=5))
    assert (day.windows, day.tried, day.tried_below) == (4, 2, 0)

    tight = replace(sharp, days=replace(sharp.days, most=1.0))
    (day,) = replay(town.database, tight, sharp, town.now, town.now + timedelta(minutes=5))
    assert (day.tried, day.tried_below, day.compared, day.compared_below) == (1, 1, 1, 1)


def test_what_a_better_model_tells_is_what_judging_would_have_shown(town):
    for step in range(3):
        town.keep(*theft("mallory", town.now + step * MINUTE))
    sharp = town.judge()
    dull = replace(sharp, context=replace(sharp.context, threshold=0.0))
    (day,) = replay(town.database, sharp, dull, town.now, town.now + timedelta(minutes=5))
    judge(town.database, sharp, Span(town.now))
    with town.database.begin() as session:
        kept = list_findings(session, Wanted())

    assert [(one.id, one.entity, one.windows) for one in day.gained] == [(kept[0].id, "mallory", 3)]
    assert (day.lost, kept[0].reason) == ((), day.gained[0].reason)


def test_a_replay_keeps_nothing_and_marks_nothing_as_judged(town):
    town.keep(*theft("mallory", town.now))
    list(replay(town.database, town.judge(), town.judge(), town.now, town.now + MINUTE))

    with town.database.begin() as session:
        assert count_findings(session, Wanted()) == 0
    with town.database.connection() as connection:
        assert len(unjudged(connection, town.cluster_id, Span(town.now))) == 1


def test_days_follow_each_other_and_those_without_windows_are_left_out(town):
    since = town.now - timedelta(days=3)
    days = list(replay(town.database, town.judge(), town.judge(), since, town.now))

    assert sum(day.windows for day in days) == 6 * PAST
    assert [day.day for day in days] == sorted({day.day for day in days})


@pytest.mark.parametrize("length", [timedelta(0), -MINUTE, timedelta(days=401)])
def test_a_replay_of_no_time_or_of_years_is_refused(town, length):
    with pytest.raises(UsageError):
        list(replay(town.database, town.judge(), town.judge(), town.now, town.now + length))


def test_a_model_has_not_drifted_from_itself_and_another_past_shows(town):
    model = town.judge().context.model
    for who in ("amy", "bob", "cleo"):
        town.keep(*(one for step in range(20) for one in theft(who, town.now - (PAST - step) * MINUTE, 5)))
    later = town.train().candidate.model

    assert drift_between(model, model) == []
    shifted = drift_between(model, later)
    assert any(feature.startswith("secrets.") for _, feature, _ in shifted)
