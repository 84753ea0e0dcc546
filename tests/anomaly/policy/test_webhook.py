import pytest
from ruamel.yaml import YAML

from anomaly.errors import UsageError
from anomaly.policy.flags import flags_from, lint_flags
from anomaly.policy.kubeconfig import NO_CONFIGURATION, lint_kubeconfig
from anomaly.policy.remark import Severity
from anomaly.policy.webhook import FLAGS, Sink, kubeconfig

SOUND = Sink("https://sink.corp:9443", "lab", certificate="/a/b.crt", key="/a/b.key")


def ids(remarks):
    return {remark.id for remark in remarks}


def test_the_generated_files_have_no_mistakes():
    assert lint_kubeconfig(kubeconfig(SOUND).encode()) == []
    assert lint_flags("\n".join(FLAGS)) == []


def test_the_cluster_goes_into_the_path_and_nothing_escapes_its_quotes():
    text = kubeconfig(Sink("https://sink.corp:9443/a", 'lab"\n  x: y/../z', token='t"\nx'))

    assert "https://sink.corp:9443/a/v1/clusters/lab%22%0A%20%20x%3A%20y%2F..%2Fz/audit" in text
    assert '      token: "t\\"\\nx"' in text
    assert ids(lint_kubeconfig(text.encode())) == {"token-in-file"}


@pytest.mark.parametrize(
    "sink",
    [
        Sink("http://sink"),
        Sink("https://sink/?cluster=lab"),
        Sink("sink:9443"),
        Sink("https://["),
        Sink("https://sink:0"),
        Sink("https://user:password@sink"),
        Sink("https://sink/#lab"),
        Sink("https://sink", certificate="/a"),
    ],
)
def test_what_would_lose_events_is_not_generated(sink):
    with pytest.raises(UsageError):
        kubeconfig(sink)


@pytest.mark.parametrize(
    "token", ["true", "NULL", "y", "12", "a: b", "#x", "-", "~", "\u2028", "anomaly_ab-c+/="]
)
def test_any_token_arrives_as_text(token):
    text = kubeconfig(Sink("https://sink", "lab", token=token))

    assert YAML(typ="safe").load(text)["users"][0]["user"] == {"token": token}


def test_certificates_can_be_embedded_and_plain_http_has_none():
    embedded = YAML(typ="safe").load(kubeconfig(Sink("https://sink", "lab", authority_pem=b"PEM")))
    plain = YAML(typ="safe").load(kubeconfig(Sink("http://localhost:8080/", "lab"), plain=True))

    assert embedded["clusters"][0]["cluster"] == {
        "server": "https://sink/v1/clusters/lab/audit",
        "certificate-authority-data": "UEVN",
    }
    assert plain["clusters"][0]["cluster"] == {"server": "http://localhost:8080/v1/clusters/lab/audit"}


MISTAKES = [
    ("server: https://sink.corp:9443/v1/clusters/lab/audit", "server: https://sink.corp:9443/audit?cluster=lab", "query-dropped"),
    ("https://sink.corp:9443/v1/clusters/lab/audit", "http://sink.corp:9443/audit", "plain-http"),
    ("https://sink.corp:9443/v1/clusters/lab/audit", "sink.corp:9443", "server-url"),
    ("https://sink.corp:9443/v1/clusters/lab/audit", '"https://["', "server-url"),
    ("https://sink.corp:9443/v1/clusters/lab/audit", "https://user:secret@sink.corp/audit", "password-in-url"),
    ("sink.corp:9443/v1/clusters/lab/audit", "kubernetes.default.svc/api/v1/namespaces/a/services/b/proxy/audit", "delivery-loop"),
    ("sink.corp:9443/v1/clusters/lab/audit", "10.0.0.1:6443/api/v1/namespaces/a/services/b/proxy/audit", "delivery-loop"),
    ("sink.corp", "anomaly.anomaly.svc", "cluster-name"),
    ("certificate-authority: /etc/kubernetes/audit/ca.crt", "insecure-skip-tls-verify: true", "no-verification"),
    ("      certificate-authority: /etc/kubernetes/audit/ca.crt\n", "", "no-authority"),
    ("certificate-authority: /etc", "certificateAuthority: /etc", "unknown-field"),
    ("certificate-authority: /etc/kubernetes/audit/ca.crt", "certificate-authority-data: AAAA", "not-encoded"),
    ("      client-key: /a/b.key\n", "", "half-a-credential"),
    ("      client-certificate: /a/b.crt\n      client-key: /a/b.key\n", "      namespace: x\n", "no-credentials"),
    ("client-key: /a/b.key", "client-key: b.key", "relative-path"),
    ("/a/b.key", "/path/to/client.key", "placeholder"),
    ("current-context: audit", "current-context: audti", "no-configuration"),
    ("current-context: audit", "", "no-configuration"),
    ("clusters:", "\tclusters:", "refused"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("right", "wrong", "id"), MISTAKES, ids=[f"{id}-{n}" for n, (_, _, id) in enumerate(MISTAKES)]
)
def test_each_mistake_in_a_kubeconfig_is_named(right, wrong, id):
    text = kubeconfig(SOUND)
    assert right in text

    assert id in ids(lint_kubeconfig(text.replace(right, wrong).encode()))


def test_a_misspelt_context_is_met_with_the_right_one():
    remarks = lint_kubeconfig(
        kubeconfig(SOUND).replace("current-context: audit", "current-context: audti").encode()
    )

    assert remarks[0].remedy == "did you mean audit?"
    assert NO_CONFIGURATION in remarks[0].says


@pytest.mark.parametrize("name", ["webhook-as-printed.yaml", "webhook-indented.yaml"])
def test_every_mistake_of_the_seed_article_is_named(recording, name):
    remarks = lint_kubeconfig((recording.seed / name).read_bytes(), name)

    ignored = next(remark for remark in remarks if remark.id == "unknown-field")
    assert "tls-client-config" in ignored.says
    assert "x509" in ignored.effect
    assert "certificate-authority" in ignored.remedy
    assert {"placeholder", "no-authority"} <= ids(remarks)
    lost = [remark for remark in remarks if remark.id == "indentation-lost"]
    assert bool(lost) is (name == "webhook-as-printed.yaml")
    assert all(NO_CONFIGURATION in remark.effect for remark in lost)


@pytest.mark.parametrize(
    "data", [b"", b"5", b"[]", b"a: &a [*a]", b"x" * (2 << 20), b"clusters: 5\nusers: {}\ncontexts: [1]"]
)
def test_what_is_no_kubeconfig_is_refused_in_words(data):
    remarks = lint_kubeconfig(data)

    assert remarks[0].severity is Severity.ERROR


MANIFEST = """spec:
  containers:
    - command:
        - kube-apiserver
        - --audit-policy-file=/etc/p.yaml
        - "--audit-log-path=/var/log/audit.log"
        - --audit-log-maxage 30
"""


def test_flags_are_found_in_a_manifest_with_their_lines():
    assert flags_from(MANIFEST) == {
        "audit-policy-file": ("/etc/p.yaml", 5),
        "audit-log-path": ("/var/log/audit.log", 6),
        "audit-log-maxage": ("30", 7),
    }
    assert lint_flags(MANIFEST) == []


MISTAKEN_FLAGS = [
    ("--audit-log-format json.k8s", "refused", 'invalid audit log format json.k8s, allowed formats are "legacy,json"'),
    ("--audit-log-mode=async", "refused", 'invalid audit log mode async, allowed modes are "batch,blocking,blocking-strict"'),
    ("--audit-webhook-version=audit.k8s.io/v1beta1", "refused", "no version"),
    ("--audit-log-format=legacy", "legacy-format", "legacy"),
    ("--audit-dynamic-configuration", "unknown-flag", "unknown flag"),
    ("--audit-polcy-file=x", "unknown-flag", "unknown flag"),
    ("--audit-webhook-config-file=/w.yaml", "no-policy-file", "missing"),
    ("--audit-policy-file=/p.yaml", "no-backend", "neither"),
    ("--audit-webhook-mode=batch", "no-webhook", "without"),
    ("--audit-webhook-config-file=/w.yaml", "no-log-file", "beside"),
    ("--audit-webhook-mode=blocking-strict", "webhook-blocks", "blocking-strict"),
    ("--audit-webhook-initial-backoff=1s", "short-backoff", "1s"),
    ("--audit-webhook-batch-buffer-size=20", "small-buffer", "20"),
    ("--audit-webhook-truncate-enabled=true", "truncation", "on"),
    ("--audit-log-path=/a --audit-log-maxage=1", "short-log", "1"),
    ("kube-apiserver", "no-flags", "no audit flags"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "id", "says"), MISTAKEN_FLAGS, ids=[f"{id}-{n}" for n, (_, id, _) in enumerate(MISTAKEN_FLAGS)]
)
def test_each_mistake_in_the_flags_is_named(text, id, says):
    found = [remark for remark in lint_flags(text) if remark.id == id]

    assert found
    assert says in found[0].says
    assert found[0].effect


@pytest.mark.parametrize(
    ("size", "told"), [("102400", True), ("4194304", False), ("x", True), ("9" * 40, False)]
)
def test_truncation_is_told_unless_no_event_without_bodies_can_be_as_large(size, told):
    text = f"--audit-webhook-truncate-enabled --audit-webhook-truncate-max-event-size={size}"

    assert ("truncation" in ids(lint_flags(text))) is told


def test_defaults_are_no_mistakes():
    usual = "--audit-webhook-initial-backoff=10s --audit-webhook-batch-buffer-size=10000 --audit-webhook-mode=batch"

    assert not ids(lint_flags(usual)) & {"short-backoff", "small-buffer", "webhook-blocks"}
