"""What is in `deploy/` fits the product: settings that exist, paths that are open, names that agree with each other."""

import json
import re
from pathlib import Path

import pytest
import yaml

from anomaly.settings import load_settings
from anomaly.settings.layers import fields
from anomaly.web.app import OPEN
from anomaly.web.metrics import Meter

DEPLOY = Path(__file__).parents[2] / "deploy"
BASE = DEPLOY / "kustomize" / "base"
EXAMPLE = DEPLOY / "kustomize" / "overlays" / "example"


def manifests():
    for file in sorted(BASE.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def kind(name):
    (found,) = (one for one in manifests() if one["kind"] == name)
    return found


def variables():
    """Every environment variable of ours that a file in deploy/ names."""
    for file in DEPLOY.rglob("*"):
        if file.is_file() and file.name != "README.md":
            yield from re.findall(r"ANOMALY_[A-Z0-9_]+", file.read_text())


def test_every_variable_is_a_setting():
    known = {field.variable.replace("__", "_") for field in fields()} | {"ANOMALY_CONFIG"}
    used = {name.replace("__", "_").removesuffix("_FILE") for name in variables()}
    used.discard("ANOMALY_PORT")  # what Kubernetes would set, in a comment
    assert used
    assert used <= known


def test_the_example_configuration_loads(tmp_path):
    loaded = load_settings(EXAMPLE / "config.toml", environ={}, directory=tmp_path)
    assert loaded.settings.serve.port == 8443
    mounted = {mount["mountPath"] for mount in containers()[0]["volumeMounts"]}
    assert str(loaded.settings.serve.tls_cert.parent) in mounted


def test_every_file_that_kustomize_names_is_there_or_is_made_by_hand():
    base = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    on_disk = {file.name for file in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(base["resources"]) == on_disk
    example = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    by_hand = set((EXAMPLE / ".gitignore").read_text().split())
    for generator in (*example["configMapGenerator"], *example["secretGenerator"]):
        for file in generator["files"]:
            assert (EXAMPLE / file).exists() or file in by_hand


def test_what_the_pods_mount_is_what_the_example_makes():
    example = yaml.safe_load((EXAMPLE / "kustomization.yaml").read_text())
    secrets = {one["name"] for one in example["secretGenerator"]}
    maps = {one["name"] for one in example["configMapGenerator"]}
    for volume in pod()["volumes"]:
        assert "secret" not in volume or volume["secret"]["secretName"] in secrets
        assert "configMap" not in volume or volume["configMap"]["name"] in maps


def pod():
    return kind("Deployment")["spec"]["template"]["spec"]


def containers():
    return [*pod()["initContainers"], *pod()["containers"]]


def test_pods_keep_to_the_restricted_standard():
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod()["automountServiceAccountToken"] is False
    for container in containers():
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]


def test_probes_ask_open_paths_and_liveness_not_the_database():
    (server,) = pod()["containers"]
    paths = {
        name: server[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert set(paths.values()) <= OPEN
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_replicas_selectors_and_ports_agree():
    deployment, service = kind("Deployment")["spec"], kind("Service")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (
        deployment["selector"]["matchLabels"],
        service["selector"],
        kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert kind("PodDisruptionBudget")["spec"]["minAvailable"] < deployment["replicas"]
    (port,) = pod()["containers"][0]["ports"]
    assert service["ports"][0]["targetPort"] == port["name"]
    assert kind("NetworkPolicy")["spec"]["ingress"][0]["ports"][0]["port"] == port["containerPort"]


def test_the_time_to_stop_is_longer_than_stopping_takes():
    from anomaly.web.server import STOP_SECONDS

    assert pod()["terminationGracePeriodSeconds"] > STOP_SECONDS
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert int(compose["services"]["anomaly"]["stop_grace_period"].removesuffix("s")) > STOP_SECONDS


def test_the_image_runs_as_the_user_that_the_pods_ask_for():
    text = (DEPLOY / "Containerfile").read_text()
    context = pod()["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in text
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in source.split():
            assert (DEPLOY.parent / name).exists(), name


@pytest.fixture(scope="module")
def metric_names(postgres):
    """Every sample name that a service can show."""
    from anomaly.web.body import Pending

    meter = Meter()
    with postgres.clone() as database:
        meter.watch(Pending(1), lambda: 0, database)
        text = meter.text(lambda cluster: True).decode()
    families = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    suffixes = ("", "_bucket", "_count", "_sum", "_total")
    return {family + suffix for family in families for suffix in suffixes}


def expressions():
    dashboard = json.loads((DEPLOY / "grafana" / "anomaly.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "anomaly.rules.yaml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"warning", "critical"}
            assert rule["annotations"]["summary"]
            yield rule["expr"]


def test_dashboard_and_alerts_ask_for_metrics_that_exist(metric_names):
    asked = [name for one in expressions() for name in re.findall(r"\b(?:anomaly|process)_[a-z_]+", one)]
    assert len(set(asked)) > 10
    for name in asked:
        assert name in metric_names, name
