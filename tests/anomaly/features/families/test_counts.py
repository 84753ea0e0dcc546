"""Families that look at one window alone: each feature with what moves it and what leaves it at rest."""

import pytest

from anomaly.events.decode import decode_lines
from anomaly.features.history import History, Past
from anomaly.features.registry import definitions
from anomaly.features.split import split
from anomaly.testing import raw_event
from anomaly.windows.memory import gather

HOUR = 3_600_000_000
ISSUED = {"authentication.kubernetes.io/issued-credential-id": "JTI=1"}
PRIVILEGED = {
    "spec": {"containers": [{"image": "evil.example/x:1", "securityContext": {"privileged": True}}]}
}
PLAIN = {"spec": {"containers": [{"image": "nginx:1"}]}}
ADMIN = {
    "roleRef": {"kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": "eve"}],
}
VIEW = {"roleRef": {"kind": "ClusterRole", "name": "view"}, "subjects": [{"kind": "User", "name": "amy"}]}
BINDING = "rbac.authorization.k8s.io/clusterrolebindings"
CHECK = "authorization.k8s.io/selfsubjectaccessreviews"
WEBHOOK = "admissionregistration.k8s.io/mutatingwebhookconfigurations"
E = raw_event


def value(name, events):
    memory = gather(decode_lines(b"\n".join(events)), HOUR)
    assert memory.windows.n == 1
    windows = split(memory.windows)
    definition = next(each for each in definitions() if each.feature.name == name)
    past = Past(History.none(), windows)
    return float(
        (definition.compute(windows, past) if definition.needs_past else definition.compute(windows))[0]
    )


def times(count, *args, **fields):
    return [E(*args, at=number, **fields) for number in range(count)]


def named(count, resource, verb, **fields):
    return [E(resource, verb, name=f"o{number}", at=number, **fields) for number in range(count)]


FIRING = [
    ("volume.requests", times(4, "pods", "list"), 4),
    ("volume.objects", named(3, "pods", "get"), 3),
    ("volume.active_minutes", [E(at=0), E(at=61), E(at=62)], 2),
    ("volume.repeated_most", [*times(3, "pods", "list"), E("secrets", "list", at=9)], 3),
    ("volume.streams_opened", [E("pods", "watch", stage="ResponseStarted"), E("pods", "list")], 1),
    ("verbs.gets", named(2, "pods", "get"), 2),
    ("verbs.lists", times(2, "pods", "list"), 2),
    ("verbs.watches", times(2, "pods", "watch"), 2),
    ("verbs.creates", times(2, "pods", "create"), 2),
    ("verbs.changes", [E("pods", "patch"), E("pods", "update", at=1)], 2),
    ("verbs.write_share", times(8, "pods", "create"), 8),
    ("verbs.kinds_of_verb", [E("pods", "get"), E("pods", "list", at=1)], 2),
    ("verbs.kinds_of_write", [E("pods", "delete"), E("pods", "create", at=1), E("pods", "get", at=2)], 2),
    ("resources.kinds", [E("pods"), E("services", at=1)], 2),
    ("resources.namespaces", [E(namespace="a"), E(namespace="b", at=1)], 2),
    ("resources.places", [E(namespace="a"), E(namespace="b", at=1)], 2),
    ("resources.system_namespaces", times(2, "pods", "list", namespace="kube-system"), 2),
    ("resources.actions", [E("pods", "get"), E("pods", "list", at=1)], 2),
    ("resources.sensitive_requests", [E("secrets", "get", name="a"), E("pods/exec", "get", at=1)], 2),
    ("resources.sensitive_actions", times(3, "secrets", "list"), 1),
    ("resources.kinds_written", [E("pods", "create"), E("services", "delete", at=1)], 2),
    ("resources.settings_written", [E("configmaps", "patch", name="a")], 1),
    ("resources.cluster_settings_written", [E(WEBHOOK, "create", namespace="")], 1),
    ("resources.paths", [E("/metrics"), E("/version", at=1)], 2),
    ("denials.denied", times(3, "pods", "list", code=403), 3),
    ("denials.denied_actions", [E("pods", "list", code=403), E("pods", "get", code=403, at=1)], 2),
    ("denials.denied_share", times(8, "pods", "list", code=403), 8),
    ("denials.denied_sensitive", [E("secrets", "list", code=403), E("pods", "list", code=403, at=1)], 1),
    ("denials.unauthenticated", [E(by="", code=401, stage="ResponseStarted")], 1),
    ("denials.failed", times(2, "pods", "get", code=500), 2),
    ("denials.failed_actions", [E("pods", "get", code=404), E("secrets", "get", code=404, at=1)], 2),
    ("denials.absent", times(2, "pods", "get", code=404), 2),
    ("denials.conflicts", times(2, "pods", "create", code=409), 2),
    ("denials.server_errors", times(2, "pods", "get", code=503), 2),
    ("secrets.reads", named(3, "secrets", "get"), 3),
    ("secrets.different", named(3, "secrets", "get"), 3),
    ("secrets.lists", [E("secrets", "list")], 1),
    (
        "secrets.places",
        [E("secrets", "list", namespace="a", code=403), E("secrets", "list", namespace="b", at=1)],
        2,
    ),
    ("secrets.refused", times(2, "secrets", "list", code=403), 2),
    ("secrets.writes", [E("secrets", "patch", name="a")], 1),
    ("secrets.once_each", named(8, "secrets", "get"), 8),
    ("entering.execs", [E("pods/exec", "get", name="w"), E("pods/attach", "create", name="w", at=1)], 2),
    ("entering.pods_entered", named(3, "pods/exec", "create"), 3),
    ("entering.forwards", [E("pods/portforward", "create", name="w")], 1),
    ("entering.proxied", [E("nodes/proxy", "get", name="n", namespace="")], 1),
    ("entering.logs", [E("pods/log", "get", name="w")], 1),
    ("entering.opened", [E("pods/exec", "get", name="w", stage="ResponseStarted"), E("pods", at=1)], 1),
    ("entering.refused", [E("pods/exec", "create", name="w", code=403)], 1),
    ("privileges.roles_written", [E("rbac.authorization.k8s.io/roles", "create")], 1),
    ("privileges.bindings_written", [E(BINDING, "create", namespace="")], 1),
    ("privileges.powerful_grants", [E(BINDING, "create", namespace="", body=ADMIN)], 1),
    ("privileges.grants", [E(BINDING, "create", namespace="", body=ADMIN)], 2),
    ("privileges.impersonations", times(2, "pods", "list", acting_as="boss"), 2),
    ("privileges.acted_as", [E(acting_as="boss"), E(acting_as="chief", at=1)], 2),
    ("privileges.acted_as_system", [E(acting_as="system:admin")], 1),
    ("privileges.tokens_minted", [E("serviceaccounts/token", "create", name="x")], 1),
    ("privileges.certificates", [E("certificates.k8s.io/certificatesigningrequests/approval", "update")], 1),
    ("privileges.accounts_written", [E("serviceaccounts", "create", name="x")], 1),
    ("workloads.written", [E("apps/deployments", "patch", name="x")], 1),
    ("workloads.lasting_created", [E("batch/cronjobs", "create", name="x")], 1),
    ("workloads.risks", [E("pods", "create", name="x", body=PRIVILEGED)], 1),
    ("workloads.node_taking", [E("pods", "create", name="x", body=PRIVILEGED)], 1),
    ("workloads.node_taking_kinds", [E("pods", "create", name="x", body=PRIVILEGED)], 1),
    ("workloads.images", [E("pods", "create", name="x", body=PRIVILEGED)], 1),
    ("workloads.registries", [E("pods", "create", name="x", body=PRIVILEGED)], 1),
    ("discovery.checks", times(3, CHECK, "create", namespace=""), 3),
    (
        "discovery.permissions_asked",
        [
            E(
                CHECK,
                "create",
                at=n,
                body={"spec": {"resourceAttributes": {"verb": verb, "resource": "secrets"}}},
            )
            for n, verb in enumerate(("get", "list"))
        ],
        2,
    ),
    ("discovery.kinds_listed", [E("pods", "list"), E("secrets", "list", at=1)], 2),
    ("discovery.cluster_wide", [E("pods", "list", namespace=""), E("nodes", "list", namespace="", at=1)], 2),
    (
        "discovery.map_reads",
        [E("namespaces", "list", namespace=""), E("nodes", "list", namespace="", at=1)],
        2,
    ),
    ("discovery.schema_reads", [E("/openapi/v3"), E("/version", at=1)], 2),
    ("deletion.tried", times(3, "pods", "delete", name="x"), 3),
    ("deletion.places", [E("pods", "delete", name="x"), E("services", "delete", name="x", at=1)], 2),
    ("deletion.collections", [E("pods", "deletecollection")], 1),
    ("deletion.namespaces", [E("namespaces", "delete", name="x", namespace="")], 1),
    ("deletion.traces", [E("events", "deletecollection")], 1),
    ("origins.addresses", [E(address="10.0.0.1"), E(address="10.0.0.2", at=1)], 2),
    ("origins.claimed", [E(sourceIPs=["1.2.3.4", "10.0.0.1"])], 1),
    ("origins.claims_share", [E(sourceIPs=["1.2.3.4", "10.0.0.1"], at=n) for n in range(8)], 8),
    ("origins.agents", [E(agent="a/1"), E(agent="b/1", at=1)], 2),
    ("origins.scripted_agents", [E(agent="curl/8.1"), E(agent="kubectl/v1", at=1)], 1),
    ("origins.overlong_agents", [E(agent="U" * 300)], 1),
    ("rhythm.busiest_minute", [E(at=0), E(at=1), E(at=61)], 2),
    ("rhythm.burst", [*times(9, "pods", "list"), E(at=61)], 1.8),
    ("credentials.tokens_issued", [E("serviceaccounts/token", "create", name="x", annotations=ISSUED)], 1),
    (
        "credentials.different",
        [E(at=n, extra={"authentication.kubernetes.io/credential-id": [f"JTI={n}"]}) for n in range(2)],
        2,
    ),
]


@pytest.mark.parametrize(("name", "events", "expected"), FIRING, ids=[case[0] for case in FIRING])
def test_it_counts_what_it_says(name, events, expected):
    assert value(name, events) == pytest.approx(expected)


QUIET = [
    ("verbs.write_share", times(8, "pods", "list")),
    ("resources.system_namespaces", times(2, "pods", "list", namespace="shop")),
    ("resources.sensitive_requests", times(2, "pods", "list")),
    ("resources.settings_written", [E("configmaps", "get", name="a")]),
    ("resources.cluster_settings_written", [E(WEBHOOK, "list", namespace="")]),
    ("denials.denied", times(2, "pods", "get", code=404)),
    ("denials.failed", times(2, "pods", "get", code=403)),
    ("denials.denied_sensitive", times(2, "pods", "list", code=403)),
    ("secrets.reads", times(2, "secrets", "list", code=403)),
    ("secrets.different", [E("secrets", "list")]),
    ("secrets.once_each", [*named(2, "secrets", "get")]),
    ("secrets.writes", named(2, "secrets", "get")),
    ("entering.execs", [E("pods/log", "get", name="w")]),
    ("entering.opened", [E("pods", "watch", stage="ResponseStarted"), E("pods", at=1)]),
    ("privileges.bindings_written", [E(BINDING, "list", namespace="")]),
    ("privileges.powerful_grants", [E(BINDING, "create", namespace="", body=VIEW)]),
    ("privileges.impersonations", times(2, "pods", "list")),
    ("privileges.acted_as_system", [E(acting_as="amy")]),
    ("privileges.tokens_minted", [E("serviceaccounts", "get", name="x")]),
    ("workloads.node_taking", [E("pods", "create", name="x", body=PLAIN)]),
    ("workloads.lasting_created", [E("pods", "create", name="x", body=PLAIN)]),
    ("discovery.checks", [E("authorization.k8s.io/subjectaccessreviews", "create")]),
    ("discovery.cluster_wide", times(2, "pods", "list")),
    ("deletion.collections", [E("pods", "delete", name="x")]),
    ("deletion.places", [E("pods", "delete", name="x", code=403)]),
    ("deletion.traces", [E("pods", "delete", name="x")]),
    ("origins.claimed", times(2, "pods", "list")),
    ("origins.scripted_agents", [E(agent="kubectl/v1.30")]),
    ("origins.overlong_agents", [E(agent="U" * 200)]),
    ("rhythm.spread", times(9, "pods", "list")),
    ("variety.of_actions", times(9, "pods", "list")),
    ("variety.of_objects", [E("pods", "get", name="x"), E("pods", "get", name="x", at=1)]),
]


@pytest.mark.parametrize(("name", "events"), QUIET, ids=[case[0] for case in QUIET])
def test_it_stays_at_rest(name, events):
    assert value(name, events) == 0.0


@pytest.mark.parametrize(
    ("name", "even", "narrow"),
    [
        ("variety.of_actions", [E("pods", "get"), E("services", "get", at=1)], times(2, "pods", "get")),
        ("variety.of_places", [E(namespace="a"), E(namespace="b", at=1)], times(2, "pods", "get")),
        ("variety.of_objects", named(4, "pods", "get"), times(4, "pods", "get", name="x")),
        ("variety.of_answers", [E(code=200), E(code=404, at=1)], times(2, "pods", "get")),
        ("variety.objects_each", named(4, "pods", "get"), times(4, "pods", "get", name="x")),
        ("rhythm.spread", [E(at=0), E(at=61)], [E(at=0), E(at=1)]),
        ("volume.bytes_logged", [E(body={"data": "x" * 4000})], [E(body={"data": "x"})]),
        ("volume.bytes_each", [E(body={"data": "x" * 4000})], [E(body={"data": "x"})]),
    ],
)
def test_the_wider_one_is_larger(name, even, narrow):
    assert value(name, even) > value(name, narrow)
