"""What is being typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.query.completing import Completing, at


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Completing(0, 0, None, "")),
        ("ver", Completing(0, 3, None, "ver")),
        ("verb:", Completing(5, 5, "verb", "")),
        ("verb:g", Completing(5, 6, "verb", "g")),
        ("verb:get,li", Completing(9, 11, "verb", "li")),
        ("verb:get na", Completing(9, 11, None, "na")),
        ("-user:al", Completing(6, 8, "user", "al")),
        ("(ns:sh", Completing(4, 6, "namespace", "sh")),
        ("user:system:node:w", Completing(5, 18, "user", "system:node:w")),
        ('agent:"kubectl v', Completing(6, 16, "agent", "kubectl v")),
        ("code:>=4", Completing(7, 8, "code", "4")),
        ("name:web-*", Completing(5, 10, "name", "web-")),
        ("nothing:x", Completing(0, 9, None, "nothing:x")),
        ('agent:"a b" na', Completing(12, 14, None, "na")),
    ],
)
def test_the_part_at_the_caret_is_found(text, found):
    assert at(text, len(text)) == found


@given(st.text('abc:"\\ -(,*', max_size=20), st.integers(-2, 25))
def test_it_is_always_a_part_before_the_caret(text, caret):
    found = at(text, caret)
    assert 0 <= found.start <= found.end == max(0, min(caret, len(text)))
