"""Geometry of charts."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.testing import START
from anomaly.web.console import charts

HOUR = timedelta(hours=1)


def starts(number):
    return [START + place * HOUR for place in range(number)]


@given(st.floats(1e-9, 1e12))
def test_the_axis_reaches_the_most_with_few_round_marks(most):
    marks = charts.top_of(most)
    assert 1 <= len(marks) <= 5
    assert marks[-1] >= most * (1 - 1e-9)
    assert marks == sorted(marks)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=80))
def test_columns_stay_in_their_field_and_something_is_always_seen(values):
    drawn = charts.columns(starts(len(values)), values, HOUR)
    for bar, value in zip(drawn.bars, values, strict=True):
        assert bar.x >= 0 and bar.x + bar.width <= drawn.width + 0.1
        assert bar.y >= 0 and bar.y + bar.height == pytest.approx(drawn.height)
        assert (bar.height > 0) == (value > 0)
    assert all(0 <= tick.at <= drawn.width for tick in drawn.times)


def test_nothing_at_all_is_drawn_without_a_fault():
    assert charts.columns([], [], HOUR).bars == ()
    assert charts.lines([], [("a", [])], HOUR).times == ()
    assert charts.pie([]) == charts.pie([("a", 0)]) == ()


def test_lines_stay_in_their_field_and_one_value_is_a_line_too():
    drawn = charts.lines(starts(3), [("a", [0, 5, 10]), ("b", [1, 1, 1])], HOUR, top=100)
    assert drawn.amounts[-1].value >= 100
    for line in drawn.lines:
        assert all(0 <= float(y) <= drawn.height for y in re.findall(r",([\d.]+)", line.points))
    assert charts.lines(starts(1), [("a", [7])], HOUR).lines[0].points.count(",") == 2


@given(st.lists(st.integers(0, 1000), max_size=9))
def test_the_slices_of_a_pie_are_a_whole(values):
    slices = charts.pie([(str(number), value) for number, value in enumerate(values)])
    assert len(slices) == sum(value > 0 for value in values)
    assert sum(one.share for one in slices) == pytest.approx(1 if slices else 0)


def test_shades_tell_nothing_from_little_and_little_from_much():
    assert [charts.shade(value, 100) for value in (0, 1, 10, 100)] == [0, 1, 2, 5]
    assert charts.shade(5, 0) == 0
