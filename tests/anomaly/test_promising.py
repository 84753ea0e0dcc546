"""Promised and actual: a quiet day holds, a day of thefts does not and says why, and every day is told once."""

from datetime import timedelta

from anomaly.events.key import EPOCH
from anomaly.findings.triage import Verdict
from anomaly.nightly import judge
from anomaly.promising import DAY, owed, report, write
from anomaly.review import close
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.promises import list_promises
from anomaly.store.windows import Span
from tests.anomaly.town import MINUTE, team, theft


def day_of(at):
    return EPOCH + (at - EPOCH) // DAY * DAY


def judged(town):
    judge(town.database, town.judge(), Span(town.now))


def told(town):
    return report(town.database, town.judge(), day_of(town.now))


def test_a_quiet_hour_keeps_the_promise_and_counts_what_stayed_below(town):
    town.keep(*team(town.now, 3, seed=9))
    judged(town)
    made = told(town)

    assert made.holds
    assert made.reason.startswith("Holds: ")
    assert made.windows == 3 * 6
    assert (made.shown, made.no_room, made.hidden) == (0, 0, 0)
    assert made.low <= made.expected <= made.high


def test_what_came_is_counted_by_what_became_of_it(town):
    town.keep(*theft("amy", town.now), *theft("stranger", town.now))
    judged(town)
    made = told(town)

    with town.database.begin() as session:
        found = list_findings(session, Wanted())
    assert made.shown == len(found) >= 2
    assert made.deviating >= 2
    assert made.strangers >= 1
    assert made.firm >= 1
    assert "stranger" in {name for name, _ in made.drift["entities"]}


def test_a_confirmed_attack_is_no_part_of_a_quiet_day(town):
    town.keep(*theft("amy", town.now))
    judged(town)
    with town.database.begin() as session:
        for one in list_findings(session, Wanted()):
            close(session, one.id, Verdict.TRUE, "test", town.now)
    made = told(town)

    assert made.confirmed == made.shown > 0
    assert made.holds
    assert "confirmed" in made.reason


def test_more_than_promised_is_said_with_what_explains_it(town):
    strangers = [f"stranger{n}" for n in range(30)]
    town.keep(*(event for who in strangers for event in theft(who, town.now, namespace=who)))
    judged(town)
    made = told(town)

    assert made.shown + made.no_room > made.high
    assert not made.holds
    assert made.reason.startswith("Does not hold: ")
    assert "entities the training had not seen" in made.reason


def test_each_day_that_has_ended_is_owed_once_the_oldest_first(town):
    later = day_of(town.now) + 3 * DAY + timedelta(hours=1)
    days = list(owed(town.database, town.cluster_id, later))
    for day in days:
        write(town.database, town.judge(), day)

    assert days == [day_of(town.now) + n * DAY for n in range(3)]
    assert list(owed(town.database, town.cluster_id, later)) == []
    with town.database.begin() as session:
        assert [one.day for one in list_promises(session, town.cluster_id)] == days[::-1]


def test_a_day_written_again_takes_the_place_of_the_earlier_report(town):
    day = day_of(town.now)
    write(town.database, town.judge(), day)
    town.keep(*theft("amy", town.now))
    judged(town)
    again = write(town.database, town.judge(), day)

    with town.database.begin() as session:
        (kept,) = list_promises(session, town.cluster_id)
    assert kept == again
    assert kept.shown > 0


def test_the_first_day_begins_with_what_was_judged(town):
    assert told(town).windows == 0
    town.keep(*team(town.now - MINUTE, 1), *team(town.now, 1))
    assert told(town).windows == 6
