"""The pack held against a recorded control plane: an hour of ordinary work, then seventeen attacks, twice."""

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

import anomaly
from anomaly.events.decode import decode_lines
from anomaly.rules import pack
from anomaly.rules.scan import Scan
from anomaly.sources.files import open_source

DEMO = Path(anomaly.__file__).parent / "demo"
CALM_UNTIL = datetime(2026, 11, 23, 10, 46, tzinfo=UTC)
A_DAY = 20
SEEN = (
    *("secrets_enumeration", "exec_into_pods", "privileged_pod", "admin_clusterrolebinding"),
    *("sa_token_creation", "anonymous_probe", "impersonation", "mass_delete", "malicious_cronjob"),
    *("webhook_configuration", "port_forward", "coredns_tamper", "ssar_recon", "static_pod_node_creds"),
    *("audit_id_forgery", "stolen_user_token", "namespace_delete"),
)


@pytest.fixture(scope="module")
def hits():
    """Every match and episode of the pack in the whole log."""
    scan = Scan(pack())
    found = []
    with open_source(DEMO / "audit.jsonl.zst") as file:
        for block in file.blocks():
            found.extend(scan.feed(decode_lines(block.data)))
    found.extend(scan.finish())
    assert scan.events == 51_263
    return found


@pytest.fixture(scope="module")
def scenarios():
    """The runs of each attack, as sets of audit ids."""
    runs = defaultdict(list)
    for line in (DEMO / "labels.jsonl").read_bytes().splitlines():
        row = msgspec.json.decode(line)
        runs[row["scenario"]].append(frozenset(row["auditIDs"]))
    return runs


@pytest.fixture(scope="module")
def calm(hits, scenarios):
    """What was told of the hour before the attacks; an episode that an attack completes is not of that hour."""
    attacks = frozenset().union(*(run for runs in scenarios.values() for run in runs))
    return [
        hit for hit in hits if hit.time < CALM_UNTIL and attacks.isdisjoint({hit.audit_id, *hit.evidence})
    ]


def findings(hits):
    """Matches put together as the product does: one for a rule, group and stretch of time."""
    frames = {one.id: one.timeframe for one in pack().by_id.values()}
    return {(hit.rule, hit.group, int(hit.time.timestamp()) // frames[hit.rule]) for hit in hits}


def test_ordinary_work_stays_within_the_budget(calm):
    assert calm
    assert len(findings(calm)) <= A_DAY
    assert len(findings(hit for hit in calm if hit.severity != "info")) <= 14


def test_components_of_the_cluster_at_their_own_work_are_never_told(calm):
    """Controllers, kubelets, scheduler and API server made two thirds of these events."""
    assert [
        (hit.rule, hit.entity)
        for hit in calm
        if hit.entity_kind in {"node", "system"}
        or hit.entity.startswith("system:serviceaccount:kube-system:")
    ] == []


def test_the_log_holds_the_attacks_looked_for(scenarios):
    assert set(scenarios) == set(SEEN)
    assert all(len(runs) == 2 for runs in scenarios.values())


@pytest.mark.parametrize("scenario", SEEN)
def test_an_attack_is_told_each_time_it_is_tried(scenario, hits, scenarios):
    grave = [hit for hit in hits if hit.severity != "info"]
    for run in scenarios[scenario]:
        rules = {hit.rule for hit in grave if not run.isdisjoint({hit.audit_id, *hit.evidence})}
        assert rules, scenario


@pytest.mark.parametrize("scenario", sorted(set(SEEN) - {"port_forward"}))
def test_an_attack_that_succeeds_is_told_gravely(scenario, hits, scenarios):
    """Port forwards are what engineers do all day; only behaviour tells whose is strange."""
    first = scenarios[scenario][0]
    grave = {"medium", "high", "critical"}
    assert any(hit.severity in grave and not first.isdisjoint({hit.audit_id, *hit.evidence}) for hit in hits)
