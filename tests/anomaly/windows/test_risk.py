"""What a workload asks of its node."""

import pytest

from anomaly.events.workload import pod_spec_in
from anomaly.windows.dimension import Dimension
from anomaly.windows.risk import image_name, registry_of, sensitive, workload_terms


def risks(text):
    spec = pod_spec_in(b'{"spec":%s}' % text.encode())
    return [name for dimension, name in workload_terms(spec) if dimension is Dimension.RISK]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ('{"containers":[{"name":"a"}]}', []),
        ('{"hostNetwork":true,"hostPID":true,"hostIPC":true,"shareProcessNamespace":true}', ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"]),
        ('{"hostNetwork":false,"containers":[{"securityContext":{"privileged":false}}]}', []),
        ('{"containers":[{"securityContext":{"privileged":true}}]}', ["privileged"]),
        ('{"initContainers":[{"securityContext":{"privileged":true}}],"containers":[{"securityContext":{"privileged":true}}]}', ["privileged"]),
        ('{"ephemeralContainers":[{"securityContext":{"runAsUser":0}}]}', ["runAsRoot"]),
        ('{"containers":[{"securityContext":{"runAsUser":1000,"allowPrivilegeEscalation":true}}]}', ["allowPrivilegeEscalation"]),
        ('{"containers":[{"securityContext":{"capabilities":{"add":["sys_admin","CAP_NET_RAW","CHOWN"]}}}]}', ["capability:SYS_ADMIN", "capability:NET_RAW"]),
        ('{"volumes":[{"hostPath":{"path":"/data"}}]}', ["hostPath"]),
        ('{"volumes":[{"hostPath":{"path":"/"}},{"hostPath":{"path":"/etc/kubernetes"}}]}', ["hostPath", "sensitive-hostPath"]),
    ],
)  # fmt: skip
def test_each_risk_is_named_once(spec, expected):
    assert risks(spec) == expected


@pytest.mark.parametrize(
    "path", ["/", "", "//", "/etc", "/etc/", "/var/run/docker.sock", "/proc/1", "/root/.ssh"]
)
def test_paths_that_give_the_node_away(path):
    assert sensitive(path)


@pytest.mark.parametrize("path", ["/data", "/etcd-backup", "/mnt/etc", "/var/lib/app", "/varlog", "/opt/run"])
def test_paths_that_hold_only_data(path):
    assert not sensitive(path)


@pytest.mark.parametrize(
    ("image", "name", "registry"),
    [
        ("nginx", "nginx", "docker.io"),
        ("nginx:1.27", "nginx", "docker.io"),
        ("library/nginx@sha256:abc", "library/nginx", "docker.io"),
        ("quay.io/org/app:v1@sha256:abc", "quay.io/org/app", "quay.io"),
        ("localhost/app", "localhost/app", "localhost"),
        ("registry:5000/app:1", "registry:5000/app", "registry:5000"),
        ("registry:5000/app", "registry:5000/app", "registry:5000"),
    ],
)
def test_an_image_is_its_software_and_its_registry(image, name, registry):
    assert (image_name(image), registry_of(image)) == (name, registry)
