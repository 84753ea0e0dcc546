"""Plans must say exactly what the rules say, for every shape and event; and cost nothing where nothing can match."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomaly.errors import RuleInvalid
from anomaly.events.decode import decode_lines
from anomaly.rules import RuleSet, pack
from anomaly.rules.compile import MAX_REMEMBERED, generate
from anomaly.testing import event, raw_event
from tests.anomaly.rules.builders import fires, rule_of, rules_of

FIELDS = {
    "verb": ["get", "create", "delete", "patch"],
    "resource": ["pods", "pods/exec", "secrets", "apps/deployments"],
    "objectRef.namespace": ["shop", "kube-system", None],
    "objectRef.name": ["web-0", "coredns", None],
    "objectRef.name|startswith": ["web", "core"],
    "user.username": ["alice", "system:node:n1"],
    "user.groups": ["dev", "system:masters"],
    "user.groups|all": [["dev", "system:masters"]],
    "responseStatus.code|gte": [200, 400],
    "allowed": [True, False],
    "pod.hostNetwork": [True, False],
    "pod.containers[].image|contains": ["busybox", "nginx"],
    "requestURI|contains": ["pods", "secrets"],
    "requestObject.kind|exists": [True, False],
    "requestURI|fieldref|contains": ["objectRef.name"],
    "stage": ["ResponseStarted", "ResponseComplete"],
}
items = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(FIELDS[name]))
)
selections = st.lists(items, min_size=1, max_size=3).map(dict)
conditions = st.sampled_from(
    [
        "a",
        "not a",
        "a and b",
        "a or b",
        "a and not b",
        "not (a or b)",
        "1 of them",
        "all of them and c",
        "c or not a and b",
    ]
)
events = st.builds(
    event,
    st.sampled_from(["pods", "pods/exec", "secrets", "apps/deployments", "/healthz"]),
    st.sampled_from(["get", "create", "delete", "patch"]),
    by=st.sampled_from(["alice", "system:node:n1", ""]),
    groups=st.sampled_from([["dev"], ["dev", "system:masters"], []]),
    namespace=st.sampled_from(["shop", "kube-system", ""]),
    name=st.sampled_from(["web-0", "coredns", ""]),
    code=st.sampled_from([200, 201, 403, 404]),
    stage=st.sampled_from(["ResponseComplete", "ResponseStarted", "RequestReceived"]),
    body=st.sampled_from(
        [
            None,
            {"kind": "Pod", "spec": {"hostNetwork": True, "containers": [{"image": "Busybox"}]}},
            {"spec": {"template": {"spec": {"containers": [{"image": "nginx"}]}}}},
            [{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}],
        ]
    ),
)


def yaml_of(parts, condition):
    import json

    return json.dumps(
        {"title": "t", "detection": {**dict(zip("abc", parts, strict=True)), "condition": condition}}
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.tuples(selections, selections, selections), conditions), min_size=1, max_size=4),
    events,
)
def test_a_plan_says_what_its_rules_say(made, one):
    text = "\n---\n".join(yaml_of(parts, condition) for parts, condition in made)
    rules = rules_of(text)
    decoded = decode_lines(raw_event())
    assert decoded.shapes
    from anomaly.events.shape import shape_of

    shape = shape_of(one)
    plain = {rule.id for rule in rules.rules if rule.matches(one, shape)}
    for _ in range(2):  # the second time from memory
        assert {rule.id for rule in rules.matches(one, shape)} == plain
    together = generate(tuple((index, rule.condition) for index, rule in enumerate(rules.rules)), rules.rules)
    assert {rule.id for rule in together(one, shape) if rule.sees(shape)} == plain


def plan_of(rule, one):
    from anomaly.events.shape import shape_of

    return RuleSet((rule,)).plan(shape_of(one))


def test_what_the_shape_decides_needs_no_check():
    rule = rule_of("verb: delete;;user.username: alice")
    assert plan_of(rule, event("pods", "delete", by="alice")).certain
    assert plan_of(rule, event("pods", "delete", by="alice")).check is None
    assert plan_of(rule, event("pods", "delete", by="bob")).check is None


def test_a_name_is_asked_of_the_event_alone():
    rule = rule_of("verb: delete;;objectRef.name: web-0")
    plan = plan_of(rule, event("pods", "delete", name="web-1"))
    assert plan.certain == ()
    assert plan.check is not None
    assert plan_of(rule, event("pods", "get", name="web-0")).check is None


def test_a_body_the_level_does_not_keep_is_not_asked_for():
    rule = rule_of("pod.hostNetwork: true")
    assert plan_of(rule, event("pods", "create")).check is None
    assert plan_of(rule, event("secrets", "create", body={"a": 1})).check is None
    assert plan_of(rule, event("pods", "create", body={"spec": {}})).check is not None


def test_a_rule_looks_at_a_request_once():
    rule = rule_of("verb: get")
    assert fires(rule, event("pods", "get"))
    assert fires(rule, event("pods", "get", stage="Panic", code=500))
    assert fires(rule, event("pods", "get", stage="ResponseStarted", code=401, by=""))
    assert not fires(rule, event("pods", "get", stage="ResponseStarted"))
    assert not fires(rule, event("pods", "get", stage="RequestReceived"))


def test_a_rule_may_ask_for_the_opening_or_the_receipt():
    opened = rule_of("verb: get", extra="stages: [final, opened]\n")
    assert fires(opened, event("pods", "get", stage="ResponseStarted"))
    assert not fires(opened, event("pods", "get", stage="RequestReceived"))
    received = rule_of("verb: get", extra="stages: [received]\n")
    assert fires(received, event("pods", "get", stage="RequestReceived"))
    assert not fires(received, event("pods", "get"))


def test_a_rule_that_names_the_stage_decides_itself():
    rule = rule_of("stage: RequestReceived")
    assert fires(rule, event("pods", "get", stage="RequestReceived"))
    assert not fires(rule, event("pods", "get"))


def test_memory_stays_bounded_whatever_clients_send():
    from anomaly.events.shape import shape_of

    rules = RuleSet((rule_of("user.username: a"),))
    for number in range(MAX_REMEMBERED + 50):
        rules.plan(shape_of(event(f"things{number}", "get")))
    assert len(rules._narrow) <= MAX_REMEMBERED
    assert len(rules._coarse) <= MAX_REMEMBERED


def test_generated_source_holds_nothing_of_a_rule():
    rule = rule_of("objectRef.name: \"'); import os; ('\"")
    assert not fires(rule, event(name="x"))
    assert fires(rule, event(name="'); import os; ('"))


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(RuleInvalid, match="two rules are called"):
        RuleSet((rule_of("verb: get"), rule_of("verb: list")))


def test_the_group_key_holds_the_values_of_the_fields_named():
    from anomaly.events.shape import shape_of

    rule = rule_of("verb: get", extra="group_by: [user.username, user.groups, objectRef.uid]\n")
    one = event(by="alice", groups=["a", "b"])
    assert rule.group_key(one, shape_of(one)) == ("alice", "a,b", "")


def test_the_pack_plans_what_it_says_on_its_own_examples():
    rules = pack()
    for rule in rules.rules:
        for example in rule.card.examples:
            decoded = decode_lines(b"\n".join(example.events))
            for one, shape in zip(decoded.events, decoded.shapes, strict=True):
                plain = {found.id for found in rules.rules if found.matches(one, shape)}
                assert {found.id for found in rules.matches(one, shape)} == plain
