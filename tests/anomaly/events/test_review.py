"""Which permission somebody asked about."""

import msgspec
import pytest

from anomaly.events.event import Event, ObjectRef
from anomaly.events.review import checked_of
from anomaly.testing import event


@pytest.mark.parametrize(
    ("resource", "spec", "asked"),
    [
        ("selfsubjectaccessreviews", {"resourceAttributes": {"verb": "create", "resource": "pods", "subresource": "exec"}}, "create pods/exec"),
        ("selfsubjectaccessreviews", {"resourceAttributes": {"verb": "*", "group": "apps", "resource": "*"}}, "* apps/*"),
        ("selfsubjectaccessreviews", {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}, "get /metrics"),
        ("selfsubjectrulesreviews", {"namespace": "shop"}, "rules"),
        ("selfsubjectaccessreviews", {}, ""),
    ],
)  # fmt: skip
def test_the_question_is_said_in_one_text(resource, spec, asked):
    assert (
        checked_of(event(f"authorization.k8s.io/{resource}", "create", namespace="", body={"spec": spec}))
        == asked
    )


def test_questions_about_others_and_without_body_say_nothing():
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods"}, "user": "bob"}
    assert checked_of(event("authorization.k8s.io/subjectaccessreviews", "create", body={"spec": spec})) == ""
    assert checked_of(event("authorization.k8s.io/selfsubjectaccessreviews", "create")) == ""
    assert checked_of(event("pods", "create", body={"spec": spec})) == ""


@pytest.mark.parametrize("body", [b"[]", b'{"spec":7}', b'{"spec":{"namespace":"\xff"}}', b"[" * 100_000])
def test_another_shape_says_nothing(body):
    odd = Event(
        verb="create",
        objectRef=ObjectRef(resource="selfsubjectaccessreviews"),
        requestObject=msgspec.Raw(body),
    )
    assert checked_of(odd) == ""
