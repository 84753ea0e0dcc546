"""Bodies as rules see them: one pod view for every workload, lists entered, hostile bodies survived."""

import pytest

from anomaly.events.shape import shape_of
from anomaly.rules.fields import field_of
from anomaly.rules.view import MAX_VALUES, View, leaves, walk
from anomaly.testing import event

POD = {
    "hostNetwork": True,
    "containers": [{"name": "a", "image": "one"}],
    "initContainers": [{"name": "b", "image": "two"}],
    "ephemeralContainers": [{"name": "c", "image": "three"}],
    "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}, {"name": "w", "emptyDir": {}}],
}


def values(name, one):
    return field_of(name).values(View(one, shape_of(one)))


@pytest.mark.parametrize(
    ("resource", "body"),
    [
        ("pods", {"spec": POD}),
        ("apps/deployments", {"spec": {"template": {"spec": POD}}}),
        ("apps/daemonsets", {"spec": {"template": {"spec": POD}}}),
        ("apps/statefulsets", {"spec": {"template": {"spec": POD}}}),
        ("apps/replicasets", {"spec": {"template": {"spec": POD}}}),
        ("replicationcontrollers", {"spec": {"template": {"spec": POD}}}),
        ("batch/jobs", {"spec": {"template": {"spec": POD}}}),
        ("batch/cronjobs", {"spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}}),
        ("podtemplates", {"template": {"spec": POD}}),
        ("pods/ephemeralcontainers", {"spec": POD}),
    ],
)
def test_the_pod_is_found_in_every_workload(resource, body):
    one = event(resource, "create", body=body)
    assert values("pod.hostNetwork", one) == (True,)
    assert values("pod.containers[].image", one) == ("one", "two", "three")
    assert values("pod.initContainers[].image", one) == ("two",)
    assert values("pod.volumes[].hostPath.path", one) == ("/etc",)
    assert len(values("pod.volumes[].hostPath", one)) == 1


def test_the_answer_is_read_only_when_no_request_was_kept():
    answer = {"spec": {"template": {"spec": POD}}}
    assert values("pod.hostNetwork", event("apps/deployments", "patch", answer=answer)) == (True,)
    relabelled = event("apps/deployments", "patch", body={"metadata": {"labels": {"a": "b"}}}, answer=answer)
    assert values("pod.hostNetwork", relabelled) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/spec/template/spec/containers/0/securityContext", {"privileged": True}),
        ("/spec/template/spec/containers/0/securityContext/privileged", True),
        ("/spec/template/spec/containers/-", {"name": "x", "securityContext": {"privileged": True}}),
        ("/spec/template/spec", {"containers": [{"securityContext": {"privileged": True}}]}),
        ("/spec/template/spec/initContainers", [{"securityContext": {"privileged": True}}]),
        ("", {"spec": {"template": {"spec": {"containers": [{"securityContext": {"privileged": True}}]}}}}),
    ],
)
def test_a_json_patch_shows_what_it_puts_in(path, value):
    one = event("apps/deployments", "patch", body=[{"op": "add", "path": path, "value": value}])
    assert values("pod.containers[].securityContext.privileged", one) == (True,)


def test_a_json_patch_that_only_removes_shows_nothing():
    one = event(
        "apps/deployments", "patch", body=[{"op": "remove", "path": "/spec/template/spec/containers/0"}]
    )
    assert values("pod.containers[].image", one) == ()


def test_a_json_patch_is_seen_as_operations_and_as_what_it_puts_in():
    body = [
        {"op": "add", "path": "/subjects/-", "value": {"name": "eve"}},
        {"op": "replace", "path": "/metadata/labels/example.com~1tier", "value": "top"},
        {"op": "remove", "path": "/spec"},
    ]
    one = event("clusterrolebindings", "patch", namespace="", body=body)
    assert values("requestObject.subjects[].name", one) == ("eve",)
    assert values("requestObject.metadata.labels.example.com/tier", one) == ("top",)
    assert values("requestObject.op", one) == ("add", "replace", "remove")
    assert values("requestObject.spec", one) == ()


def test_a_body_that_is_a_list_without_being_a_patch_is_read_once():
    assert values("requestObject.a", event("pods", "create", body=[{"a": 1}])) == (1,)


def test_the_answer_stands_in_for_a_body_that_was_not_kept_unless_it_refuses_or_nothing_was_written():
    kept = {"roleRef": {"name": "view"}}
    assert values("requestObject.roleRef.name", event("rolebindings", "create", answer=kept)) == ("view",)
    assert values("requestObject.roleRef.name", event("rolebindings", "get", answer=kept)) == ()
    patched = [event("rolebindings", "patch", answer=kept, code=code) for code in (200, 201)]
    assert [values("requestObject.roleRef.name", one) for one in patched] == [(), ("view",)]
    status = {"kind": "Status", "details": {"name": "x"}}
    assert values("requestObject.details.name", event("rolebindings", "create", answer=status)) == ()
    asked = event("rolebindings", "patch", body={"subjects": []}, answer=kept)
    assert values("requestObject.roleRef.name", asked) == ()


@pytest.mark.parametrize(
    ("resource", "verb"),
    [("pods/status", "update"), ("pods", "delete"), ("configmaps", "create"), ("pods", "list")],
)
def test_only_writes_of_workloads_have_a_pod(resource, verb):
    assert values("pod.hostNetwork", event(resource, verb, body={"spec": POD})) == ()


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        "text",
        5,
        None,
        {"spec": None},
        {"spec": []},
        {"spec": {"containers": "x"}},
        {"spec": {"template": 1}},
        [{"op": "add"}],
        [{"op": "add", "path": 5, "value": {}}],
        [None],
        [{"op": "add", "path": "/spec/0/-/0", "value": 1}],
        [{"op": "add", "path": "/a/b", "value": 1}, {"op": "add", "path": "/a/b/c/d", "value": 1}],
    ],
)
def test_bodies_of_any_shape_are_survived(body):
    for resource in ("pods", "apps/deployments"):
        one = event(resource, "patch", body=body)
        assert values("pod.containers[].image", one) in {(), ("x",)}
        assert values("requestObject.spec.containers[].image", one) == ()


def test_a_deeply_nested_body_is_survived():
    one = event("pods", "create", body={})
    deep = event("pods", "create", requestObject={"spec": {}})
    assert values("requestObject.a.b", one) == values("requestObject.a.b", deep) == ()


def test_missing_null_and_empty_are_no_value():
    assert walk({"a": {"b": None, "c": "", "d": 0, "e": False}}, ("a", "b")) == ()
    assert walk({"a": {"c": ""}}, ("a", "c")) == ()
    assert walk({"a": {"d": 0, "e": False}}, ("a", "d")) == (0,)
    assert walk({"a": {"e": False}}, ("a", "e")) == (False,)


def test_very_long_lists_are_cut():
    assert len(walk([{"a": 1}] * (MAX_VALUES + 5), ("a",))) == MAX_VALUES
    assert len(leaves(["x"] * (MAX_VALUES * 3))) >= MAX_VALUES
