import pytest

from anomaly.policy.cis import judge
from anomaly.policy.diff import diff
from anomaly.policy.parse import parse
from anomaly.policy.probes import everything

METADATA = "- level: Metadata"


@pytest.fixture
def changes(policy_of):
    def of(before, after):
        asked = [("", request, None) for request in everything()]
        return diff(parse(policy_of(before)), parse(policy_of(after)), asked)

    return of


def failing(policy_of, rules):
    return [(check.target, check.verb) for check in judge(parse(policy_of(rules))) if not check.passed]


def test_metadata_for_all_satisfies_cis(policy_of):
    assert failing(policy_of, METADATA) == []


def test_naming_the_resources_after_a_rule_that_drops_them_does_not_satisfy_cis(policy_of):
    named = "- {level: Metadata, resources: [{group: '', resources: [secrets, configmaps, pods]}]}"
    checks = judge(parse(policy_of(f"- level: None\n{named}")))

    assert not any(check.passed for check in checks)
    assert all(check.rule == 0 and check.request for check in checks if check.control == "3.2.2")


def test_bodies_of_config_maps_fail_verb_by_verb(policy_of):
    rules = "- {level: Request, verbs: [patch], resources: [{group: '', resources: [configmaps]}]}\n- {level: Metadata}"

    assert failing(policy_of, rules) == [("configmaps", "patch")]


def test_an_exec_dropped_as_a_read_fails_with_the_request_shown(policy_of):
    rules = (
        "- {level: None, verbs: [get], resources: [{group: '', resources: ['pods/*']}]}\n- {level: Metadata}"
    )
    failed = [check for check in judge(parse(policy_of(rules))) if not check.passed]

    assert {(check.target, check.verb) for check in failed} >= {
        ("pods/exec", "get"),
        ("pods/portforward", "get"),
    }
    assert failed[0].request.startswith("get pods/")


def test_a_rule_for_one_namespace_only_is_found_out(policy_of):
    assert ("secrets", "get") in failing(
        policy_of, "- {level: None, namespaces: [kube-system]}\n- {level: Metadata}"
    )


def test_text_that_means_the_same_is_no_change(changes):
    assert changes(METADATA, "- {level: Metadata, verbs: [get]}\n- {level: Metadata}") == []


def test_a_changed_level_is_named_with_both_rules(changes):
    found = changes(METADATA, "- {level: None, verbs: [list]}\n- {level: Metadata}")

    assert {change.request.verb for change in found} == {"list"}
    assert {change.kind for change in found} == {"Metadata to None"}
    assert {(change.before.rule, change.after.rule) for change in found} == {(0, 0)}


def test_stages_and_managed_fields_are_changes_too(changes):
    assert {
        change.kind for change in changes(METADATA, "- {level: Metadata, omitStages: [RequestReceived]}")
    } == {"stages"}
    assert {
        change.kind for change in changes("- level: Request", "- {level: Request, omitManagedFields: true}")
    } == {"managedFields"}
    assert changes(METADATA, "- {level: Metadata, omitManagedFields: true}") == []
