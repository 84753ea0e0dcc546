"""A finding's way between people: moves, conflicts, undoing, history; suppressions that hide and let go."""

from dataclasses import replace
from datetime import timedelta

import pytest

from anomaly.errors import MoveNotAllowed, NotFound, UsageError
from anomaly.findings.finding import Severity
from anomaly.findings.suppress import Suppression
from anomaly.findings.triage import Changed, Move, State, Verdict
from anomaly.nightly import judge
from anomaly.review import (
    assign,
    close,
    comment,
    history,
    hold_back,
    preview,
    release,
    reopen,
    suppress,
    take,
    undo,
)
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.triage import end_suppression, list_suppressions, standing_of
from anomaly.store.windows import Span
from tests.anomaly.town import MINUTE, theft

DAY = timedelta(days=1)


@pytest.fixture
def found(town):
    """Mallory read secrets of db and was found."""
    town.keep(*theft("mallory", town.now))
    judge(town.database, town.judge(), Span(town.now))
    with town.database.begin() as session:
        (one,) = list_findings(session, Wanted(entity="mallory"))
    return one


@pytest.fixture
def session(town, found):
    with town.database.begin() as session:
        yield session


def state(session, one):
    return standing_of(session, one.id).standing.state


def hiding(town, **fields):
    usual = {
        "name": None,
        "entity": "mallory",
        "owner": "ann",
        "reason": "a drill",
        "ends_at": town.now + DAY,
    }
    return Suppression(**(usual | fields))


def test_a_finding_goes_from_open_to_taken_to_closed_with_a_verdict(town, session, found):
    take(session, found.id, "ann", town.now)
    assert standing_of(session, found.id).standing.assignee == "ann"
    assign(session, found.id, "bea", "ann", town.now)
    kept = close(session, found.id, Verdict.BENIGN, "bea", town.now, "a drill")

    assert (kept.standing.state, kept.standing.verdict, kept.standing.assignee, kept.version) == (
        State.CLOSED,
        Verdict.BENIGN,
        "bea",
        3,
    )
    with_state = list_findings(session, Wanted(entity="mallory"))
    assert [one.state for one in with_state] == ["closed"]


def test_the_history_says_who_did_what_and_when(town, session, found):
    take(session, found.id, "ann", town.now)
    comment(session, found.id, "looks odd", "bea", town.now + MINUTE)
    close(session, found.id, Verdict.TRUE, "ann", town.now + 2 * MINUTE, "stolen token")

    assert [(one.who, one.move, one.note, one.at) for one in history(session, found.id)] == [
        ("ann", Move.TAKE, "", town.now),
        ("bea", Move.COMMENT, "looks odd", town.now + MINUTE),
        ("ann", Move.CLOSE, "stolen token", town.now + 2 * MINUTE),
    ]


def test_whoever_decides_on_what_is_no_longer_so_is_told(town, session, found):
    seen = standing_of(session, found.id).version
    take(session, found.id, "ann", town.now, seen)
    with pytest.raises(Changed, match="it is taken now, in version 1; you saw version 0"):
        close(session, found.id, Verdict.BENIGN, "bea", town.now, expected=seen)

    assert state(session, found) is State.TAKEN


@pytest.mark.parametrize("deed", [take, release], ids=["take", "release"])
def test_a_closed_finding_cannot_be_taken_or_released(town, session, found, deed):
    close(session, found.id, Verdict.BENIGN, "ann", town.now)
    with pytest.raises(MoveNotAllowed) as refused:
        deed(session, found.id, "bea", town.now)

    assert refused.value.hint == "It can comment, reopen."


def test_undo_takes_back_step_by_step_and_the_history_keeps_both(town, session, found):
    take(session, found.id, "ann", town.now)
    close(session, found.id, Verdict.TRUE, "ann", town.now)
    comment(session, found.id, "hm", "ann", town.now)
    assert undo(session, found.id, "bea", town.now).standing.state is State.TAKEN
    assert undo(session, found.id, "bea", town.now).standing.state is State.OPEN
    with pytest.raises(MoveNotAllowed, match="Nothing was done"):
        undo(session, found.id, "bea", town.now)

    steps = history(session, found.id)
    assert [(one.move, one.undone) for one in steps] == [
        (Move.TAKE, True),
        (Move.CLOSE, True),
        (Move.COMMENT, False),
        (Move.UNDO, False),
        (Move.UNDO, False),
    ]
    assert steps[3].note == "close by ann"


def test_a_reopened_finding_has_no_verdict_any_more(town, session, found):
    close(session, found.id, Verdict.TRUE, "ann", town.now)
    kept = reopen(session, found.id, "bea", town.now, "too soon")

    assert (kept.standing.state, kept.standing.verdict, kept.standing.assignee) == (State.OPEN, None, None)


def test_a_finding_that_there_is_not_and_words_that_are_none_are_refused(town, session, found):
    from uuid import UUID

    with pytest.raises(NotFound):
        take(session, UUID(int=1), "ann", town.now)
    with pytest.raises(UsageError):
        take(session, found.id, "  ", town.now)
    with pytest.raises(UsageError):
        comment(session, found.id, " ", "ann", town.now)
    assert history(session, found.id) == []


def test_judging_again_leaves_what_people_did(town, found):
    with town.database.begin() as session:
        close(session, found.id, Verdict.BENIGN, "ann", town.now)
    town.keep(*theft("mallory", town.now + timedelta(seconds=30)))
    judge(town.database, town.judge(), Span(town.now))
    with town.database.begin() as session:
        (again,) = list_findings(session, Wanted(entity="mallory"))

        assert (again.id, again.state) == (found.id, "closed")


def test_a_suppression_hides_what_it_covers_and_counts_it(town, session, found):
    kept, would = suppress(session, hiding(town), town.now + MINUTE)
    assert [one.id for one in would.hidden] == [found.id]
    assert hold_back(session, town.now).hidden == 1
    assert hold_back(session, town.now).hidden == 0

    assert [(one.id, hidden) for one, hidden in list_suppressions(session, town.now)] == [(kept.id, 1)]
    assert [one.state for one in list_findings(session, Wanted(entity="mallory"))] == ["suppressed"]
    assert history(session, found.id)[0].note == f"suppression {kept.id} of ann: a drill"


@pytest.mark.parametrize(
    "fields",
    [
        {"entity": "mall"},
        {"name": "other_*"},
        {"namespace": "shop"},
        {"up_to": Severity.LOW},
        {"cluster_id": 999},
    ],
    ids=["entity", "name", "namespace", "severity", "cluster"],
)
def test_a_suppression_hides_nothing_beside_its_scope(town, session, found, fields):
    would = preview(session, hiding(town, **fields), town.now + MINUTE)

    assert would.hidden == ()
    assert would.looked_at >= 1


@pytest.mark.parametrize(
    "fields",
    [{"entity": "mal*"}, {"name": "secrets_*", "entity": None}, {"namespace": "db"}],
    ids=["entity", "name", "namespace"],
)
def test_a_suppression_hides_what_lies_in_its_scope(town, session, found, fields):
    assert [one.id for one in preview(session, hiding(town, **fields), town.now + MINUTE).hidden] == [
        found.id
    ]


def test_a_finding_with_one_event_elsewhere_is_not_hidden_by_namespace(town, found):
    town.keep(*theft("mallory", town.now + timedelta(seconds=30), 3, namespace="vault"))
    judge(town.database, town.judge(), Span(town.now))
    with town.database.begin() as session:
        assert preview(session, hiding(town, namespace="db"), town.now + MINUTE).hidden == ()


def test_a_hidden_finding_that_outgrows_its_suppression_is_open_again(town, found):
    with town.database.begin() as session:
        suppress(session, hiding(town, namespace="db"), town.now)
        assert hold_back(session, town.now).hidden == 1
    town.keep(*theft("mallory", town.now + timedelta(seconds=30), 3, namespace="vault"))
    judge(town.database, town.judge(), Span(town.now))
    with town.database.begin() as session:
        assert hold_back(session, town.now).surfaced == 1
        assert state(session, found) is State.OPEN
        assert hold_back(session, town.now) == hold_back(session, town.now + DAY)


def test_what_was_hidden_stays_so_when_the_suppression_ends_and_what_comes_later_is_shown(
    town, session, found
):
    kept, _ = suppress(session, hiding(town), town.now)
    hold_back(session, town.now)
    end_suppression(session, kept.id, "bea", town.now + MINUTE)

    assert hold_back(session, town.now + 2 * MINUTE).surfaced == 0
    assert state(session, found) is State.SUPPRESSED
    assert list_suppressions(session, town.now + 2 * MINUTE) == []
    with pytest.raises(NotFound):
        end_suppression(session, kept.id, "bea", town.now + 2 * MINUTE)


def test_what_a_person_brought_back_or_touched_is_never_hidden_again(town, session, found):
    suppress(session, hiding(town), town.now)
    hold_back(session, town.now)
    reopen(session, found.id, "ann", town.now)

    assert hold_back(session, town.now).hidden == 0
    assert state(session, found) is State.OPEN


def test_a_suppression_that_would_have_hidden_an_attack_is_refused_unless_said(town, session, found):
    close(session, found.id, Verdict.TRUE, "ann", town.now)
    with pytest.raises(UsageError, match="1 findings of the last year that were confirmed"):
        suppress(session, hiding(town), town.now + MINUTE)
    kept, _ = suppress(session, hiding(town), town.now + MINUTE, even_confirmed=True)

    assert kept.id


@pytest.mark.parametrize(
    "fields",
    [
        {"entity": None},
        {"entity": "**"},
        {"reason": " "},
        {"owner": ""},
        {"entity": "*a" * 20},
        {"ends_at": None},
    ],
)
def test_a_suppression_that_hides_everything_or_for_ever_or_for_no_reason_is_refused(town, session, fields):
    bad = hiding(town, **(fields if fields.get("ends_at", 1) else {}))
    if "ends_at" in fields:
        bad = replace(bad, ends_at=town.now + 400 * DAY)
    with pytest.raises(UsageError):
        suppress(session, bad, town.now)

    assert list_suppressions(session, town.now) == []
