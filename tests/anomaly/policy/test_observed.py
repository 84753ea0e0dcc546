import pytest

from anomaly.policy.observed import request_of
from anomaly.policy.request import Request
from anomaly.testing import event


def test_a_finished_create_shows_a_name_that_the_policy_never_saw():
    seen = request_of(
        event(
            "secrets",
            "create",
            name="db",
            namespace="shop",
            uri="/api/v1/namespaces/shop/secrets",
        )
    )

    assert (seen.verb, seen.resource, seen.name, seen.namespace) == (
        "create",
        "secrets",
        "",
        "shop",
    )


def test_a_create_on_a_subresource_has_its_name():
    uri = "/api/v1/namespaces/shop/pods/web/exec?command=sh"
    seen = request_of(event("pods/exec", "create", name="web", namespace="shop", uri=uri))

    assert (seen.subresource, seen.name) == ("exec", "web")


def test_a_list_by_field_selector_has_the_name():
    seen = request_of(
        event(
            "secrets",
            "list",
            uri="/api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Ddb",
        )
    )

    assert seen.name == "db"


def test_a_request_answered_401_has_no_user():
    assert request_of(event("pods", "list", by="", groups=(), code=401)).user is None


def test_anonymous_is_somebody():
    groups = ("system:unauthenticated",)

    assert (
        request_of(event("pods", "list", by="system:anonymous", groups=groups, code=403)).user
        == "system:anonymous"
    )


def test_the_real_caller_counts_not_whom_they_act_as():
    assert request_of(event("pods", "list", by="erin", acting_as="alice")).user == "erin"


def test_the_path_is_decoded():
    assert request_of(event("/healthz", "get", uri="/%68ealthz")).path == "/healthz"


@pytest.mark.parametrize("uri", ["", "/rewritten/by/a/cloud"])
def test_without_a_usable_url_the_object_reference_is_taken(uri):
    seen = request_of(event("apps/deployments", "create", name="web", namespace="shop", uri=uri or "-"))

    assert isinstance(seen, Request)
    assert (seen.group, seen.resource, seen.name, seen.namespace) == (
        "apps",
        "deployments",
        "",
        "shop",
    )
