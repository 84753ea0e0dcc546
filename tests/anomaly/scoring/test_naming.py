"""Names are chosen from what was done: a Sight is built by hand, with how unusual each term is."""

import pytest

from anomaly.events.identity import EntityKind
from anomaly.scoring.catalogue import CATALOGUE
from anomaly.scoring.evidence import MOST, evidence_of
from anomaly.scoring.naming import name_of
from anomaly.scoring.severity import LEVELS, severity_of
from anomaly.scoring.sight import Sight, Term
from anomaly.scoring.witnesses import WITNESSES
from anomaly.windows.dimension import Dimension as D

BINDING = "create rbac.authorization.k8s.io/clusterrolebindings"
ROLE = "create rbac.authorization.k8s.io/roles"
HOOK = "create admissionregistration.k8s.io/mutatingwebhookconfigurations"
CSR = "update certificates.k8s.io/certificatesigningrequests/approval"
CHECK = "create authorization.k8s.io/selfsubjectaccessreviews"


def sight(*terms, kind=EntityKind.HUMAN, shares=None, values=None):
    """Terms as (dimension, text[, count[, nats]]); unusual by 7 nats unless said otherwise."""
    found = {}
    for dimension, text, *rest in terms:
        count = rest[0] if rest else 1
        strange = rest[1] if len(rest) > 1 else 7.0
        found.setdefault(dimension, []).append(Term(dimension, text, count, strange, strange, strange > 5))
    return Sight(kind, {key: tuple(value) for key, value in found.items()}, shares or {}, values or {})


SECRETS = [(D.SECRET, f"db/s{number}") for number in range(6)]
CASES = [
    ("secrets_accessed", [(D.ACTION, "get secrets"), (D.SECRET, "db/root")]),
    ("secrets_enumerated", [(D.ACTION, "get secrets", 6), *SECRETS]),
    ("role_created", [(D.ACTION, ROLE)]),
    ("role_binding_created", [(D.ACTION, BINDING), (D.GRANT, "role:cluster-admin")]),
    ("exec_in_pod", [(D.ACTION, "get pods/exec", 3), (D.EXEC, "shop/web-0")]),
    ("workload_deployed", [(D.ACTION, "create batch/cronjobs"), (D.IMAGE, "evil/x")]),
    ("workload_privileged", [(D.ACTION, "create pods"), (D.RISK, "privileged")]),
    (
        "workload_sensitive_mount",
        [(D.ACTION, "create pods"), (D.RISK, "hostPath"), (D.RISK, "sensitive-hostPath")],
    ),
    ("permission_checked", [(D.ACTION, CHECK, 30), (D.CHECKED, "get secrets")]),
    ("mass_deletion", [(D.ACTION, "delete pods", 12)]),
    ("objects_deleted", [(D.ACTION, "delete services")]),
    ("namespace_deleted", [(D.ACTION, "delete namespaces")]),
    ("traces_removed", [(D.ACTION, "delete events")]),
    ("denied_probe", [(D.ACTION, "list pods", 9), (D.DENIED, "list pods", 9)]),
    ("impersonation", [(D.ACTION, "list pods"), (D.IMPERSONATED, "system:admin")]),
    ("token_minted", [(D.ACTION, "create serviceaccounts/token")]),
    ("certificate_requested", [(D.ACTION, CSR)]),
    ("account_created", [(D.ACTION, "create serviceaccounts")]),
    ("port_forward", [(D.ACTION, "create pods/portforward")]),
    ("proxy_used", [(D.ACTION, "get nodes/proxy")]),
    ("logs_read", [(D.ACTION, "get pods/log")]),
    ("webhook_changed", [(D.ACTION, HOOK)]),
    ("extension_changed", [(D.ACTION, "create apiextensions.k8s.io/customresourcedefinitions")]),
    ("dns_tampered", [(D.ACTION, "patch configmaps"), (D.NAME, "configmaps kube-system/coredns")]),
    ("config_changed", [(D.ACTION, "patch configmaps"), (D.NAME, "configmaps shop/settings")]),
    ("secret_changed", [(D.ACTION, "patch secrets")]),
    ("node_changed", [(D.ACTION, "patch nodes")]),
    ("credential_moved", [(D.ACTION, "list pods", 3, 0.1), (D.ADDRESS, "9.9.9.9"), (D.AGENT, "curl/8")]),
    ("new_address", [(D.ACTION, "list pods", 3, 0.1), (D.ADDRESS, "9.9.9.9")]),
    ("origin_disguised", [(D.ACTION, "list pods", 3, 0.1), (D.AGENT, "U" * 300)]),
    ("cluster_mapped", [(D.ACTION, "list nodes"), (D.ACTION, "list services")]),
]


@pytest.mark.parametrize(("name", "terms"), CASES, ids=[name for name, _ in CASES])
def test_a_deed_is_named_for_what_it_is(name, terms):
    naming = name_of(sight(*terms))

    assert naming.name.name == name
    assert naming.terms


@pytest.mark.parametrize(
    ("name", "kind", "terms"),
    [
        ("anonymous_probe", EntityKind.ANONYMOUS, [(D.ACTION, "get /.env"), (D.DENIED, "get /.env")]),
        ("node_out_of_scope", EntityKind.NODE, [(D.ACTION, "list secrets"), (D.DENIED, "list secrets")]),
    ],
)
def test_who_did_it_can_be_the_name(name, kind, terms):
    assert name_of(sight(*terms, kind=kind)).name.name == name


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("off_hours", "hours.unusual_hour"),
        ("unusual_errors", "denials.server_errors"),
        ("unusual_volume", "volume.requests"),
    ],
)
def test_numbers_alone_name_it_when_no_deed_is_unusual(name, feature):
    usual = [(D.ACTION, "list pods", 50, 0.1), (D.FAILED, "list pods", 3, 0.1)]

    assert name_of(sight(*usual, shares={feature: 0.8})).name.name == name


def test_usual_deeds_name_nothing():
    terms = [
        (D.ACTION, "get secrets", 5, 0.2),
        (D.ACTION, "get pods/exec", 5, 0.3),
        (D.SECRET, "db/root", 5, 0.0),
    ]

    assert name_of(sight(*terms)).name.name == "unusual_mix"


def test_a_usual_deed_done_far_too_often_is_named_by_its_share_of_the_score():
    terms = [(D.ACTION, "create serviceaccounts/token", 9, 0.2)]
    shares = {"privileges.tokens_minted": 0.4}

    assert name_of(sight(*terms, shares=shares)).name.name == "token_minted"


def test_what_was_refused_stands_below_what_was_done():
    terms = [
        (D.ACTION, BINDING), (D.DENIED, BINDING, 1, 0.0),
        (D.ACTION, "get pods/exec"),
    ]  # fmt: skip

    assert name_of(sight(*terms)).name.name == "exec_in_pod"


def test_reading_a_role_is_not_changing_it():
    terms = [(D.ACTION, "get rbac.authorization.k8s.io/roles")]

    assert name_of(sight(*terms)).name.name != "role_created"


def test_what_else_stands_out_is_said():
    naming = name_of(sight((D.ACTION, BINDING), (D.ACTION, "get pods/exec"), (D.ACTION, "list pods", 1, 0.1)))

    assert naming.name.name == "role_binding_created"
    assert [other.name for other, _ in naming.also] == ["exec_in_pod"]


def test_every_name_has_its_witness():
    assert set(CATALOGUE) - set(WITNESSES) == {"unusual_mix"}
    assert set(WITNESSES) <= set(CATALOGUE)


def test_every_name_has_a_title_a_technique_and_a_known_severity():
    for name in CATALOGUE.values():
        assert name.title
        assert name.severity in LEVELS
        assert all(technique[0] == "T" and technique[1:5].isdigit() for technique in name.attack)
        assert name.attack


@pytest.mark.parametrize(
    ("expected", "terms"),
    [
        pytest.param("medium", [(D.ACTION, BINDING)], id="an ordinary binding"),
        pytest.param(
            "high", [(D.ACTION, BINDING), (D.GRANT, "role:cluster-admin")], id="power over the cluster"
        ),
        pytest.param("low", [(D.ACTION, BINDING), (D.DENIED, BINDING, 1, 0.0)], id="refused"),
        pytest.param("low", [(D.ACTION, "patch configmaps")], id="a setting"),
        pytest.param(
            "medium",
            [(D.ACTION, "patch configmaps"), (D.TARGET, "configmaps @kube-system")],
            id="of the system",
        ),
        pytest.param(
            "low",
            [(D.ACTION, "patch configmaps"), (D.TARGET, "configmaps @kube-system", 1, 0.1)],
            id="as always",
        ),
        pytest.param("high", [(D.ACTION, "create pods"), (D.RISK, "privileged")], id="privileged"),
        pytest.param(
            "critical",
            [(D.ACTION, "create pods"), (D.RISK, "privileged"), (D.RISK, "hostPID")],
            id="several ways to the node",
        ),
    ],
)
def test_severity_follows_what_was_done(expected, terms):
    seen = sight(*terms)

    assert severity_of(name_of(seen), seen) == expected


def test_severity_does_not_follow_the_score():
    seen = sight((D.ACTION, "list pods", 900, 0.1), shares={"volume.requests": 1.0})

    assert severity_of(name_of(seen), seen) == "low"


def test_evidence_is_the_terms_that_speak_for_the_name():
    seen = sight((D.ACTION, "list pods", 9, 0.1), (D.ACTION, BINDING), (D.GRANT, "role:cluster-admin"))
    evidence = evidence_of(name_of(seen), seen)

    assert evidence[0] == (D.ACTION, BINDING)
    assert (D.ACTION, "list pods") not in evidence


def test_evidence_is_bounded():
    seen = sight((D.ACTION, "get secrets", 90), *[(D.SECRET, f"db/s{number}") for number in range(90)])

    assert len(evidence_of(name_of(seen), seen)) <= MOST
