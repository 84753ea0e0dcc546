"""The pod spec inside any workload, in one typed view.

A rule or a feature asks once for `privileged` and gets the answer for a Pod, a Deployment, a CronJob, a List of these or a
patch that holds part of one. Paths as in the Kubernetes API reference for v1, apps/v1 and batch/v1.
"""

from __future__ import annotations

from typing import Final

import msgspec

from anomaly.events.event import Event

WORKLOADS: Final = frozenset(
    {
        "pods",
        "deployments",
        "replicasets",
        "statefulsets",
        "daemonsets",
        "jobs",
        "cronjobs",
        "podtemplates",
        "replicationcontrollers",
    }
)
"""Resources whose bodies can hold a pod spec."""


class Capabilities(msgspec.Struct, gc=False):
    add: list[str] | None = None
    drop: list[str] | None = None


class SecurityContext(msgspec.Struct, gc=False):
    privileged: bool | None = None
    allowPrivilegeEscalation: bool | None = None
    runAsUser: int | None = None
    runAsNonRoot: bool | None = None
    readOnlyRootFilesystem: bool | None = None
    procMount: str | None = None
    capabilities: Capabilities | None = None
    seccompProfile: dict[str, msgspec.Raw] | None = None
    appArmorProfile: dict[str, msgspec.Raw] | None = None


class Container(msgspec.Struct, gc=False):
    name: str = ""
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    securityContext: SecurityContext | None = None
    env: list[dict[str, msgspec.Raw]] | None = None
    volumeMounts: list[dict[str, msgspec.Raw]] | None = None
    ports: list[dict[str, msgspec.Raw]] | None = None


class HostPath(msgspec.Struct, gc=False):
    path: str = ""
    type: str | None = None


class Volume(msgspec.Struct, gc=False):
    name: str = ""
    hostPath: HostPath | None = None
    secret: dict[str, msgspec.Raw] | None = None
    projected: dict[str, msgspec.Raw] | None = None


class PodSpec(msgspec.Struct, gc=False):
    """What a workload asks for. Lists are None when the body does not name them."""

    containers: list[Container] | None = None
    initContainers: list[Container] | None = None
    ephemeralContainers: list[Container] | None = None
    volumes: list[Volume] | None = None
    hostNetwork: bool | None = None
    hostPID: bool | None = None
    hostIPC: bool | None = None
    shareProcessNamespace: bool | None = None
    serviceAccountName: str | None = None
    serviceAccount: str | None = None
    automountServiceAccountToken: bool | None = None
    nodeName: str | None = None
    nodeSelector: dict[str, str] | None = None
    tolerations: list[dict[str, msgspec.Raw]] | None = None
    securityContext: SecurityContext | None = None

    def all_containers(self) -> list[Container]:
        """This will return containers, init containers and ephemeral containers together."""
        return [*(self.containers or ()), *(self.initContainers or ()), *(self.ephemeralContainers or ())]


class _Template(msgspec.Struct, gc=False):
    spec: PodSpec | None = None


class _JobSpec(msgspec.Struct, gc=False):
    template: _Template | None = None


class _JobTemplate(msgspec.Struct, gc=False):
    spec: _JobSpec | None = None


class _WorkloadSpec(PodSpec, gc=False):
    template: _Template | None = None
    jobTemplate: _JobTemplate | None = None


class _Body(msgspec.Struct, gc=False):
    spec: _WorkloadSpec | None = None
    template: _Template | None = None


_bodies: Final = msgspec.json.Decoder(_Body)


def pod_spec_of(event: Event) -> PodSpec | None:
    """This will return the pod spec in the request body, or in the response body where the request has none, else None.

    None also when the event's level kept no bodies, the resource is no workload, or the body is not shaped like one
    (a JSON patch is a list).
    """
    ref = event.objectRef
    if ref is None or ref.resource not in WORKLOADS:
        return None
    return pod_spec_in(bytes(event.requestObject)) or (
        pod_spec_in(bytes(event.responseObject)) if event.verb in {"create", "update", "patch"} else None
    )


def pod_spec_in(body: bytes) -> PodSpec | None:
    """This will find the pod spec in one object's JSON, or return None."""
    if not body:
        return None
    try:
        decoded = _bodies.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if decoded.template is not None:
        return decoded.template.spec
    spec = decoded.spec
    if spec is None:
        return None
    if spec.template is not None:
        return spec.template.spec
    if (
        spec.jobTemplate is not None
        and spec.jobTemplate.spec is not None
        and spec.jobTemplate.spec.template is not None
    ):
        return spec.jobTemplate.spec.template.spec
    return (
        spec
        if spec.all_containers() or spec.volumes or spec.hostNetwork or spec.hostPID or spec.hostIPC
        else None
    )
