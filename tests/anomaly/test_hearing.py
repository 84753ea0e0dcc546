"""What verdicts teach a training, and what they can never teach it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anomaly.findings.finding import FindingKind
from anomaly.findings.triage import Verdict
from anomaly.hearing import (
    NO_TECHNIQUE,
    STRANGER,
    bounded,
    techniques_of,
    train_hearing,
    verdicts_on,
    whitened,
)
from anomaly.nightly import gather, judge, matrix_of
from anomaly.review import close
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.models import find_model
from anomaly.store.verdicts import Told
from anomaly.store.windows import Span
from models.feedback import LeafLessons
from tests.anomaly.town import MINUTE, PAST, PEOPLE, team, theft
from training import RECIPES, run
from training.evaluate import judge_matrix
from training.feedback import Taught

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def told(number, verdict=Verdict.FALSE_ALARM, attack=("T1552",), start=0):
    at = AT - timedelta(minutes=number)
    return Told(UUID(int=number), FindingKind.BEHAVIOUR, verdict, attack, at, number, start)


def closed(town, verdict, *who, since=None):
    """Judge what happened and close what was found of some people."""
    judge(town.database, town.judge(), Span(since or town.now))
    with town.database.begin() as session:
        found = [one for one in list_findings(session, Wanted(since=since or town.now)) if one.entity in who]
        for one in found:
            close(session, one.id, verdict, "ann", town.now)
    assert {one.entity for one in found} == set(who)
    return found


def verdicts(town, until, most=20):
    since = town.now - PAST * MINUTE
    with town.database.connection() as connection:
        gathered = gather(connection, town.cluster_id, MINUTE, since, until)
        matrix, history = matrix_of(gathered, RECIPES["small"])
        heard = verdicts_on(
            connection, town.cluster_id, MINUTE, matrix, gathered.windows, history, until, most
        )
    return matrix, heard


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["T1552", "T1609", ""]), st.sampled_from(list(Verdict)))
    ),
    st.integers(0, 5),
)
def test_no_technique_is_heard_more_often_than_bounded_and_attacks_always(said, most):
    given_verdicts = {}
    for number, technique, verdict in said:
        given_verdicts.setdefault(number, told(number, verdict, (technique,) if technique else ()))
    kept, over = bounded(list(given_verdicts.values()), most)

    harmless = [one for one in kept if one.verdict is not Verdict.TRUE]
    for technique in ("T1552", "T1609", NO_TECHNIQUE):
        assert sum(technique in techniques_of(one) for one in harmless) <= most
    attacks = [one for one in given_verdicts.values() if one.verdict is Verdict.TRUE]
    assert all(one in kept for one in attacks)
    assert len(kept) + sum(over.values()) == len(given_verdicts)


def test_the_newest_verdicts_are_heard_and_windows_of_one_finding_count_once():
    windows = [told(1), replace(told(1), start_us=60), told(2), told(3)]
    kept, over = bounded(windows, 2)

    assert [one.finding_id.int for one in kept] == [1, 1, 2]
    assert over == {"T1552": 1}


def test_a_confirmed_attack_is_marked_in_the_matrix_and_heard_as_one(town):
    town.keep(*theft("amy", town.now), *team(town.now, 1, seed=5))
    closed(town, Verdict.TRUE, "amy")
    matrix, heard = verdicts(town, town.now + MINUTE)

    assert heard.confirmed.sum() == 1
    assert heard.reviewed.true.tolist() == [True]
    (row,) = np.flatnonzero(heard.confirmed)
    assert (heard.reviewed.matrix.values[0] == matrix.values[row]).all()


def test_a_window_from_before_the_training_is_read_for_its_verdict(town):
    town.keep(*theft("amy", town.now - 20 * MINUTE))
    closed(town, Verdict.BENIGN, "amy", since=town.now - 20 * MINUTE)
    with town.database.connection() as connection:
        since = town.now - 15 * MINUTE
        gathered = gather(connection, town.cluster_id, MINUTE, since, town.now)
        matrix, history = matrix_of(gathered, RECIPES["small"])
        heard = verdicts_on(
            connection, town.cluster_id, MINUTE, matrix, gathered.windows, history, town.now, 20
        )

    assert len(heard.rows) == 1
    assert heard.reviewed.matrix.at[0] < matrix.at.min()
    assert not heard.confirmed.any()


def test_of_two_verdicts_on_one_window_the_grave_one_holds(town):
    town.keep(*theft("amy", town.now))
    found = closed(town, Verdict.TRUE, "amy")
    with town.database.connection() as connection:
        connection.execute(
            "INSERT INTO anomaly.finding (id, cluster_id, entity_id, kind, name, title, severity, attack, start_at, end_at, score,"
            " reason, count, state) SELECT gen_random_uuid(), cluster_id, entity_id, 'behaviour', 'x', 'x', 1, '{T1552}', start_at,"
            " end_at, 0.5, 'x', 1, 'closed' FROM anomaly.finding WHERE id = %s",
            [found[0].id],
        )
        connection.execute(
            "INSERT INTO anomaly.triage (finding_id, verdict, closed_at) SELECT id, 'benign', now() FROM anomaly.finding WHERE name = 'x'"
        )
    _, heard = verdicts(town, town.now + MINUTE)

    assert set(heard.reviewed.true.tolist()) == {True}


def test_findings_that_vanish_by_verdicts_are_named_and_no_attack_is_lost(town):
    """Everybody reads the vault at noon: harmless, said a reviewer. The same by a stranger is still found."""
    for step in range(3):
        for who in PEOPLE[:4]:
            town.keep(*theft(who, town.now + step * MINUTE, 12))
    town.keep(*theft("mallory", town.now + 3 * MINUTE, 40, "elsewhere"))
    closed(town, Verdict.FALSE_ALARM, *PEOPLE[:4])
    with town.database.begin() as session:
        attack = list_findings(session, Wanted(entity="mallory"))
        for one in attack:
            close(session, one.id, Verdict.TRUE, "ann", town.now)
    trained = town.train(until=town.now + 4 * MINUTE)

    report, heard = trained.candidate.report, trained.heard
    assert report.confirmed_found == report.confirmed >= 1
    assert heard.findings >= 5
    assert heard.reason
    with town.database.begin() as session:
        kept = find_model(session, trained.id).context["verdicts"]
    assert kept["vanished"] == [str(one) for one in heard.vanished]


def test_lessons_that_would_hide_a_strangers_deed_are_given_up(town):
    """A model is made that hides everything its reviewed windows fall into: the guard sees it, and training goes on without."""
    town.keep(*theft("amy", town.now, 30))
    closed(town, Verdict.FALSE_ALARM, "amy")
    matrix, heard = verdicts(town, town.now + MINUTE)
    recipe = replace(RECIPES["small"], windows_a_day=8640.0)
    heard_of = []

    def biased(reviewed):
        heard_of.append(reviewed)
        candidate = run(matrix, recipe, None, heard.confirmed, reviewed)
        if reviewed is None:
            return candidate
        model = candidate.model
        detectors = {
            kind: replace(
                one,
                lessons=LeafLessons(np.full(len(one.forest.trees.feature), -1.0, dtype=np.float32), 8.0),
                _near={},
            )
            if one.forest
            else one
            for kind, one in model.detectors.items()
        }
        return replace(
            candidate,
            model=replace(model, detectors=detectors),
            taught=replace(candidate.taught, strength=1.0),
        )

    stranger = replace(
        heard.reviewed.matrix,
        entity=np.full(1, STRANGER, dtype=np.int64),
        group=np.full(1, STRANGER, dtype=np.int64),
    )
    plain = run(matrix, recipe, None, heard.confirmed, None)
    line = plain.report.threshold.p_value
    assert judge_matrix(plain.model, stranger, np.array([0]))[0] <= line
    assert whitened(biased(heard.reviewed), heard) == frozenset(techniques_of(heard.rows[0]))
    heard_of.clear()
    candidate, said = train_hearing(biased, heard)

    # With the verdict, without any to compare with, and at last without the verdict.
    assert [one is None for one in heard_of] == [False, True, True]
    assert set(said.whitened) == set(techniques_of(heard.rows[0]))
    assert "would have hidden the deed of a stranger" in said.reason
    assert judge_matrix(candidate.model, stranger, np.array([0]))[0] <= candidate.report.threshold.p_value


def test_without_verdicts_a_training_says_so(town):
    trained = town.train()

    assert (trained.heard.findings, trained.heard.vanished, trained.heard.reason) == (
        0,
        (),
        "No verdicts to hear.",
    )


def test_the_finding_whose_windows_all_vanish_is_named_and_one_that_keeps_a_window_is_not(town):
    town.keep(*theft("amy", town.now, 30), *theft("bob", town.now, 30))
    found = {one.entity: one.id for one in closed(town, Verdict.FALSE_ALARM, "amy", "bob")}
    matrix, heard = verdicts(town, town.now + MINUTE)
    rows = [told.finding_id for told in heard.rows]

    def trained(reviewed):
        candidate = run(matrix, replace(RECIPES["small"], windows_a_day=8640.0), None, heard.confirmed, None)
        model = candidate.model
        silent = replace(model.detectors["human"], lessons=None, _near={})
        gone = tuple(row for row, number in enumerate(rows) if number == found["amy"])
        # Amy alone lies under the line: hers are the values of a quiet window.
        quiet = matrix.part([0] * len(gone))
        reviewed.matrix.values[list(gone)] = quiet.values
        reviewed.matrix.entity[list(gone)] = quiet.entity
        taught = Taught(1.0, tuple(range(len(rows))), (), "All vanish, it says.")
        return replace(
            candidate, model=replace(model, detectors=model.detectors | {"human": silent}), taught=taught
        )

    _, said = train_hearing(trained, heard)

    assert said.vanished == (found["amy"],)
