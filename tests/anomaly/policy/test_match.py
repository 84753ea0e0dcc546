import pytest

from anomaly.policy.document import Level, Policy, Rule
from anomaly.policy.explain import explain
from anomaly.policy.match import Matcher, matches, obstacle, stages_of
from anomaly.policy.parse import parse
from anomaly.policy.request import Request
from anomaly.policy.route import route

BODIES = ("has_request_object", "has_response_object", "has_managed_fields")


def test_every_recorded_request_is_written_as_the_server_wrote_it(recording, accepted):
    policy = recording.read(accepted).policy
    recorded = recording.verdicts[accepted]["verdicts"]

    mine = {item.name: item.as_json()["stages"] for item in explain(policy, recording.asked)}

    assert {name: verdict["stages"] for name, verdict in recorded.items()} == mine


def test_bodies_and_managed_fields_follow_from_level_stages_and_the_same_request_at_full_level(
    recording, accepted
):
    policy = recording.read(accepted).policy
    full = recording.verdicts["requestresponse-all"]["verdicts"]
    only_request = recording.verdicts["request-all"]["verdicts"]
    for item in explain(policy, recording.asked):
        recorded = recording.verdicts[accepted]["verdicts"][item.name]
        # A 401 and a failed long-running request carry their Status in ResponseStarted already.
        answered = [level for stage, level in item.stages.items() if stage != "RequestReceived"]
        level = answered[0] if answered else Level.NONE
        request = only_request[item.name]["has_request_object"] and level.rank >= Level.REQUEST.rank
        assert request is recorded["has_request_object"], item.name
        if level is Level.REQUEST_RESPONSE:
            assert full[item.name]["has_response_object"] is recorded["has_response_object"], item.name
        elif level.rank < Level.REQUEST.rank:
            assert not any(recorded[body] for body in BODIES), item.name
        kept = full[item.name]["managed_fields_in_response"] and level is Level.REQUEST_RESPONSE
        stripped = item.decision.omit_managed_fields
        assert (kept and not stripped) is recorded["managed_fields_in_response"], item.name
        sent = full[item.name]["managed_fields_in_request"] and request
        still = sent and (not stripped or item.request.verb == "patch")
        assert still is recorded["managed_fields_in_request"], item.name


def test_method_and_url_give_the_attributes_the_server_saw(recording):
    for asked in recording.asked:
        assert asked.request() == route(asked.method, asked.path, asked.user, tuple(asked.groups or ())), (
            asked.name
        )


def test_the_stages_of_a_request_follow_from_its_attributes(recording):
    for asked in recording.asked:
        if asked.name == "pods-watch-open":
            continue  # still open when the log was read
        assert list(stages_of(asked.request(), asked.code)) == asked.stages, asked.name


READ = Request(
    "alice",
    ("dev",),
    "get",
    True,
    "",
    "v1",
    "pods",
    "",
    "web",
    "shop",
    "/api/v1/namespaces/shop/pods/web",
)
ROOT = Request("alice", ("dev",), "get", False, path="/healthz")


@pytest.mark.parametrize(
    ("rule", "request_", "reason"),
    [
        (Rule("None", users=("*",)), READ, "user 'alice' is not listed"),
        (
            Rule("None", user_groups=("ops",)),
            READ,
            "the user is in none of its userGroups",
        ),
        (Rule("None", verbs=("GET",)), READ, "verb 'get' is not listed"),
        (
            Rule("None", namespaces=("kube-system",)),
            READ,
            "namespace 'shop' is not listed",
        ),
        (
            Rule("None", non_resource_urls=("/healthz",)),
            READ,
            "it is for non-resource URLs only",
        ),
        (
            Rule("None", non_resource_urls=("/livez*",)),
            ROOT,
            "path '/healthz' is none of its nonResourceURLs",
        ),
        (Rule("None", namespaces=("",)), ROOT, "it is for resources only"),
    ],
)
def test_the_first_criterion_that_fails_is_named(rule, request_, reason):
    assert reason == obstacle(rule, request_)


def test_a_rule_without_criteria_matches_everything():
    assert matches(Rule("None"), READ)
    assert matches(Rule("None"), ROOT)


def test_no_rule_means_none_and_no_index():
    decision = Matcher(Policy((Rule("Metadata", users=("bob",)),))).decide(READ)

    assert (decision.rule, decision.level) == (None, Level.NONE)


def test_decisions_are_remembered_apart_by_name_only_when_a_rule_asks_for_names():
    text = b"""apiVersion: audit.k8s.io/v1
rules:
  - level: RequestResponse
    resources: [{group: "", resources: [pods], resourceNames: [web]}]
  - level: Metadata
"""
    matcher = Matcher(parse(text))
    other = Request("alice", ("dev",), "get", True, "", "v1", "pods", "", "db", "shop")

    assert [matcher.decide(item).level for item in (READ, other, READ)] == [
        "RequestResponse",
        "Metadata",
        "RequestResponse",
    ]
