"""Rule files that mean harm, or nothing at all: a clear error, at once, and never anything but RuleFileInvalid."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.modifiers import modifier_mapping

from anomaly.events.shape import shape_of
from anomaly.rules.check import check_documents
from anomaly.rules.document import read_text
from anomaly.rules.fields import FIELDS
from anomaly.rules.problem import RuleFileInvalid
from anomaly.testing import event


def rule(lines, condition="s"):
    return (
        f"title: t\nlogsource: {{product: kubernetes}}\ndetection:\n  s:\n{lines}\n  condition: {condition}\n"
    )


def listed(key, values):
    return f"    {key}:\n" + "".join(f"      - '{value}'\n" for value in values)


HOSTILE = {
    "expressions": rule(listed("user.username|re", [f"a{n}.*b{n}" for n in range(18_000)])),
    "expressions in the budget": rule(listed("user.username|re", [f"a{n}.*b{n}" for n in range(490)])),
    "repetitions": rule(listed("user.username|re", [f"(a{{0,900}}){n}" for n in range(90)])),
    "a long expression": rule("    user.username|re: '" + "(a|b)?" * 100_000 + "'"),
    "dashes": rule(listed("userAgent|windash|contains", [f" -a -b -c{n}" for n in range(18_000)])),
    "patterns": rule(listed("userAgent", ["*a?" * 5 + str(n) for n in range(490)])),
    "networks": rule(listed("sourceIPs|cidr", [f"10.{n % 256}.{n // 256}.0/24" for n in range(2_400)])),
    "resources": rule(
        listed("objectRef.resource", [f"x{n}" for n in range(3_900)])
        + listed("objectRef.subresource", [f"x{n}" for n in range(990)])
    ),
    "codes": rule(
        listed("responseStatus.code|startswith", range(990)) + "    pod.hostNetwork: true\n    stage: Panic"
    ),
    "selections": "title: t\ndetection:\n"
    + "".join(f"  s{n}: {{verb: get}}\n" for n in range(4_000))
    + "  condition: all of them\n",
    "a wild selector": "title: t\ndetection:\n  "
    + "a" * 900
    + ": {verb: get}\n  condition: 1 of "
    + "a*" * 900
    + "b\n",
    "many nots": rule("    verb: get", "not " * 900 + "s"),
    "unknown fields": rule("".join(f"    nosuch{n}: x\n" for n in range(4_000))),
    "unknown resources": rule(listed("objectRef.resource", [f"deploymnts{n}" for n in range(4_900)])),
    "many examples": rule("    verb: get")
    + "tests:\n  firing:\n"
    + "".join("    - {verb: get, times: 2000}\n" for _ in range(500)),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_file_keeps_the_reader_busy(text):
    try:
        check_documents(read_text(text))
    except RuleFileInvalid as error:
        assert error.problems


keys = st.one_of(
    st.sampled_from(sorted(FIELDS)),
    st.builds(
        "{}|{}".format,
        st.sampled_from([*sorted(FIELDS), "", "pod.hostNetwork"]),
        st.sampled_from(sorted(modifier_mapping)),
    ),
    st.builds(
        "{}|{}|{}".format,
        st.sampled_from(["verb", "requestObject.a[].b", "responseStatus.code"]),
        st.sampled_from(sorted(modifier_mapping)),
        st.sampled_from(sorted(modifier_mapping)),
    ),
    st.text(max_size=6),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 700),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["get", "*", "a*b?", "10.0.0.0/8"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
detections = st.dictionaries(st.sampled_from(["a", "b", "c", "condition"]), values, max_size=4)
documents = st.fixed_dictionaries(
    {},
    optional={
        "title": scalars, "id": scalars, "level": scalars | st.sampled_from(["high"]), "tags": values, "group_by": values,
        "timeframe": scalars, "says": scalars, "stages": values, "tests": values, "logsource": values, "name": scalars,
        "correlation": values, "date": scalars, "status": scalars, "detection": detections | values,
    },
)  # fmt: skip
rules = st.builds(
    lambda lines, condition: {
        "title": "t",
        "detection": {"a": lines, "b": {"verb": "get"}, "condition": condition},
    },
    st.dictionaries(keys, values, min_size=1, max_size=3),
    st.sampled_from(["a", "not a", "a and b", "1 of them", "a or not b", "(a", "a of b", ""]),
)


@settings(max_examples=400, deadline=None)
@given(documents | rules)
def test_whatever_the_file_says_it_is_read_or_refused(data):
    try:
        found, problems = check_documents(read_text(json.dumps(data)))
    except RuleFileInvalid as error:
        assert error.problems
        return
    one = event("pods/exec", "create", body={"a": [{"b": 1}]}, name="x")
    for rule_found in found:
        if hasattr(rule_found, "matches"):
            assert rule_found.matches(one, shape_of(one)) in {True, False}
    assert found or problems or not data


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("abc:-[]{}&*!|>'\"%@#?,\n \t\x00\u202e0"), max_size=80))
def test_whatever_the_bytes_are_they_are_read_or_refused(text):
    try:
        check_documents(read_text(text))
    except RuleFileInvalid as error:
        assert error.problems
