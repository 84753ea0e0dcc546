from datetime import timedelta

import msgspec
import pytest

from anomaly.errors import UsageError
from anomaly.policy.document import Level
from anomaly.policy.forecast import DAY, compression_ratio, forecast
from anomaly.policy.parse import parse
from anomaly.policy.simulate import simulate
from anomaly.policy.strip import size_at
from anomaly.testing import START, event, raw_event

BODY = {
    "kind": "Pod",
    "metadata": {"name": "web", "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:a": {}}}]},
}


def pair(*args, **fields):
    return event(*args, **fields), len(raw_event(*args, **fields))


def test_a_lower_level_is_cut_to_the_byte():
    full = raw_event("pods", "create", body=BODY, answer=BODY)
    lower = raw_event(
        "pods",
        "create",
        body=BODY,
        level="Request",
        audit_id=event("pods", "create", body=BODY, answer=BODY).auditID,
    )
    lowest = msgspec.json.decode(full)
    del lowest["requestObject"], lowest["responseObject"]
    lowest["level"] = "Metadata"
    stored = event("pods", "create", body=BODY, answer=BODY)

    assert size_at(stored, len(full), Level.REQUEST, omit_managed_fields=False).bytes == len(lower)
    assert size_at(stored, len(full), Level.METADATA, omit_managed_fields=False).bytes == len(
        msgspec.json.encode(lowest)
    )
    assert size_at(stored, len(full), Level.REQUEST_RESPONSE, omit_managed_fields=False).bytes == len(full)


def test_managed_fields_are_cut_from_bodies_but_not_from_a_patch():
    raw = raw_event("pods", "update", body=BODY, answer={"kind": "PodList", "items": [BODY, BODY]})
    stored = event("pods", "update", body=BODY, answer={"kind": "PodList", "items": [BODY, BODY]})
    one = len(b',"managedFields":') + len(msgspec.json.encode(BODY["metadata"]["managedFields"]))
    patch = event("pods", "patch", body=BODY)

    assert (
        len(raw) - size_at(stored, len(raw), Level.REQUEST_RESPONSE, omit_managed_fields=True).bytes
        == 3 * one
    )
    assert size_at(patch, 1000, Level.REQUEST, omit_managed_fields=True).bytes == 1000


def test_a_higher_level_than_stored_is_not_known():
    stored = event("pods", "create")

    assert not size_at(stored, 500, Level.REQUEST, omit_managed_fields=False).known
    assert size_at(stored, 500, Level.METADATA, omit_managed_fields=False).known
    assert size_at(
        event("pods", "create", stage="RequestReceived"), 500, Level.REQUEST, omit_managed_fields=False
    ).known


def test_what_becomes_of_events_is_counted_by_rule_and_talker(policy_of):
    policy = parse(
        policy_of(
            "- {level: None, verbs: [list]}\n- {level: Metadata, verbs: [create]}\n- {level: Request, verbs: [get]}"
        )
    )
    events = [
        pair("pods", "list"),
        pair("pods", "list", at=5),
        pair("pods", "create", body=BODY),
        pair("pods", "get", name="a"),
        pair("pods", "delete", name="a"),
    ]

    found = simulate(policy, events)

    assert (found.total.events, found.total.kept, found.total.dropped) == (5, 2, 3)
    assert (found.total.lowered, found.total.raised, found.total.unknown) == (1, 1, 1)
    assert {rule: tally.events for rule, tally in found.rules.items()} == {0: 2, 1: 1, 2: 1, None: 1}
    assert found.top(1)[0].action in {"create pods", "get pods"}
    assert any("lower bound" in note for note in found.notes)


def test_stages_that_the_policy_omits_are_dropped_and_absent_ones_are_mentioned(policy_of):
    both = [pair("pods", "get", name="a", stage="RequestReceived"), pair("pods", "get", name="a")]
    omitting = simulate(parse(policy_of("- {level: Metadata, omitStages: [RequestReceived]}")), both)
    keeping = simulate(parse(policy_of("- level: Metadata")), both[1:])

    assert (omitting.total.kept, omitting.total.dropped) == (1, 1)
    assert any("RequestReceived" in note for note in keeping.notes)


def test_the_name_of_a_create_does_not_match_as_it_did_not_for_the_server(policy_of):
    rules = "- {level: None, resources: [{group: '', resources: [secrets], resourceNames: [db]}]}\n- {level: Metadata}"
    created = event("secrets", "create", name="db", uri="/api/v1/namespaces/shop/secrets")

    assert simulate(parse(policy_of(rules)), [(created, 100)]).total.kept == 1


def test_an_unreadable_user_is_left_out_and_said(policy_of):
    broken = event("pods", "get")
    broken.user = msgspec.Raw(b'{"username": 5}')

    found = simulate(parse(policy_of("- level: Metadata")), [(broken, 100)])

    assert (found.unreadable, found.total.events) == (1, 0)
    assert any("user block" in note for note in found.notes)


def test_a_forecast_scales_to_a_day_and_says_what_it_rests_on(policy_of):
    events = [pair("pods", "get", name="a", at=second) for second in (0, 1800, 3600)]
    simulation = simulate(
        parse(policy_of("- {level: Metadata, verbs: [get], omitStages: [RequestReceived]}")), events
    )

    found = forecast(simulation, ratio=10.0)

    assert found.total.events == pytest.approx(3 * DAY / 3600)
    assert found.total.disk == pytest.approx(found.total.bytes / 10)
    assert found.rules[0].events == found.total.events
    assert any("1.0 hours" in note for note in found.notes)


def test_a_forecast_of_seconds_or_of_nothing_is_refused(policy_of):
    policy = parse(policy_of("- level: Metadata"))

    with pytest.raises(UsageError, match="at least a minute"):
        forecast(
            simulate(
                policy, [pair("pods", "get", at=START), pair("pods", "get", at=START + timedelta(seconds=5))]
            ),
            1.0,
        )
    with pytest.raises(UsageError, match="no events"):
        forecast(simulate(policy, []), 1.0)


def test_compression_is_measured_on_the_events():
    assert compression_ratio([raw_event("pods", "get", at=second) for second in range(200)]) > 5
    assert compression_ratio([]) == 1.0
