import json

import pytest

from anomaly.events.decode import decode_lines
from anomaly.sources.unwrap import unwrap


def event_of(method, name="", labels=None, insert_id="i-1", **payload):
    payload = {"serviceName": "k8s.io", "methodName": method, "resourceName": name} | payload
    entry = {
        "protoPayload": payload,
        "insertId": insert_id,
        "timestamp": "2026-04-14T08:11:02.204310999Z",
        "labels": labels or {},
    }
    (line,) = unwrap(json.dumps(entry).encode())
    decoded = decode_lines(line)
    assert decoded.rejects == []
    return decoded.events[0], decoded.shapes[0]


@pytest.mark.parametrize(
    ("method", "name", "expected"),
    [
        ("io.k8s.core.v1.pods.list", "core/v1/namespaces/shop/pods", ("list", "", "pods", "", "shop", "")),
        ("io.k8s.core.v1.pods.list", "core/v1/pods", ("list", "", "pods", "", "", "")),
        ("io.k8s.core.v1.pods.get", "core/v1/namespaces/a/pods/pods", ("get", "", "pods", "", "a", "pods")),
        ("io.k8s.core.v1.nodes.proxy.get", "core/v1/nodes/n1/proxy", ("get", "", "nodes", "proxy", "", "n1")),
        (
            "io.k8s.core.v1.namespaces.create",
            "core/v1/namespaces/x",
            ("create", "", "namespaces", "", "x", "x"),
        ),
        ("io.k8s.core.v1.namespaces.list", "core/v1/namespaces", ("list", "", "namespaces", "", "", "")),
        (
            "io.k8s.core.v1.namespaces.finalize.update",
            "core/v1/namespaces/x/finalize",
            ("update", "", "namespaces", "finalize", "x", "x"),
        ),
        ("io.k8s.batch.v1.cronjobs.delete", "", ("delete", "batch", "cronjobs", "", "", "")),
        (
            "io.k8s.authorization.rbac.v1beta1.roles.bind",
            "",
            ("bind", "rbac.authorization.k8s.io", "roles", "", "", ""),
        ),
        ("com.example.v1alpha2.widgets.watch", "", ("watch", "example.com", "widgets", "", "", "")),
    ],
)
def test_method_and_resource_name_become_the_object(method, name, expected):
    event, _ = event_of(method, name)
    ref = event.objectRef
    assert (event.verb, ref.apiGroup, ref.resource, ref.subresource, ref.namespace, ref.name) == expected


@pytest.mark.parametrize(
    ("payload", "code", "allowed"),
    [
        ({}, 200, True),
        ({"status": {}}, 200, True),
        ({"status": {"code": 7}}, 403, False),
        ({"status": {"code": 16}}, 401, False),
        ({"status": {"code": 5}}, 404, True),
        ({"status": {"code": 99}}, 500, True),
        ({"status": {"code": "odd"}}, 500, True),
        ({"authorizationInfo": [{"permission": "x"}]}, 403, False),
        ({"authorizationInfo": [{"granted": True}, {"granted": False}]}, 403, False),
    ],
)
def test_the_outcome_follows_from_status_and_grants(payload, code, allowed):
    event, shape = event_of("io.k8s.core.v1.secrets.get", "core/v1/namespaces/a/secrets/b", **payload)
    assert (event.responseStatus.code, shape.allowed, shape.final) == (code, allowed, True)


def test_what_the_entry_does_not_say_is_not_invented():
    event, shape = event_of(
        "io.k8s.core.v1.pods.get", authenticationInfo={"principalEmail": "nora@example.org"}
    )
    assert (shape.user.username, shape.user.groups, shape.addresses, event.userAgent) == (
        "nora@example.org",
        (),
        (),
        "",
    )
    assert shape.annotations["anomaly/source"] == "gke"
    assert "responseStatus.code" in shape.annotations["anomaly/derived"]


def test_labels_of_the_api_server_win_over_what_is_derived():
    labels = {"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "no", "other": "x"}
    _, shape = event_of("io.k8s.core.v1.pods.get", labels=labels, authorizationInfo=[{"granted": True}])
    assert (shape.decision, shape.reason, "other" in shape.annotations) == ("forbid", "no", False)


def test_a_request_without_a_resource_keeps_its_path():
    event, shape = event_of("io.k8s.get", "healthz")
    assert (event.verb, event.requestURI, shape.is_resource) == ("get", "/healthz", False)
