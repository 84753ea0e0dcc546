"""Two engines, one meaning; and neither can be made to take long."""

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.rules.expression import expression, finder, linear

LINEAR = [
    "^[0-9a-zA-Z][0-9a-zA-Z-]{9,63}$", "^(0[0-]*|1[1-]*|a[a-]*)$", "^abc", "^a.c$", r"^a\.b+$", "^(?:a|b|)c*$", "^$", "^a{3}b?$",
    "^[^/]*/x$", "^x(a*|b)",
]  # fmt: skip
OTHERS = [
    "abc", "^(a+)+$", "^a*a*$", "^a*(b*)$", "(?i)^a$", r"^\d+$", r"^\w$", "^a|b$", "^(a|b)*$", "^[[:alpha:]]$", "^a*?$", "^a$b",
    r"^[\w]$", "^(a|(b|c))$", r"^\pL$", "^é$", "^a{2,3}{4}$", "^(a|b*)(c|d)$", "^x*(a|b*)$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", LINEAR)
def test_plainly_linear_patterns_are_recognised(pattern):
    assert linear(pattern) is not None


@pytest.mark.parametrize("pattern", OTHERS)
def test_all_others_are_left_to_re2(pattern):
    assert linear(pattern) is None


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(LINEAR)
    | st.from_regex(r"\^([ab.-]|\[[ab-]{1,3}\])([*+?]|\{\d,\d\})?(\([ab]*\|[ab]?\*?\))?\$?", fullmatch=True),
    st.text(alphabet=st.sampled_from("abc01-/.x\n\u00e9\x00"), max_size=12),
)
def test_both_engines_mean_the_same(pattern, text):
    quick = linear(pattern)
    if quick is not None:
        assert quick(text) is (expression(pattern).search(text) is not None)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([*LINEAR, "b+$", "(?i)C", "[01]{2}", "(a|b)*c"]), min_size=1, max_size=4),
    st.text("abcC01-/\n", max_size=9),
)
def test_several_patterns_are_found_as_each_alone(patterns, text):
    assert finder(tuple(patterns))(text) is any(expression(one).search(text) is not None for one in patterns)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", "^(a?){50}a{50}$", "(.*)*x", "^[a-]*$", "(a|b|ab)*c"]
)
def test_long_texts_are_searched_in_their_length(pattern):
    assert finder((pattern,))("a" * 200_000 + "!") is False


def test_patterns_too_large_for_one_automaton_are_searched_one_by_one():
    find = finder(tuple(f"(x{{0,900}})={number}y.*z" for number in range(40)))
    assert find("xx=39y--z")
    assert not find("xx=40y--z")


def test_what_is_no_pattern_is_refused():
    with pytest.raises(re2.error):
        finder(("(",))
