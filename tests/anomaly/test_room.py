"""A day's room on a real database: the same findings whatever the order and the split of judging; what people touched stays."""

from dataclasses import replace
from datetime import timedelta

import pytest

from anomaly.nightly import judge
from anomaly.review import comment
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.windows import Span
from tests.anomaly.town import MINUTE, theft

THIEVES = ("mallory", "amy", "bob", "cleo", "dan")


@pytest.fixture
def robbed(town):
    """Five thefts within one of the town's days, three minutes apart."""
    for number, who in enumerate(THIEVES):
        town.keep(*theft(who, town.now + 3 * number * MINUTE, 12 + 2 * number))
    return town


def judged(town, order, most=2):
    """Judge minute by minute in this order, with room for so many."""
    judging = town.judge()
    judging = replace(judging, days=replace(judging.days, most=most))
    for minute in order:
        at = town.now + minute * MINUTE
        judge(town.database, judging, Span(at, at + MINUTE))
    return listed(town)


def listed(town):
    with town.database.begin() as session:
        both = [
            list_findings(session, Wanted(since=town.now - timedelta(seconds=1), below=below))
            for below in (False, True)
        ]
    return [sorted(one.entity for one in found) for found in both]


def emptied(town):
    with town.database.connection() as connection:
        connection.execute("DELETE FROM anomaly.finding")
    assert listed(town) == [[], []]


def test_the_order_and_the_split_of_judging_do_not_change_what_is_shown(robbed):
    forward = judged(robbed, range(15))
    assert [len(part) for part in forward] == [2, 3]
    assert judged(robbed, range(15)) == forward

    for order in (range(14, -1, -1), [6, 0, 12, 3, 9, 6]):
        emptied(robbed)
        assert judged(robbed, order) == forward
    emptied(robbed)
    judging = robbed.judge()
    judge(robbed.database, replace(judging, days=replace(judging.days, most=2)), Span(robbed.now))
    assert listed(robbed) == forward


def test_what_a_person_said_something_about_is_not_displaced(robbed):
    shown = judged(robbed, range(15))[0]
    emptied(robbed)
    first = next(who for who in THIEVES if who not in shown)
    minute = 3 * THIEVES.index(first)
    assert judged(robbed, [minute]) == [[first], []]
    with robbed.database.begin() as session:
        (found,) = list_findings(session, Wanted(entity=first))
        comment(session, found.id, "looking at it", "ann", robbed.now)

    after = judged(robbed, range(15))
    assert first in after[0]
    assert len(after[0]) == 2


def test_what_nobody_touched_is_displaced_by_what_is_graver(robbed):
    """The quiet twin of the test above."""
    forward = judged(robbed, range(15))
    emptied(robbed)
    first = next(who for who in THIEVES if who not in forward[0])
    judged(robbed, [3 * THIEVES.index(first)])

    assert judged(robbed, range(15)) == forward
