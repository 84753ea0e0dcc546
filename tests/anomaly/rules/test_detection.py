"""Sigma's comparisons, modifier by modifier; every case is asked of the plain evaluation and of the compiled plan."""

import base64

import pytest

from anomaly.rules import RuleFileInvalid
from anomaly.testing import event
from tests.anomaly.rules.builders import fires, rule_of, rules_of

EVENT = event(
    "pods/exec",
    "create",
    by="Alice@Example.com",
    groups=["Dev", "system:authenticated"],
    namespace="shop",
    name="web-0",
    code=403,
    agent="kubectl/v1.33.0 (linux/amd64)",
    address="203.0.113.7",
    uri="/api/v1/namespaces/shop/pods/web-0/exec?command=sh&stdin=true",
    at=90 * 60,
    extra={"scopes": ["a", "b"]},
    body={
        "metadata": {"labels": {"app.kubernetes.io/name": "web"}, "generation": 3},
        "spec": {
            "containers": [{"image": "one", "ports": [{"n": 80}]}, {"image": "TWO", "ports": [{"n": 443}]}]
        },
        "note": base64.b64encode(b"xx curl http://evil yy").decode(),
        "wide": base64.b64encode("whoami".encode("utf-16-le")).decode(),
        "path": r"C:\temp\*",
        "flag": "/run -all",
        "who": "alice@example.com",
    },
    responseStatus={"code": 403, "message": "line one\nline TWO is forbidden", "reason": "Forbidden"},
)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        pytest.param("verb: CREATE", True, id="case does not matter"),
        pytest.param("user.username: alice@example.COM", True, id="nor in names"),
        pytest.param("user.username|cased: alice@example.com", False, id="cased tells it apart"),
        pytest.param("user.username|cased: Alice@Example.com", True, id="cased, as written"),
        pytest.param("user.username|contains|cased: Example", True, id="contains, cased"),
        pytest.param("user.username|contains|cased: example", False, id="contains, cased, otherwise"),
        pytest.param("user.username|startswith: alice", True, id="startswith"),
        pytest.param("user.username|endswith: .COM", True, id="endswith"),
        pytest.param("user.username|endswith: alice", False, id="endswith, not there"),
        pytest.param("user.username|contains: example", True, id="contains"),
        pytest.param("user.username: '*@example.com'", True, id="star in front"),
        pytest.param("user.username: 'a*e@ex*'", True, id="stars inside"),
        pytest.param("objectRef.name: 'web-?'", True, id="question mark"),
        pytest.param("objectRef.name: 'web?'", False, id="question mark is one character"),
        pytest.param(r"requestObject.path: 'C:\temp\\\*'", True, id="escaped star"),
        pytest.param(r"requestObject.path: 'C:\\temp\\\*'", True, id="escaped backslash"),
        pytest.param(r"objectRef.name: 'web-\*'", False, id="an escaped star is a star"),
        pytest.param("objectRef.name: '*'", True, id="star alone is anything"),
        pytest.param("objectRef.uid: '*'", False, id="but not nothing"),
        pytest.param("user.groups: dev", True, id="any value of a list"),
        pytest.param("user.groups|all: [dev, 'system:authenticated']", True, id="all"),
        pytest.param("user.groups|all: [dev, ops]", False, id="all, one missing"),
        pytest.param("user.groups|contains|all: [de, auth]", True, id="contains all, by different values"),
        pytest.param("user.groups: [ops, dev]", True, id="one of several"),
        pytest.param("userAgent|re: 'kubectl/v1[.]\\d+'", True, id="re"),
        pytest.param("userAgent|re: 'KUBECTL'", False, id="re tells case apart"),
        pytest.param("userAgent|re|i: 'KUBECTL'", True, id="re, i"),
        pytest.param("responseStatus.message|re: '^line TWO'", False, id="re, one line"),
        pytest.param("responseStatus.message|re|m: '^line TWO'", True, id="re, m"),
        pytest.param("responseStatus.message|re: 'one.line'", False, id="re, dot stops at lines"),
        pytest.param("responseStatus.message|re|s: 'one.line'", True, id="re, s"),
        pytest.param("userAgent|re|startswith: 'v1'", False, id="re, startswith"),
        pytest.param("userAgent|re|endswith: 'amd64[)]'", True, id="re, endswith"),
        pytest.param("sourceIPs|cidr: 203.0.113.0/24", True, id="cidr"),
        pytest.param("sourceIPs|cidr: ['10.0.0.0/8', '2001:db8::/32']", False, id="cidr, elsewhere"),
        pytest.param("objectRef.name|exists: true", True, id="exists"),
        pytest.param("objectRef.uid|exists: true", False, id="exists, missing"),
        pytest.param("objectRef.uid|exists: false", True, id="exists not"),
        pytest.param("objectRef.uid: null", True, id="null"),
        pytest.param("objectRef.name: null", False, id="null, but there"),
        pytest.param("objectRef.uid: ''", True, id="empty text is null"),
        pytest.param("objectRef.name: [null, web-0]", True, id="null or a value"),
        pytest.param("responseStatus.code: 403", True, id="number"),
        pytest.param("responseStatus.code|gt: 403", False, id="gt"),
        pytest.param("responseStatus.code|gte: 403", True, id="gte"),
        pytest.param("responseStatus.code|lt: 404", True, id="lt"),
        pytest.param("responseStatus.code|lte: 402", False, id="lte"),
        pytest.param("responseStatus.code: '40*'", True, id="number as text"),
        pytest.param("requestObject.metadata.generation|gt: 2", True, id="number in a body"),
        pytest.param("verb|neq: get", True, id="neq"),
        pytest.param("verb|neq: [get, create]", False, id="neq, one of several"),
        pytest.param("requestObject.who|fieldref: user.username", True, id="fieldref"),
        pytest.param("requestURI|fieldref|contains: objectRef.name", True, id="fieldref, contains"),
        pytest.param("requestURI|fieldref|startswith: objectRef.name", False, id="fieldref, startswith"),
        pytest.param("requestURI|fieldref: objectRef.uid", False, id="fieldref to nothing"),
        pytest.param("requestObject.note|base64offset|contains: curl http", True, id="base64offset"),
        pytest.param("requestObject.note|base64offset|contains: wget", False, id="base64offset, not there"),
        pytest.param("requestObject.note|base64|contains: 'xx '", True, id="base64"),
        pytest.param("requestObject.wide|wide|base64|contains: whoam", False, id="wide, cut within a group"),
        pytest.param("requestObject.wide|wide|base64offset|contains: whoami", True, id="wide, base64offset"),
        pytest.param("requestObject.wide|utf16|base64: whoami", False, id="utf16 has a byte order mark"),
        pytest.param("requestObject.wide|utf16be|base64: whoami", False, id="utf16be is the other way round"),
        pytest.param("requestObject.flag|windash|contains: ' /all'", True, id="windash"),
        pytest.param("requestReceivedTimestamp|hour: 10", True, id="hour, UTC"),
        pytest.param("requestReceivedTimestamp|hour: [9, 11]", False, id="another hour"),
        pytest.param("requestReceivedTimestamp|minute: 30", True, id="minute"),
        pytest.param("requestReceivedTimestamp|day: 2", True, id="day"),
        pytest.param("requestReceivedTimestamp|month: 3", True, id="month"),
        pytest.param("requestReceivedTimestamp|week: 10", True, id="week"),
        pytest.param("requestReceivedTimestamp|year: 2025", False, id="year"),
        pytest.param("requestObject.spec.containers[].image: two", True, id="array of objects"),
        pytest.param("requestObject.spec.containers.image: two", True, id="brackets may be left out"),
        pytest.param("requestObject.spec.containers[*].ports[].n: 443", True, id="arrays inside arrays"),
        pytest.param("requestObject.metadata.labels.app.kubernetes.io/name: web", True, id="key with dots"),
        pytest.param("requestObject.spec.containers|exists: true", True, id="objects exist"),
        pytest.param("requestObject.spec.volumes|exists: true", False, id="no such object"),
        pytest.param("user.extra.scopes: b", True, id="extra"),
        pytest.param("annotations.authorization.k8s.io/decision: forbid", True, id="annotation"),
        pytest.param("allowed: false;;interactive: true;;entity.kind: human", True, id="derived fields"),
        pytest.param(
            "resource: pods/exec;;subresource: exec;;codeClass: 4xx", True, id="resource as one text"
        ),
    ],
)
def test_a_comparison_holds_as_sigma_says(selection, expected):
    assert fires(rule_of(selection), EVENT) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("one and two", False),
        ("one or two", True),
        ("not two", True),
        ("one and not two", True),
        ("not (one and not two)", False),
        ("1 of them", True),
        ("any of them", True),
        ("all of them", False),
        ("1 of o*", True),
        ("all of t*", False),
        ("not 1 of t*", True),
        ("not not one", True),
        ("one or two and two", True),
        ("(one or two) and two", False),
    ],
)
def test_a_condition_holds_as_sigma_says(condition, expected):
    text = f"title: t\ndetection:\n  one: {{verb: create}}\n  two: {{verb: get}}\n  condition: {condition}\n"
    assert fires(rules_of(text).rules[0], EVENT) is expected


@pytest.mark.parametrize(
    ("detection", "expected"),
    [
        pytest.param("[stdin=true, nothing]", True, id="one keyword is enough"),
        pytest.param("[SHOP]", True, id="case does not matter"),
        pytest.param("{'|all': [stdin, evil, web-0]}", False, id="all keywords"),
        pytest.param("{'|all': [stdin, generation, web-0]}", True, id="keys of bodies count"),
        pytest.param("'app.kubernetes*name'", True, id="wildcard inside"),
        pytest.param("[403]", True, id="a number"),
        pytest.param("{'|re': 'command=(sh|bash)'}", True, id="an expression"),
        pytest.param("[mallory]", False, id="nowhere"),
    ],
)
def test_keywords_are_looked_for_anywhere(detection, expected):
    text = f"title: t\ndetection:\n  words: {detection}\n  condition: words\n"
    assert fires(rules_of(text).rules[0], EVENT) is expected


def test_a_list_of_mappings_needs_one_of_them():
    text = "title: t\ndetection:\n  a:\n    - {verb: get}\n    - {verb: create, allowed: false}\n  condition: a\n"
    assert fires(rules_of(text).rules[0], EVENT)


def test_several_conditions_need_one_of_them():
    text = "title: t\ndetection:\n  a: {verb: get}\n  b: {verb: create}\n  condition: [a, b]\n"
    assert fires(rules_of(text).rules[0], EVENT)


def test_not_over_a_list_means_no_value_at_all():
    rule = rule_of("user.groups|startswith: de", "not selection")
    assert not fires(rule, EVENT)
    assert fires(rule, event("pods", groups=["ops", "qa"]))


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ("user.username|re: '(?=x)y'", "linear time"),
        (r"user.username|re: '(a)\1'", "linear time"),
        ("user.username|re: '('", "regular expression"),
        ("user.username|re: '((a{1,1000}){1,1000}){1,1000}'", "regular expression"),
        ("user.username|expand: '%admins%'", "write the values out"),
        ("user.username|sounds: like", "Unknown modifier"),
        ("sourceIPs|cidr: 10.0.0.300/8", "CIDR"),
        ("verb: []", "empty list"),
        ("verb: {get: 1}", "must be a value"),
        ("nosuch.field: 1", "unknown field"),
        ("requestURI|fieldref: nosuch", "unknown field nosuch"),
        ("verb|exists: maybe", "xists"),
        ("responseStatus.code|gt: many", "incompatible"),
        ("requestURI|base64: 'a*'", "wildcards"),
    ],
)
def test_what_cannot_be_compared_is_an_error_with_its_place(selection, words):
    with pytest.raises(RuleFileInvalid) as caught:
        rule_of(selection)
    assert words in str(caught.value)
    assert str(caught.value).startswith("rule.yml:4:5:")


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 60 + "selection" + ")" * 60,
        "selection and " * 2_000 + "selection",
        "selection and",
        "1 of nothing*",
        "other",
    ],
)
def test_a_condition_that_cannot_be_used_is_an_error(condition):
    with pytest.raises(RuleFileInvalid):
        rule_of("verb: get", condition)


def test_no_expression_explodes_on_any_text():
    rule = rule_of("userAgent|re: '(a+)+$'")
    assert not fires(rule, event(agent="a" * 50_000 + "!"))
    wild = rule_of("userAgent: '" + "*a" * 40 + "*b'")
    assert not fires(wild, event(agent="a" * 50_000))
