"""Patterns of suppressions: what they match, and that no text makes them slow."""

import re

from hypothesis import given
from hypothesis import strategies as st

from anomaly.findings.suppress import matches

texts = st.text("ab*:/", max_size=12)


@given(texts, st.text("ab:/", max_size=12))
def test_a_star_stands_for_anything_and_the_rest_for_itself(pattern, text):
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)

    assert matches(pattern, text) is (expected is not None)


def test_a_long_text_of_an_intruder_is_looked_at_once():
    assert not matches("a*" * 8 + "b", "a" * 1_000_000)
    assert matches("a*" * 8 + "b", "a" * 1_000_000 + "b")
