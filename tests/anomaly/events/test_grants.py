"""What a written RBAC object gives."""

import msgspec
import pytest

from anomaly.events.event import Event, ObjectRef
from anomaly.events.grants import grants_of
from anomaly.testing import event

BINDING = {
    "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [
        {"kind": "Group", "name": "system:anonymous"},
        {"kind": "ServiceAccount", "name": "default", "namespace": "shop"},
    ],
}
ROLE = {
    "rules": [
        {"verbs": ["get", "*", "impersonate"], "resources": ["pods", "secrets", "pods/exec"]},
        {"verbs": ["*"]},
    ]
}


def test_a_binding_gives_a_role_to_subjects():
    expected = ("role:cluster-admin", "subject:Group/system:anonymous", "subject:ServiceAccount/shop:default")
    for resource in ("clusterrolebindings", "rolebindings"):
        assert grants_of(event(resource, "create", body=BINDING)) == expected
    assert grants_of(event("rolebindings", "patch", answer=BINDING)) == expected


def test_a_role_gives_its_dangerous_verbs_and_resources_once():
    assert grants_of(event("clusterroles", "update", body=ROLE)) == (
        "verb:*",
        "verb:impersonate",
        "resource:secrets",
        "resource:pods/exec",
    )


def test_what_gives_nothing_is_empty():
    assert (
        grants_of(event("roles", "create", body={"rules": [{"verbs": ["get"], "resources": ["pods"]}]})) == ()
    )
    assert grants_of(event("roles", "create")) == ()
    assert grants_of(event("roles", "get", answer=ROLE)) == ()
    assert grants_of(event("pods", "create", body=ROLE)) == ()
    assert grants_of(event("/api", "create")) == ()


def test_a_role_with_a_thousand_subjects_is_cut():
    body = {"subjects": [{"kind": "User", "name": f"u{number}"} for number in range(1_000)]}
    assert len(grants_of(event("rolebindings", "create", body=body))) == 64


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b'{"rules":7}', b'{"rules":[{"verbs":["\xff"]}]}', b"[" * 100_000]
)
def test_another_shape_gives_nothing(body):

    odd = Event(verb="create", objectRef=ObjectRef(resource="roles"), requestObject=msgspec.Raw(body))
    assert grants_of(odd) == ()
