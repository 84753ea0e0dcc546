"""Risk: joined, fading, explained."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.findings.risk import HALF_LIFE, QUIET, REACH, WEIGHTS, Mark, risk_at, risk_over, risks_of
from anomaly.testing import START

marks = st.builds(
    Mark,
    id=st.uuids().map(str),
    name=st.sampled_from(["a", "b", "c"]),
    title=st.just(""),
    severity=st.integers(0, 4),
    at=st.integers(-400, 400).map(lambda hours: START + timedelta(hours=hours)),
    verdict=st.sampled_from([None, None, "true", "benign", "false_alarm"]),
    hidden=st.sampled_from([False, False, False, True]),
)
several = st.lists(marks, max_size=8, unique_by=lambda mark: mark.id)


def mark(severity=3, name="a", hours=0, **more):
    return Mark(f"{name}{severity}{hours}", name, "", severity, START + timedelta(hours=hours), **more)


@given(several, st.randoms())
def test_order_says_nothing_and_the_shares_are_a_whole(found, rng):
    shuffled = found[:]
    rng.shuffle(shuffled)
    risk = risk_at(found, START)
    assert risk == risk_at(shuffled, START)
    assert 0 <= risk.value <= 100
    assert sum(part.share for part in risk.parts) == pytest.approx(1 if risk.parts else 0)
    assert [part.share for part in risk.parts] == sorted((part.share for part in risk.parts), reverse=True)


@given(several, marks)
def test_one_more_finding_never_lowers_it(found, another):
    assert risk_at([*found, another], START).value >= risk_at(found, START).value - 1e-9


@given(several, st.integers(0, 1_000))
def test_time_alone_never_raises_it(found, hours):
    past = [one for one in found if one.at <= START]
    assert risk_at(past, START + timedelta(hours=hours)).value <= risk_at(past, START).value + 1e-9


def test_one_finding_weighs_what_its_severity_says_and_half_of_it_a_week_later():
    for severity, weight in enumerate(WEIGHTS):
        assert risk_at([mark(severity)], START).value == pytest.approx(100 * weight)
        assert risk_at([mark(severity)], START + HALF_LIFE).value == pytest.approx(50 * weight)
    assert risk_at([mark(4)], START + REACH + timedelta(seconds=1)).value == 0


def test_the_figures_of_the_docstring_hold():
    assert round(risk_at([mark(4)], START).value) == 70
    assert round(risk_at([mark(3, name) for name in "abc"], START).value) == 73
    assert round(risk_at([mark(2, name) for name in "abcde"], START).value) == 56


def test_the_same_again_says_less_than_something_else():
    again = risk_at([mark(3, hours=0), mark(3, hours=-1)], START).value
    other = risk_at([mark(3, hours=0), mark(3, "b", hours=-1)], START).value
    assert risk_at([mark(3)], START).value < again < other


@pytest.mark.parametrize("quiet", [{"verdict": "benign"}, {"verdict": "false_alarm"}, {"hidden": True}])
def test_what_people_or_suppressions_settled_says_nothing(quiet):
    assert risk_at([mark(4, **quiet)], START).parts == ()


def test_what_was_confirmed_says_most_whatever_its_severity():
    assert risk_at([mark(0, verdict="true")], START).value == pytest.approx(90)


def test_what_has_not_happened_yet_is_not_counted():
    assert risk_over([mark(4, hours=1)], [START, START + timedelta(hours=1)]) == [0, pytest.approx(70)]


@given(st.lists(st.tuples(st.integers(1, 4), marks), max_size=30, unique_by=lambda pair: pair[1].id))
def test_risks_of_many_are_those_of_each(found):
    counted = [(whose, one) for whose, one in found if not one.hidden and one.verdict not in QUIET]
    whose, name, severity, age = (
        np.array(column, np.int64)
        for column in (
            [whose for whose, _ in counted],
            [ord(one.name) for _, one in counted],
            [one.severity for _, one in counted],
            [(START - one.at) // timedelta(microseconds=1) for _, one in counted],
        )
    )
    confirmed = np.array([one.verdict == "true" for _, one in counted], np.bool_)
    risks = risks_of(whose, name, severity, age, confirmed)
    each = {
        entity: risk_at([one for whose, one in found if whose == entity], START) for entity in range(1, 5)
    }
    expected = {entity: risk for entity, risk in each.items() if risk.parts}
    assert dict(zip(risks.whose.tolist(), risks.value.tolist(), strict=True)) == {
        entity: pytest.approx(risk.value) for entity, risk in expected.items()
    }
    assert risks.parts.tolist() == [len(expected[entity].parts) for entity in risks.whose.tolist()]
    for entity, place in zip(risks.whose.tolist(), risks.largest.tolist(), strict=True):
        parts = {part.mark.id: part.share for part in expected[entity].parts}
        assert parts[counted[place][1].id] == pytest.approx(max(parts.values()))
