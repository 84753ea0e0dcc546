"""What an event has in common with its like."""

import pytest

from anomaly.events.shape import shape_of
from anomaly.testing import event


def test_like_events_have_one_shape_and_unlike_ones_have_two():
    base = {"by": "alice@example.com", "namespace": "shop"}
    one = shape_of(event("pods", "get", name="a", at=1, **base))
    assert one is shape_of(event("pods", "get", name="b", at=2, **base))
    others = [
        event("pods", "list", **base),
        event("pods/log", "get", **base),
        event("secrets", "get", **base),
        event("pods", "get", by="alice@example.com", namespace="prod"),
        event("pods", "get", by="bob@example.com", namespace="shop"),
        event("pods", "get", code=404, **base),
        event("pods", "get", agent="curl", **base),
        event("pods", "get", address="198.51.100.1", **base),
        event("pods", "get", stage="RequestReceived", **base),
        event("pods", "get", acting_as="root", **base),
        event("pods", "get", annotations={"a": "b"}, **base),
        event("/api/v1/pods", "get", **base),
    ]
    shapes = [shape_of(other) for other in others]
    assert len({id(shape) for shape in [one, *shapes]}) == 1 + len(others)


def test_a_query_is_no_part_of_a_shape():
    one, other = (shape_of(event("/version", uri=f"/version?timeout={n}s")) for n in (1, 2))
    assert one is other and one.path == "/version"


@pytest.mark.parametrize(
    ("resource", "text"),
    [("pods", "pods"), ("pods/exec", "pods/exec"), ("apps/deployments", "apps/deployments"), ("apps/deployments/scale", "apps/deployments/scale"), ("/healthz", "/healthz")],
)  # fmt: skip
def test_a_resource_is_said_in_one_text(resource, text):
    assert shape_of(event(resource)).resource_text == text


@pytest.mark.parametrize(
    ("code", "decision", "allowed"),
    [(200, "allow", True), (404, "allow", True), (403, "forbid", False), (403, "allow", False), (401, "", False), (200, "forbid", False)],
)  # fmt: skip
def test_refused_is_what_the_authorizer_or_the_code_refuses(code, decision, allowed):
    found = shape_of(event(code=code, annotations={"authorization.k8s.io/decision": decision}))
    assert found.allowed is allowed


@pytest.mark.parametrize(
    ("stage", "code", "final"),
    [("ResponseComplete", 200, True), ("Panic", 500, True), ("ResponseStarted", 200, False), ("ResponseStarted", 401, True), ("RequestReceived", 0, False)],
)  # fmt: skip
def test_each_request_is_counted_at_one_stage(stage, code, final):
    assert shape_of(event(stage=stage, code=code)).final is final


def test_credentials_and_addresses_are_named():
    found = shape_of(
        event(
            extra={"authentication.kubernetes.io/credential-id": ["JTI=abc"]},
            sourceIPs=["1.1.1.1", "203.0.113.9"],
        )
    )
    assert (found.credential, found.address, found.addresses) == (
        "JTI=abc",
        "203.0.113.9",
        ("1.1.1.1", "203.0.113.9"),
    )
    bare = shape_of(event(sourceIPs=None, annotations=None, responseStatus=None))
    assert (bare.credential, bare.address, bare.code) == ("", "", 0)


def test_a_megabyte_of_user_agent_is_not_remembered():
    huge = event(agent="x" * 1_000_000)
    assert shape_of(huge) is not shape_of(huge)
    assert shape_of(huge).agent == huge.userAgent
