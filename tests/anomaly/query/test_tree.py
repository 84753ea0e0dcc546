"""Patterns and spans: what stands for what."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.query.tree import Pattern, Span


@given(st.text("ab*", max_size=6), st.text("ab", max_size=8))
def test_a_pattern_stands_for_what_a_plain_expression_finds(said, text):
    expected = re.fullmatch(".*".join(map(re.escape, said.split("*"))), text, re.DOTALL) is not None
    # A wildcard asks for something that is there.
    assert Pattern.of(said).matches(text) == (expected and (bool(text) or "*" not in said))


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [
        (Span(1, 3), (1, 2, 3), (0, 4)),
        (Span(1), (1, 10**9), (0,)),
        (Span(None, 3), (-5, 3), (4,)),
        (Span(), (0,), ()),
    ],
)
def test_the_ends_of_a_span_are_part_of_it(span, inside, outside):
    assert all(map(span.holds, inside))
    assert not any(map(span.holds, outside))
