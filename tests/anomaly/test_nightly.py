"""A model's way on a real database: trained, judged against the one in use, refused, put in use, and judging what changed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from anomaly.findings.triage import Verdict
from anomaly.nightly import judge
from anomaly.review import close
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.judging import mark_judged, unjudged
from anomaly.store.models import champion, find_model, list_models, promote_model
from anomaly.store.windows import Span, fold_all
from models import NotEnoughData
from models.detector import Channel
from tests.anomaly.town import MINUTE, PAST, team, theft


def worse(recipe):
    """One tree grown on two windows knows nothing."""
    return replace(
        recipe,
        trees=1,
        samples=2,
        channels=(Channel.FOREST,),
        shrinkage=replace(recipe.shrinkage, pseudo_windows=1e6),
    )


def findings(town, **wanted):
    with town.database.begin() as session:
        return list_findings(session, Wanted(**wanted))


def due(town, span=None):
    with town.database.connection() as connection:
        return unjudged(connection, town.cluster_id, span or Span(town.now))


def test_the_first_model_is_put_in_use_and_says_why(town):
    with town.database.begin() as session:
        kept = champion(session, town.cluster_id)

    assert kept.state == "champion"
    assert kept.card["decision"]["reason"].startswith("Promoted, as there is no other model")
    assert kept.card["windows"] == 6 * PAST


def test_the_same_windows_give_the_same_model(town):
    first, second = town.train(), town.train()

    assert first.candidate.model.digest == second.candidate.model.digest


def test_a_worse_candidate_is_refused_and_kept_beside_the_one_in_use(town):
    with town.database.begin() as session:
        before = champion(session, town.cluster_id).id
    trained = town.train(tune=worse)

    with town.database.begin() as session:
        assert champion(session, town.cluster_id).id == before
        assert find_model(session, trained.id).state == "candidate"
    assert not trained.promoted
    assert trained.reason.startswith("Kept the champion")


def test_a_candidate_does_not_replace_a_model_it_was_never_judged_against(town):
    other = town.train(tune=worse)

    def meanwhile(said):
        if said.startswith("evaluating"):
            with town.database.begin() as session:
                promote_model(session, other.id)

    trained = town.train(say=meanwhile)

    assert not trained.promoted
    assert "another model was put in use meanwhile" in trained.reason
    with town.database.begin() as session:
        assert champion(session, town.cluster_id).id == other.id


def test_too_few_windows_train_nothing_and_keep_the_model_in_use(town):
    with pytest.raises(NotEnoughData):
        town.train(until=town.now - (PAST - 2) * MINUTE)
    with town.database.begin() as session:
        assert len(list_models(session)) == 1


def test_a_theft_is_found_while_its_window_is_still_open(town):
    town.keep(*theft("mallory", town.now, 10))
    judged = judge(town.database, town.judge(), Span(town.now))

    assert judged.new == 1
    assert [(one.entity, one.name) for one in findings(town, since=town.now)] == [
        ("mallory", "secrets_enumerated")
    ]


def test_an_ordinary_minute_brings_nothing(town):
    town.keep(*team(town.now, 1, seed=5))

    assert judge(town.database, town.judge(), Span(town.now)).findings == 0


def test_what_was_judged_is_not_due_until_something_is_added_to_it(town):
    town.keep(*team(town.now, 1, seed=5))
    assert len(due(town)) == 6
    judge(town.database, town.judge(), Span(town.now))
    assert due(town) == []

    town.keep(*theft("amy", town.now + timedelta(seconds=35)))
    assert [one.start for one in due(town)] == [town.now]
    judge(town.database, town.judge(), Span(town.now))

    assert [one.entity for one in findings(town, since=town.now)] == ["amy"]
    assert due(town) == []


def test_what_is_folded_in_while_a_window_is_judged_makes_it_due_again(town):
    town.keep(*team(town.now, 1, seed=5))
    noted = due(town)
    town.keep(*theft("amy", town.now + timedelta(seconds=35)), fold=False)
    with town.database.dedicated(autocommit=True) as connection:
        fold_all(connection)
    with town.database.connection() as connection:
        marked = mark_judged(connection, noted)

    assert marked == 5
    assert len(due(town)) == 1


def test_windows_of_confirmed_attacks_teach_nothing_and_must_still_be_found(town):
    town.keep(*theft("amy", town.now - 5 * MINUTE), *team(town.now, 1, seed=5))
    judge(town.database, town.judge(), Span(town.now - 6 * MINUTE))
    (found,) = [one for one in findings(town) if one.entity == "amy"]
    with town.database.begin() as session:
        close(session, found.id, Verdict.TRUE, "ann", town.now)

    trained = town.train(until=town.now + MINUTE)

    assert trained.candidate.card.left_out == 1
    assert trained.candidate.report.confirmed == trained.candidate.report.confirmed_found == 1
    assert trained.heard.confirmed_windows == 1
    with town.database.begin() as session:
        assert find_model(session, trained.id).context["verdicts"]["confirmed_windows"] == 1


def test_without_a_verdict_no_window_is_left_out(town):
    """The quiet twin of the test above: unconfirmed, the same window is one like others."""
    town.keep(*theft("amy", town.now - 5 * MINUTE), *team(town.now, 1, seed=5))
    trained = town.train(until=town.now + MINUTE)

    assert trained.candidate.card.left_out == 0
    assert trained.candidate.report.confirmed == 0
