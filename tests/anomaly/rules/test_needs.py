"""What rules need the audit policy to keep."""

from anomaly.rules import pack
from anomaly.rules.needs import Target, need_of, needs
from tests.anomaly.rules.builders import rule_of, rules_of


def reach(need, **parts):
    return [
        one
        for one in need.reaches
        if all(getattr(one.target, name) == value for name, value in parts.items())
    ]


def test_a_rule_over_names_needs_metadata():
    need = need_of(rule_of("verb: [get, create];;resource: pods/exec"))
    assert need.level == "Metadata"
    assert {one.target for one in need.reaches} == {
        Target("get", "", "pods", "exec"),
        Target("create", "", "pods", "exec"),
    }
    assert need.stages == ("ResponseComplete",)
    assert need.bodies == ()


def test_a_rule_over_bodies_is_blind_below_request():
    need = need_of(rule_of("verb: create;;pod.hostNetwork: true"))
    assert need.level == "Request"
    assert {one.some for one in need.reaches} == {"Request"}
    assert {"pods", "deployments", "cronjobs"} <= {one.target.resource for one in need.reaches}
    assert need.bodies == ("pod.hostNetwork",)


def test_an_answer_needs_request_response():
    assert need_of(rule_of("verb: get;;responseObject.kind: Secret")).level == "RequestResponse"


def test_a_rule_that_sees_a_part_at_metadata_says_so():
    (update,) = reach(next(need for need in needs(pack()) if need.rule == "cluster-admin-granted"),
                      verb="update", resource="clusterrolebindings", group="rbac.authorization.k8s.io")  # fmt: skip
    assert (update.some, update.whole) == ("Metadata", "Request")


def test_asking_for_absence_fires_blindly_at_a_lower_level():
    need = need_of(rule_of("verb: create;;resource: pods;;requestObject.spec.securityContext|exists: false"))
    (create,) = reach(need, verb="create", resource="pods")
    assert create.blind_below == ("Metadata",)


def test_any_verb_and_resource_are_said_with_a_star():
    need = need_of(rule_of("user.username: system:anonymous"))
    assert reach(need, verb="*", resource="*")
    assert reach(need, verb="*", resource="")


def test_the_stages_a_rule_looks_at_are_told():
    assert need_of(rule_of("verb: get", extra="stages: [final, opened]\n")).stages == (
        "ResponseComplete",
        "ResponseStarted",
    )
    assert need_of(rule_of("stage: RequestReceived;;verb: patch")).stages == ("RequestReceived",)


def test_a_correlation_needs_what_its_rules_need():
    text = """
title: a
name: a
detection: {s: {verb: create, pod.hostNetwork: true}, condition: s}
---
title: b
name: b
detection: {s: {verb: list, resource: secrets}, condition: s}
---
title: c
name: c
correlation: {type: temporal, rules: [a, b], timespan: 5m, group-by: [user.username]}
"""
    need = next(need for need in needs(rules_of(text)) if need.rule == "c")
    assert need.level == "Request"
    assert {"pods", "secrets"} <= {one.target.resource for one in need.reaches}
