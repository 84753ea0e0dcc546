"""Which bodies are written: held against the recording, and against stored events."""

import msgspec
import pytest

from anomaly.events.event import Event
from anomaly.policy.explain import explain, explain_event, requests_from
from anomaly.policy.parse import parse
from anomaly.testing import raw_event

BODIES = (
    "has_request_object",
    "has_response_object",
    "has_managed_fields",
    "managed_fields_in_request",
    "managed_fields_in_response",
)


def test_no_body_is_said_to_be_written_or_not_against_the_server(recording, accepted):
    verdicts = recording.verdicts[accepted]["verdicts"]
    for found in explain(recording.read(accepted).policy, recording.asked):
        told = found.as_json()
        known = {word: told[word] for word in BODIES if told[word] is not None}
        assert known == {word: verdicts[found.name][word] for word in known}, found.name


def test_nearly_all_recorded_bodies_follow_from_the_request(recording):
    told = [
        found.as_json()[word]
        for name in recording.names(accepted=True)
        for found in explain(recording.read(name).policy, recording.asked)
        for word in BODIES
    ]

    assert sum(value is None for value in told) < 0.03 * len(told)
    assert told.count(True) > 1000


@pytest.mark.parametrize(
    ("request_file", "sent"),
    [
        ({"code": 201, "body": {"metadata": {"managedFields": [{}]}}}, True),
        ({"code": 201}, True),
        ({"code": 403}, False),
        ({"code": 201, "body": None}, False),
        ({}, None),
        ({"code": 409}, True),
        ({"code": 404}, None),
    ],
)
def test_a_create_has_a_body_unless_it_was_refused_and_nobody_knows_without_its_code(
    policy_of, request_file, sent
):
    asked = {"user": "a", "method": "POST", "path": "/api/v1/namespaces/shop/pods"} | request_file
    (found,) = explain(parse(policy_of("- level: Request")), requests_from(msgspec.json.encode([asked])))

    assert found.bodies.request is sent
    assert found.bodies.response is False
    assert found.bodies.managed_in_request is (
        False if sent is False else True if isinstance(request_file.get("body"), dict) else None
    )


def stored(level):
    body = {"metadata": {"name": "web", "managedFields": [{"manager": "kubectl"}]}}
    return msgspec.json.decode(raw_event("pods", "create", name="web", body=body, level=level), type=Event)


def test_a_stored_event_shows_which_bodies_a_policy_would_write(policy_of):
    keeps = parse(policy_of("- level: Request"))
    cuts = parse(policy_of("- {level: Request, omitManagedFields: true}"))

    assert explain_event(keeps, stored("Request")).as_json()["managed_fields_in_request"] is True
    assert explain_event(cuts, stored("Request")).as_json()["managed_fields_in_request"] is False
    assert explain_event(parse(policy_of("- level: Metadata")), stored("Request")).bodies.request is False
