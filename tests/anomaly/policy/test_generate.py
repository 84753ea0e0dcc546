import pytest

from anomaly.policy.cis import judge
from anomaly.policy.coverage import Sight, coverage
from anomaly.policy.document import Level
from anomaly.policy.families import families
from anomaly.policy.generate import Confidential, generate
from anomaly.policy.lint import lint
from anomaly.policy.match import decide
from anomaly.policy.need import ANY, Need, exists, of_rules
from anomaly.policy.parse import parse
from anomaly.policy.probes import NODE, ask
from anomaly.policy.remark import Severity
from anomaly.rules import pack
from anomaly.rules.needs import needs

EVERYTHING = [*of_rules(needs(pack())), *families()]


def readers_of(*confidential):
    """Who needs bodies of these, by what they state."""
    cells = {one.cell for one in confidential}
    return {
        need.owner
        for need in EVERYTHING
        if need.whole.rank > Level.METADATA.rank and cells & set(need.targets)
    }


def test_the_policy_for_the_whole_pack_keeps_all_but_what_confidential_bodies_show():
    made = generate(EVERYTHING)

    assert readers_of(Confidential.SECRETS) and readers_of(Confidential.CONFIG_MAPS)
    assert {found.owner for found in made.unmet} == set(made.withheld) == readers_of(*Confidential)
    assert made.policy == parse(made.text.encode())


def test_the_policy_for_the_whole_pack_has_no_trap_and_passes_cis():
    made = generate(EVERYTHING)

    assert [remark for remark in lint(made.text.encode()) if remark.severity is Severity.ERROR] == []
    assert [check for check in judge(made.policy) if not check.passed] == []


@pytest.mark.parametrize("opened", Confidential)
def test_confidential_bodies_that_are_asked_for_are_written_where_they_are_read_and_no_others(opened):
    made = generate(EVERYTHING, bodies_of=[opened])
    others = [one for one in Confidential if one is not opened]

    assert {found.owner for found in made.unmet} == set(made.withheld) == readers_of(*others)
    failed = {(check.target, check.verb) for check in judge(made.policy) if not check.passed}
    read = {
        verb
        for need in EVERYTHING
        if need.whole.rank > Level.METADATA.rank and opened.cell in need.targets
        for verb in need.verbs
    }
    judged = {check.target for check in judge(made.policy)}
    assert failed == {(opened.value, verb) for verb in read if opened.value in judged}


def test_with_all_confidential_bodies_the_whole_pack_sees_all():
    assert generate(EVERYTHING, bodies_of=list(Confidential)).unmet == ()


def test_no_access_to_secrets_becomes_chatter_when_their_bodies_are_written():
    greedy = [Need("greedy", ANY, ANY, whole=Level.REQUEST)]
    closed, opened = generate(greedy), generate(greedy, bodies_of=[Confidential.SECRETS])
    scheduler = type(NODE)("system:kube-scheduler", ("system:authenticated",))

    assert decide(closed.policy, ask("create", "secrets")).level is Level.METADATA
    assert closed.withheld == {"greedy": ("configmaps", "secrets")}
    assert decide(opened.policy, ask("create", "secrets")).level is Level.REQUEST
    assert decide(opened.policy, ask("list", "secrets", scheduler)).level is Level.REQUEST
    assert decide(opened.policy, ask("create", "configmaps")).level is Level.METADATA


def test_bodies_in_one_api_group_do_not_raise_everything_else():
    made = generate(
        [Need("all", ANY, ANY), Need("rbac", ANY, "rbac.authorization.k8s.io", whole=Level.REQUEST)]
    )

    assert decide(made.policy, ask("update", "widgets", group="example.com")).level is Level.METADATA
    assert (
        decide(made.policy, ask("update", "clusterroles", group="rbac.authorization.k8s.io")).level
        is Level.REQUEST
    )
    assert made.unmet == ()


def test_a_target_exists_only_in_groups_that_can_serve_it():
    assert exists("", "pods", "exec")
    assert exists("metrics.k8s.io", "pods", "")
    assert exists("extension.example.com", "pods", "anything")
    assert exists("rbac.authorization.k8s.io", "widgets", "")
    assert not exists("rbac.authorization.k8s.io", "pods", "")
    assert not exists("", "pods", "token")


def test_secrets_are_never_written_with_bodies_and_the_owner_is_told():
    made = generate([Need("greedy", "secrets", verbs=("get",), whole=Level.REQUEST_RESPONSE)])

    assert decide(made.policy, ask("get", "secrets")).level is Level.METADATA
    assert [found.owner for found in made.unmet] == ["greedy"]


def test_only_what_is_needed_is_written():
    made = generate([Need("exec", "pods", subresource="exec", verbs=("get", "create"))])

    assert decide(made.policy, ask("get", "pods/exec")).level is Level.METADATA
    assert decide(made.policy, ask("get", "pods")).level is Level.NONE
    assert made.unmet == ()


def test_chatter_is_left_out_unless_somebody_needs_it():
    lease = ask("update", "leases", NODE, group="coordination.k8s.io", namespace="kube-node-lease")
    nodes = Need("nodes", "leases", "coordination.k8s.io", verbs=("update",), actors=(NODE,))
    usual = generate([Need("all", ANY, ANY)])
    counting = generate([Need("all", ANY, ANY), nodes])

    assert decide(usual.policy, lease).level is Level.NONE
    assert decide(counting.policy, lease).level is Level.METADATA
    assert counting.unmet == ()


def test_a_patch_with_body_keeps_its_request_received():
    made = generate([Need("w", "pods", verbs=("create", "patch"), whole=Level.REQUEST)])

    assert "RequestReceived" not in decide(made.policy, ask("patch", "pods")).omit_stages
    assert "RequestReceived" in decide(made.policy, ask("create", "pods")).omit_stages


def test_the_sink_s_own_requests_are_left_out_but_nothing_else_it_does():
    sink = "system:serviceaccount:anomaly:anomaly"
    made = generate([Need("all", ANY, ANY)], sink=sink)
    actor = type(NODE)(sink, ("system:authenticated",))

    assert decide(made.policy, ask("create", "tokenreviews", actor, group="authentication.k8s.io")).rule == 0
    assert decide(made.policy, ask("get", "namespaces", actor)).level is Level.NONE
    assert decide(made.policy, ask("list", "secrets", actor)).level is Level.METADATA


def test_every_rule_says_why_it_is_there():
    lines = generate(EVERYTHING).text.splitlines()

    for number, line in enumerate(lines):
        if line.startswith("  - level:"):
            assert lines[number - 1].startswith("  # ")


def test_a_generated_policy_is_cheaper_than_everything_at_the_needed_level():
    made = generate(
        [
            Need("all", ANY, ANY),
            Need("rbac", "roles", "rbac.authorization.k8s.io", verbs=("create",), whole=Level.REQUEST),
        ]
    )

    assert decide(made.policy, ask("get", "pods")).level is Level.METADATA
    assert coverage(made.policy, [Need("all", ANY, ANY)])[0].sight is Sight.ALL
