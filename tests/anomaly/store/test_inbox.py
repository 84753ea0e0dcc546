"""Stories, counts and what is new."""

from datetime import timedelta
from itertools import product

import pytest

from anomaly.findings.finding import FindingKind, Severity
from anomaly.findings.triage import State
from anomaly.store.inbox import (
    choices,
    count_new,
    is_anything_there,
    list_and_tally,
    list_stories,
    others_to_do,
    tally,
)
from anomaly.store.lines import Sought, lines_of
from tests.anomaly.kept import NOON, keep


def stories(connection, limit=50, offset=0, newest=False, **sought):
    return list_stories(connection, Sought(**sought), limit, offset, newest)


def test_what_one_entity_does_in_one_go_is_one_story(connection):
    first = keep(connection, "Secrets collected", at=0, severity="critical")
    keep(connection, "Command run inside a pod", at=30, name="exec-into-pod", kind="rule", severity="medium")
    keep(connection, "Command run inside a pod", at=60, name="exec-into-pod", kind="rule", severity="medium")
    (story,) = stories(connection).stories
    assert (story.size, story.head.id, story.head.severity) == (3, first, Severity.CRITICAL)
    assert story.others == (("Command run inside a pod", 2),)
    assert (story.start, story.end) == (NOON, NOON + timedelta(minutes=65))
    assert story.events == 9


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"by": "trent@example.com"}, id="somebody else"),
        pytest.param({"cluster": "bank"}, id="the same name in another cluster"),
        pytest.param({"at": 66}, id="more than an hour after all that came before"),
    ],
)
def test_what_does_not_belong_together_is_another_story(connection, other):
    keep(connection, at=0)
    keep(connection, **({"at": 10} | other))
    assert [story.size for story in stories(connection).stories] == [1, 1]


def test_a_long_finding_holds_together_what_lies_in_its_time(connection):
    keep(connection, at=0, minutes=300, title="long")
    keep(connection, at=10, title="early")
    keep(connection, at=350, title="late, an hour after the long one's end at most")
    assert [story.size for story in stories(connection).stories] == [3]


def test_a_busy_account_does_not_become_one_endless_row(connection):
    for hour in range(60):
        keep(connection, at=60 * hour, title=f"hour {hour}")
    assert sorted(story.size for story in stories(connection).stories) == [12, 24, 24]


def test_of_a_story_is_known_what_else_is_to_do_in_it(connection):
    one = keep(connection, at=0, state="closed", verdict="true")
    low = keep(connection, at=20, title="low", severity="low")
    grave = keep(connection, at=40, title="grave", severity="critical", state="taken")
    keep(connection, at=10, title="judged already", state="closed", verdict="benign")
    keep(connection, at=10, title="nobody is to be troubled with it", state="below")
    keep(connection, at=300, title="another story")
    keep(connection, at=10, title="of somebody else", by="m*")
    (line,) = lines_of(connection, [one])
    assert [other.id for other in others_to_do(connection, line)] == [grave, low]


def test_a_name_that_could_mean_many_stands_for_itself_alone(connection):
    one = keep(connection, at=0, by="m*", state="closed", verdict="true")
    other = keep(connection, at=10, by="m*", title="its own")
    keep(connection, at=10, by="mallory@example.com")
    (line,) = lines_of(connection, [one])
    assert [each.id for each in others_to_do(connection, line)] == [other]


def test_the_riskiest_come_first_severity_before_strangeness(connection):
    keep(connection, by="a", severity="high", score=0.99)
    keep(connection, by="b", severity="critical", score=0.1)
    keep(connection, by="c", severity="high", score=0.3)
    found = stories(connection).stories
    assert [story.head.entity for story in found] == ["b", "a", "c"]
    assert [story.head.risk for story in found] == [82, 80, 66]


def test_newest_first_when_asked_and_by_pages(connection):
    for place in range(5):
        keep(connection, by=f"u{place}", at=place)
    first = stories(connection, limit=2, newest=True)
    assert ([story.head.entity for story in first.stories], first.total) == (["u4", "u3"], 5)
    assert [story.head.entity for story in stories(connection, limit=2, offset=4, newest=True).stories] == [
        "u0"
    ]


@pytest.mark.parametrize(
    ("sought", "there"),
    [
        ({"states": (State.TAKEN,)}, {"ben"}),
        ({"states": (State.OPEN, State.TAKEN)}, {"ann", "ben", "a_b"}),
        ({"severities": (Severity.LOW, Severity.INFO)}, {"cid"}),
        ({"kind": FindingKind.RULE}, {"ben"}),
        ({"name": "exec-*"}, {"ben"}),
        ({"entity": "a*"}, {"ann", "a_b"}),
        ({"entity": "a_b"}, {"a_b"}),
        ({"entity": "%"}, set()),
        ({"assignee": "erika"}, {"ben"}),
        ({"assignee": ""}, {"ann", "cid", "a_b"}),
        ({"technique": "T1609"}, {"ben"}),
        ({"text": "COMMAND"}, {"ben"}),
        ({"text": "a_"}, {"a_b"}),
        ({"clusters": frozenset({"bank"})}, {"cid"}),
        ({"clusters": frozenset()}, set()),
        ({"since": NOON + timedelta(minutes=100)}, {"cid"}),
        ({"until": NOON}, set()),
    ],
)
def test_filters(connection, sought, there):
    keep(connection, by="ann")
    keep(
        connection,
        "Command run",
        by="ben",
        kind="rule",
        name="exec-into-pod",
        state="taken",
        assignee="erika",
        attack=("T1609",),
    )
    keep(connection, by="cid", cluster="bank", severity="low", state="closed", at=200)
    keep(connection, by="a_b")
    found = stories(connection, **sought)
    assert {story.head.entity for story in found.stories} == there
    both = list_and_tally(connection, Sought(**sought), "erika")
    assert both == (found, tally(connection, Sought(**sought), "erika"))


def test_counts_leave_open_what_they_count(connection):
    keep(connection, by="ann", severity="critical")
    keep(connection, by="ben", state="taken", assignee="erika")
    keep(connection, by="cid", state="below", severity="low")
    found = tally(connection, Sought(states=(State.OPEN,), severities=(Severity.LOW,)), "erika")
    assert {(one.state, one.severity, one.count, one.mine, one.nobodys) for one in found} == {
        (State.OPEN, Severity.CRITICAL, 1, 0, 1),
        (State.TAKEN, Severity.HIGH, 1, 1, 0),
        (State.BELOW, Severity.LOW, 1, 0, 1),
    }


def test_every_state_severity_and_kind_is_counted_as_what_it_is(connection):
    sorts = list(product(State, Severity, FindingKind))
    for place, (state, severity, kind) in enumerate(sorts):
        keep(connection, at=place, state=state.value, severity=severity.value, kind=kind.value)
    found = tally(connection, Sought(), "erika")
    assert [(one.state, one.severity, one.kind) for one in found] == sorts
    assert {one.count for one in found} == {1}


def test_news_are_findings_that_fit_and_were_made_since(connection):
    keep(connection, by="old", created_at=NOON)
    keep(connection, by="new", created_at=NOON + timedelta(seconds=2))
    keep(connection, by="closed", state="closed", created_at=NOON + timedelta(seconds=2))
    assert count_new(connection, Sought(states=(State.OPEN,)), NOON + timedelta(seconds=1)) == 1


def test_an_empty_inbox_knows_what_is_missing(connection):
    assert is_anything_there(connection, None) == {
        "clusters": False,
        "events": False,
        "models": False,
        "findings": False,
    }
    keep(connection)
    assert is_anything_there(connection, None) == {
        "clusters": True,
        "events": False,
        "models": False,
        "findings": True,
    }
    assert not any(is_anything_there(connection, frozenset({"bank"})).values())


def test_choices_are_of_what_is_in_sight(connection):
    keep(connection, "Secrets collected", attack=("T1", "T2"), state="taken", assignee="erika")
    keep(connection, "Exec", name="exec-into-pod", cluster="bank", attack=("T3",))
    keep(connection, "Entered", name="enter", cluster="bank", state="taken", assignee="ben")
    found = choices(connection, frozenset({"shop"}))
    assert found.names == (("secrets_enumerated", "Secrets collected"),)
    assert (found.techniques, found.assignees) == (("T1", "T2"), ("erika",))
    assert choices(connection, None).assignees == ("ben", "erika")
