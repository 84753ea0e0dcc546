"""Correlations against a slow and obvious yardstick, and the promise that order of arrival never matters."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.errors import RuleInvalid
from anomaly.events.shape import shape_of
from anomaly.rules import Match, RuleFileInvalid, affected, correlate
from anomaly.rules.trial import trials
from anomaly.testing import event
from tests.anomaly.rules.builders import rules_of

BASE = """
title: refused
name: refused
detection: {a: {refused: true}, condition: a}
---
title: token
name: token
detection: {a: {resource: serviceaccounts/token}, condition: a}
---
title: exec
name: exec
detection: {a: {resource: pods/exec}, condition: a}
---
"""
SECOND = 1_000_000


def correlation(body, extra=""):
    text = f"{BASE}title: c\nname: c\n{extra}correlation:\n" + "".join(f"  {line}\n" for line in body)
    rules = rules_of(text)
    return rules.correlations[0]


COUNT = [
    "type: event_count",
    "rules: refused",
    "group-by: [user.username]",
    "timespan: 1m",
    "condition: {gte: 3}",
]
VALUES = [
    "type: value_count",
    "rules: [refused]",
    "group-by: [user.username]",
    "timespan: 1m",
    "condition: {gte: 2, field: resource}",
]
TEMPORAL = ["type: temporal", "rules: [refused, token]", "group-by: [user.username]", "timespan: 1m"]
ORDERED = [
    "type: temporal_ordered",
    "rules: [refused, token, exec]",
    "group-by: [user.username]",
    "timespan: 1m",
]


def match(second, rule="refused", key=None, group=("a",), value=()):
    return Match(int(second * SECOND), key or f"{second}{rule}", rule, group, value)


def hits(one, found):
    return [time // SECOND for episode in correlate(one, found) for time in episode.hits]


def test_enough_events_within_the_timespan_are_one_episode():
    found = [match(second) for second in (0, 10, 20, 30, 200)]
    (episode,) = correlate(correlation(COUNT), found)
    assert (episode.start, episode.end) == (0, 30 * SECOND)
    assert episode.hits == (20 * SECOND, 30 * SECOND)
    assert episode.count == 4
    assert len(episode.evidence) == 4


def test_events_too_far_apart_stay_quiet():
    assert correlate(correlation(COUNT), [match(second) for second in (0, 31, 61.5, 92)]) == []


def test_the_ends_of_the_timespan_belong_to_it():
    assert hits(correlation(COUNT), [match(0), match(30), match(60)]) == [60]


def test_groups_are_counted_apart():
    assert correlate(correlation(COUNT), [match(n, group=(name,)) for n, name in enumerate("abab")]) == []


def test_one_event_counts_once_however_often_it_came():
    assert correlate(correlation(COUNT), [match(1, key="x"), match(1, key="x"), match(1, key="x")]) == []


def test_different_values_are_counted():
    one = correlation(VALUES)
    assert hits(one, [match(1, value=("pods",)), match(2, value=("pods",))]) == []
    assert hits(one, [match(1, value=("pods",)), match(2, value=("secrets",))]) == [2]


def test_all_rules_in_any_order():
    one = correlation(TEMPORAL)
    assert hits(one, [match(1, "token"), match(2, "refused")]) == [2]
    assert hits(one, [match(1, "token"), match(70, "refused")]) == []


def test_all_rules_in_their_order():
    one = correlation(ORDERED)
    assert hits(one, [match(1, "refused"), match(2, "token"), match(3, "exec")]) == [3]
    assert hits(one, [match(1, "token"), match(2, "refused"), match(3, "exec")]) == []
    assert hits(one, [match(1, "refused"), match(50, "token"), match(62, "exec")]) == []
    assert hits(one, [match(1, "refused"), match(40, "refused"), match(50, "token"), match(62, "exec")]) == [
        62
    ]


def test_rules_at_the_same_moment_count_in_their_order():
    assert hits(correlation(ORDERED), [match(5, "exec"), match(5, "token"), match(5, "refused")]) == [5]


def test_an_extended_condition_is_evaluated():
    one = correlation([*TEMPORAL[:1], *TEMPORAL[2:], "condition: (refused or exec) and not token"])
    assert hits(one, [match(1, "refused")]) == [1]
    assert hits(one, [match(1, "refused"), match(2, "token"), match(3, "exec")]) == [1]


def test_fewer_than_can_be_asked_for():
    one = correlation([*COUNT[:-1], "condition: {lt: 2}"])
    assert hits(one, [match(1), match(2), match(100)]) == [1, 100]


@pytest.mark.parametrize(
    "body", [COUNT, VALUES, TEMPORAL, ORDERED], ids=["count", "values", "temporal", "ordered"]
)
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_it_agrees_with_looking_at_every_window(body, data):
    one = correlation(body)
    found = data.draw(
        st.lists(
            st.builds(
                lambda second, rule, group, value, key: Match(
                    second * SECOND, f"{key}", rule, (group,), (value,) if one.counted else ()
                ),
                st.integers(0, 200),
                st.sampled_from(one.rules),
                st.sampled_from("ab"),
                st.sampled_from("xyz"),
                st.integers(0, 30),
            ),
            max_size=14,
        )
    )
    result = correlate(one, found)
    assert result == correlate(one, data.draw(st.permutations(found)))
    assert result == correlate(one, found + found)
    expected = sorted(
        {(m.group, m.time) for m in found if slowly(one, [n for n in found if n.group == m.group], m)}
    )
    assert sorted({(episode.group, time) for episode in result for time in episode.hits}) == expected


def slowly(one, found, last):
    """Whether the window that ends with this match (or another of its moment) holds, by trying everything."""
    window = [m for m in set(found) if last.time - 60 * SECOND <= m.time <= last.time]
    ending = [m for m in window if m.time == last.time]
    if one.kind == "event_count":
        return len({m.key for m in window}) >= 3
    if one.kind == "value_count":
        return len({m.value for m in window}) >= 2
    if one.kind == "temporal":
        return {m.rule for m in window} == set(one.rules)
    chains = combinations(sorted(window, key=lambda m: (m.time, one.rules.index(m.rule))), len(one.rules))
    return any(tuple(m.rule for m in chain) == one.rules and chain[-1] in ending for chain in chains)


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=25),
    st.lists(st.integers(0, 300), min_size=1, max_size=5),
)
@settings(max_examples=80, deadline=None)
def test_late_matches_change_only_what_is_said_to_be_affected(early, late):
    one = correlation(COUNT)
    stored = [match(second, key=f"e{place}") for place, second in enumerate(early)]
    new = [match(second, key=f"l{place}") for place, second in enumerate(late)]
    begin, end = affected(one, [m.time for m in new])
    exact_from, exact_to = min(m.time for m in new), max(m.time for m in new) + one.timespan * SECOND
    part = [m for m in stored + new if begin <= m.time <= end]

    def within(found):
        return {t for episode in correlate(one, found) for t in episode.hits if exact_from <= t <= exact_to}

    def outside(found):
        return {
            t for episode in correlate(one, found) for t in episode.hits if not exact_from <= t <= exact_to
        }

    assert within(part) == within(stored + new)
    assert outside(stored) == outside(stored + new)


@pytest.mark.timeout(30)
def test_a_flood_is_one_episode():
    one = correlation(COUNT)
    (episode,) = correlate(one, [match(number / 1000, key=str(number)) for number in range(50_000)])
    assert len(episode.evidence) == 50_000


def test_a_match_is_kept_with_its_group_and_value():
    one = correlation(VALUES)
    rules = rules_of(BASE + "title: c\nname: c\ncorrelation:\n" + "".join(f"  {line}\n" for line in VALUES))
    refused = event("secrets", "list", by="bob", code=403)
    kept = one.capture(rules["refused"], refused, shape_of(refused), key="k", time=5)
    assert kept == Match(5, "k", "refused", ("bob",), ("secrets",))
    assert one.capture(rules["exec"], refused, shape_of(refused), key="k", time=5) is None


def test_aliases_let_different_fields_be_one_group():
    body = ["type: temporal", "rules: [refused, token]", "group-by: [who]", "timespan: 1m",
            "aliases:", "  who:", "    refused: user.username", "    token: objectRef.name"]  # fmt: skip
    rules = rules_of(BASE + "title: c\nname: c\ncorrelation:\n" + "".join(f"  {line}\n" for line in body))
    (one,) = rules.correlations
    token = event("serviceaccounts/token", "create", name="velero")
    assert one.capture(rules["token"], token, shape_of(token), key="k", time=1).group == ("velero",)


def test_rules_that_only_feed_a_correlation_are_silent():
    text = BASE + "title: c\nname: c\ncorrelation:\n" + "".join(f"  {line}\n" for line in COUNT)
    assert {rule.id: rule.silent for rule in rules_of(text).rules} == {
        "refused": True,
        "token": False,
        "exec": False,
    }
    loud = text.replace("  type: event_count", "  type: event_count\n  generate: true")
    assert not any(rule.silent for rule in rules_of(loud).rules)


def test_a_rule_may_be_named_by_its_uuid():
    text = BASE.replace("name: exec", "id: 6f1c3a0e-5b0e-4a37-9a64-2f7f2f5a1c11\nname: exec")
    body = [line.replace("refused", "6f1c3a0e-5b0e-4a37-9a64-2f7f2f5a1c11") for line in COUNT]
    rules = rules_of(text + "title: c\nname: c\ncorrelation:\n" + "".join(f"  {line}\n" for line in body))
    assert rules.correlations[0].rules == ("exec",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("type: event_count", "type: event_coutn"), "did you mean event_count"),
        (("timespan: 1m", "timespan: soon"), "soon"),
        (("timespan: 1m", "timespan: 2y"), "longer than 30 days"),
        (("condition: {gte: 3}", "condition: {about: 3}"), "condition"),
        (("[user.username]", "[user.nam]"), "unknown field 'user.nam'"),
    ],
)
def test_a_correlation_that_cannot_be_used_says_why(change, words):
    with pytest.raises(RuleFileInvalid, match=words):
        correlation([line.replace(*change) for line in COUNT])


def test_a_reference_that_leads_nowhere_is_an_error():
    with pytest.raises(RuleInvalid, match="names 'refusd'") as caught:
        correlation([line.replace("refused", "refusd") for line in COUNT])
    assert caught.value.hint == "did you mean refused?"


def test_examples_of_a_correlation_are_run():
    tests = """tests:
  firing:
    - events: [{resource: secrets, verb: list, code: 403, times: 3, every: 5}]
  quiet:
    - events: [{resource: secrets, verb: list, code: 403, times: 3, every: 40}]
    - events: [{resource: secrets, verb: list, code: 200, times: 9}]
"""
    text = f"{BASE}title: c\nname: c\n{tests}correlation:\n" + "".join(f"  {line}\n" for line in COUNT)
    results = list(trials(rules_of(text)))
    assert [result.fault for result in results] == ["", "", ""]
    wrong = list(trials(rules_of(text.replace("every: 5", "every: 50"))))
    assert [result.fault for result in wrong] == ["it stays quiet and should fire", "", ""]
