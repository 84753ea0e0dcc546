import pkgutil

import pytest

from anomaly.features import families as feature_families
from anomaly.policy.coverage import Sight, coverage
from anomaly.policy.document import Level
from anomaly.policy.families import families
from anomaly.policy.need import ANY, Need, of_rules
from anomaly.policy.parse import parse
from anomaly.rules import pack
from anomaly.rules.needs import needs


@pytest.fixture
def sights(policy_of):
    def of(rules, *wanted):
        return {found.owner: found for found in coverage(parse(policy_of(rules)), wanted)}

    return of


EXEC = Need("exec", "pods", subresource="exec", verbs=("get", "create"))
BODIES = Need("workloads", "pods", verbs=("create",), some=Level.METADATA, whole=Level.REQUEST)
BODIES_ONLY = Need("privileged", "pods", verbs=("create",), some=Level.REQUEST, whole=Level.REQUEST)
ABSENCE = Need(
    "no-tls",
    "ingresses",
    "networking.k8s.io",
    verbs=("create",),
    whole=Level.REQUEST,
    blind_at=frozenset({Level.METADATA}),
)


def test_metadata_for_all_sees_exec_but_no_bodies(sights):
    found = sights("- level: Metadata", EXEC, BODIES, BODIES_ONLY, ABSENCE)

    expected = {"exec": Sight.ALL, "workloads": Sight.PART, "privileged": Sight.BLIND, "no-tls": Sight.ALWAYS}
    assert expected == {owner: item.sight for owner, item in found.items()}


def test_dropping_reads_leaves_half_of_exec_and_names_the_request(sights):
    found = sights("- {level: None, verbs: [get, list, watch]}\n- {level: Request}", EXEC)["exec"]

    assert (found.sight, found.seen, found.asked) == (Sight.PART, 2, 4)
    assert "get pods/exec" in found.gaps[0].sentence
    assert "None by rules[0], needs Metadata" in found.gaps[0].sentence


def test_a_rule_about_absence_is_blind_not_firing_when_nothing_is_written(sights):
    assert sights("- {level: None}\n- {level: Metadata}", ABSENCE)["no-tls"].sight is Sight.BLIND


def test_a_needed_stage_that_is_omitted_is_a_gap(sights):
    opened = Need("opened", "pods", subresource="exec", verbs=("get",), stages=("ResponseStarted",))

    assert sights("- {level: Metadata, omitStages: [ResponseStarted]}", opened)["opened"].sight is Sight.BLIND
    assert sights("- {level: Metadata, omitStages: [RequestReceived]}", opened)["opened"].sight is Sight.ALL


def test_needs_of_any_resource_stand_for_usual_ones_and_follow_the_group():
    assert ("apps", "deployments") in Need("x", ANY, ANY).targets
    assert Need("x", ANY, "batch").targets == (("batch", "jobs"), ("batch", "cronjobs"))
    assert Need("x", "secrets", ANY).targets == (("", "secrets"),)
    assert all(path.startswith("/") for _, path in Need("x", "").targets)


def test_every_feature_family_states_its_needs():
    modules = {info.name for info in pkgutil.iter_modules(feature_families.__path__)}

    assert {need.owner for need in families()} == modules


def test_the_whole_pack_sees_all_when_everything_is_written_and_nothing_when_nothing_is():
    stated = [*of_rules(needs(pack())), *families()]
    everything = parse(b"apiVersion: audit.k8s.io/v1\nrules: [{level: RequestResponse}]")
    nothing = parse(b"apiVersion: audit.k8s.io/v1\nrules: [{level: None}]")

    assert {found.sight for found in coverage(everything, stated)} == {Sight.ALL}
    assert {found.sight for found in coverage(nothing, stated)} == {Sight.BLIND}


def test_metadata_for_all_blinds_the_rules_that_read_bodies():
    found = {
        item.owner: item.sight
        for item in coverage(
            parse(b"apiVersion: audit.k8s.io/v1\nrules: [{level: Metadata}]"), of_rules(needs(pack()))
        )
    }

    assert found["privileged-workload"] is Sight.BLIND
    assert found["exec-into-pod"] is Sight.ALL
