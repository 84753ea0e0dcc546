"""The pod spec inside any workload."""

import json

import pytest

from anomaly.events.workload import pod_spec_in, pod_spec_of
from anomaly.testing import event

POD = {"hostPID": True, "containers": [{"name": "a", "image": "x", "securityContext": {"privileged": True}}]}
TEMPLATE = {"template": {"spec": POD}}
BODIES = {
    "pods": {"kind": "Pod", "spec": POD},
    "apps/deployments": {"spec": {"replicas": 1, **TEMPLATE}},
    "apps/replicasets": {"spec": TEMPLATE},
    "apps/statefulsets": {"spec": TEMPLATE},
    "apps/daemonsets": {"spec": TEMPLATE},
    "replicationcontrollers": {"spec": TEMPLATE},
    "batch/jobs": {"spec": TEMPLATE},
    "batch/cronjobs": {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": TEMPLATE}}},
    "podtemplates": TEMPLATE,
}


@pytest.mark.parametrize("resource", BODIES)
def test_every_workload_gives_its_pod_spec(resource):
    for fields in ({"body": BODIES[resource]}, {"answer": BODIES[resource]}):
        spec = pod_spec_of(event(resource, "create", name="x", **fields))
        assert spec.hostPID is True
        assert [one.securityContext.privileged for one in spec.all_containers()] == [True]


def test_the_request_is_looked_at_before_the_answer():
    harmless = {"spec": {"containers": [{"name": "b"}]}}
    assert pod_spec_of(event("pods", "create", body=harmless, answer=BODIES["pods"])).hostPID is None


def test_what_is_only_read_is_not_asked_for():
    assert pod_spec_of(event("pods", "get", answer=BODIES["pods"])) is None
    assert pod_spec_of(event("configmaps", "create", body=BODIES["pods"])) is None
    assert pod_spec_of(event("pods", "create")) is None


def test_a_patch_gives_what_it_holds():
    spec = pod_spec_of(
        event("apps/deployments", "patch", body={"spec": {"template": {"spec": {"hostNetwork": True}}}})
    )
    assert (spec.hostNetwork, spec.all_containers()) == (True, [])
    assert (
        pod_spec_of(event("pods", "patch", body=[{"op": "add", "path": "/spec/hostPID", "value": True}]))
        is None
    )
    assert pod_spec_of(event("pods", "patch", body={"metadata": {"labels": {"a": "b"}}})) is None


def test_all_containers_are_three_lists():
    spec = pod_spec_in(
        json.dumps(
            {
                "spec": {
                    key: [{"name": key}] for key in ("containers", "initContainers", "ephemeralContainers")
                }
            }
        ).encode()
    )
    assert {one.name for one in spec.all_containers()} == {
        "containers",
        "initContainers",
        "ephemeralContainers",
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{",
        b'{"spec":7}',
        b'{"spec":{"containers":[{"image":"\xff"}]}}',
        b'{"spec":{"hostPID":"yes"}}',
        b"[" * 100_000,
        b'{"spec":null}',
        b'{"spec":{}}',
    ],
)
def test_what_is_shaped_otherwise_is_no_workload_and_no_trouble(body):
    assert pod_spec_in(body) is None
