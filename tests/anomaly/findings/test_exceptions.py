"""Exceptions: what they cover, what they do not, and which may be saved."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.errors import UsageError
from anomaly.findings.exceptions import Exceptions, RuleException, checked, fits

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RULES = ("exec-into-pod", "request-refused")


def exception(**changes):
    given = {
        "rule": "exec-into-pod",
        "owner": "ops",
        "reason": "a nightly job",
        "ends_at": NOW + timedelta(days=30),
    }
    return RuleException(**(given | changes))


def covers(one, rule="exec-into-pod", cluster="prod", entity="ci", namespace="shop", name="web-0", at=NOW):
    return one.covers(rule, cluster, entity, namespace, name, at)


@pytest.mark.parametrize(
    "scope",
    [
        {},
        {"entity": "ci"},
        {"entity": "c*"},
        {"namespace": "sh*p", "name": "*-0"},
        {"cluster": "prod"},
        {"rule": "*", "entity": "*i"},
    ],
)
def test_what_is_in_scope_is_covered(scope):
    assert covers(exception(**scope))


@pytest.mark.parametrize(
    "scope",
    [
        {"rule": "exec"},
        {"entity": "C"},
        {"entity": "ci-*"},
        {"namespace": ""},
        {"name": "web"},
        {"cluster": "production"},
        {"entity": "CI"},
    ],
)
def test_what_is_out_of_scope_is_not_covered(scope):
    assert not covers(exception(**scope))


def test_an_empty_namespace_means_cluster_wide_requests_only():
    assert covers(exception(namespace=""), namespace="")
    assert not covers(exception(namespace=""), namespace="shop")


def test_the_time_of_the_event_ends_an_exception():
    one = exception()
    assert covers(one, at=one.ends_at - timedelta(microseconds=1))
    assert not covers(one, at=one.ends_at)


def test_of_several_the_first_speaks():
    several = Exceptions((exception(id=3, entity="x"), exception(id=5), exception(id=7)))
    assert several.covering("exec-into-pod", "prod", "ci", "shop", "", NOW).id == 5
    assert several.covering("request-refused", "prod", "ci", "shop", "", NOW) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "  "},
        {"reason": ""},
        {"ends_at": NOW},
        {"ends_at": NOW + timedelta(days=367)},
        {"rule": "*"},
        {"rule": "**", "cluster": "prod"},
        {"rule": "no-such-rule"},
        {"entity": "x" * 501},
        {"reason": "a\0b"},
    ],
)
def test_what_may_not_be_saved_is_refused(changes):
    with pytest.raises(UsageError):
        checked(exception(**changes), NOW, RULES)


def test_what_may_be_saved_comes_back_trimmed():
    made = checked(exception(owner=" ops ", rule="exec-*", ends_at=NOW + timedelta(days=366)), NOW, RULES)
    assert (made.owner, made.rule) == ("ops", "exec-*")
    assert checked(exception(rule="*", entity="ci"), NOW, RULES)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_a_star_means_what_it_means_in_a_regular_expression(pattern, text):
    import re

    wanted = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None
    assert fits(pattern, text) is wanted


def test_a_pattern_of_many_stars_is_not_slow():
    assert not fits("*a" * 200 + "b", "a" * 100_000)
