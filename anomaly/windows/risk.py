"""What a written workload may do to its node, as terms: the controls of the Pod Security Standards it steps over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anomaly.events.workload import Container, PodSpec
from anomaly.windows.dimension import Dimension

SENSITIVE_PATHS: Final = (
    "/etc",
    "/root",
    "/proc",
    "/sys",
    "/dev",
    "/boot",
    "/var/run",
    "/run",
    "/var/lib/kubelet",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/lib/containerd",
    "/var/log",
    "/home",
)
"""Host directories that give the node, its credentials or its other pods away."""
DANGEROUS_CAPABILITIES: Final = frozenset(
    {
        "ALL",
        "SYS_ADMIN",
        "SYS_PTRACE",
        "SYS_MODULE",
        "NET_ADMIN",
        "NET_RAW",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "BPF",
        "SYS_RAWIO",
    }
)


def sensitive(path: str) -> bool:
    """This will say whether a hostPath gives away more than data: the root itself or one of SENSITIVE_PATHS or below."""
    clean = "/" + path.strip("/")
    return clean == "/" or any(clean == known or clean.startswith(known + "/") for known in SENSITIVE_PATHS)


def registry_of(image: str) -> str:
    """This will return the registry host of an image reference; "docker.io" where it names none (as container runtimes do)."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def image_name(image: str) -> str:
    """This will return an image reference without tag and digest: what makes it the same software."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def workload_terms(spec: PodSpec) -> Iterator[tuple[Dimension, str]]:
    """This will yield the RISK, IMAGE and REGISTRY terms of one pod spec, each once."""
    yield from dict.fromkeys(_risks(spec))
    for container in spec.all_containers():
        if container.image:
            yield Dimension.IMAGE, image_name(container.image)
            yield Dimension.REGISTRY, registry_of(container.image)


def _risks(spec: PodSpec) -> Iterator[tuple[Dimension, str]]:
    for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if getattr(spec, name):
            yield Dimension.RISK, name
    for volume in spec.volumes or ():
        if volume.hostPath is not None:
            yield Dimension.RISK, "hostPath"
            if sensitive(volume.hostPath.path):
                yield Dimension.RISK, "sensitive-hostPath"
    for container in spec.all_containers():
        yield from _container_risks(container)


def _container_risks(container: Container) -> Iterator[tuple[Dimension, str]]:
    context = container.securityContext
    if context is None:
        return
    if context.privileged:
        yield Dimension.RISK, "privileged"
    if context.allowPrivilegeEscalation:
        yield Dimension.RISK, "allowPrivilegeEscalation"
    if context.runAsUser == 0:
        yield Dimension.RISK, "runAsRoot"
    for capability in (context.capabilities.add if context.capabilities else None) or ():
        name = capability.upper().removeprefix("CAP_")
        if name in DANGEROUS_CAPABILITIES:
            yield Dimension.RISK, f"capability:{name}"
