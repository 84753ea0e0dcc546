"""What Kubernetes itself serves: resources with group, kind, short names and subresources; verbs; names of its own users.

A policy may name what extensions serve, so what is not here is only unusual, never wrong. Source: API reference of v1.36.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Final

_TABLE: Final = """
: pods Pod ns po attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
: services Service ns svc proxy,status
: nodes Node - no proxy,status
: secrets Secret ns - -
: configmaps ConfigMap ns cm -
: serviceaccounts ServiceAccount ns sa token
: namespaces Namespace - ns finalize,status
: events Event ns ev -
: endpoints Endpoints ns ep -
: bindings Binding ns - -
: componentstatuses ComponentStatus - cs -
: limitranges LimitRange ns limits -
: persistentvolumes PersistentVolume - pv status
: persistentvolumeclaims PersistentVolumeClaim ns pvc status
: podtemplates PodTemplate ns - -
: replicationcontrollers ReplicationController ns rc scale,status
: resourcequotas ResourceQuota ns quota status
apps: deployments Deployment ns deploy scale,status
apps: daemonsets DaemonSet ns ds status
apps: replicasets ReplicaSet ns rs scale,status
apps: statefulsets StatefulSet ns sts scale,status
apps: controllerrevisions ControllerRevision ns - -
batch: jobs Job ns - status
batch: cronjobs CronJob ns cj status
autoscaling: horizontalpodautoscalers HorizontalPodAutoscaler ns hpa status
policy: poddisruptionbudgets PodDisruptionBudget ns pdb status
networking.k8s.io: ingresses Ingress ns ing status
networking.k8s.io: ingressclasses IngressClass - - -
networking.k8s.io: networkpolicies NetworkPolicy ns netpol -
networking.k8s.io: ipaddresses IPAddress - ip -
networking.k8s.io: servicecidrs ServiceCIDR - - status
rbac.authorization.k8s.io: roles Role ns - -
rbac.authorization.k8s.io: rolebindings RoleBinding ns - -
rbac.authorization.k8s.io: clusterroles ClusterRole - - -
rbac.authorization.k8s.io: clusterrolebindings ClusterRoleBinding - - -
authentication.k8s.io: tokenreviews TokenReview - - -
authentication.k8s.io: selfsubjectreviews SelfSubjectReview - - -
authorization.k8s.io: subjectaccessreviews SubjectAccessReview - - -
authorization.k8s.io: selfsubjectaccessreviews SelfSubjectAccessReview - - -
authorization.k8s.io: localsubjectaccessreviews LocalSubjectAccessReview ns - -
authorization.k8s.io: selfsubjectrulesreviews SelfSubjectRulesReview - - -
certificates.k8s.io: certificatesigningrequests CertificateSigningRequest - csr approval,status
certificates.k8s.io: clustertrustbundles ClusterTrustBundle - - -
admissionregistration.k8s.io: mutatingwebhookconfigurations MutatingWebhookConfiguration - - -
admissionregistration.k8s.io: validatingwebhookconfigurations ValidatingWebhookConfiguration - - -
admissionregistration.k8s.io: validatingadmissionpolicies ValidatingAdmissionPolicy - - status
admissionregistration.k8s.io: validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding - - -
admissionregistration.k8s.io: mutatingadmissionpolicies MutatingAdmissionPolicy - - -
admissionregistration.k8s.io: mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding - - -
apiextensions.k8s.io: customresourcedefinitions CustomResourceDefinition - crd,crds status
apiregistration.k8s.io: apiservices APIService - - status
coordination.k8s.io: leases Lease ns - -
discovery.k8s.io: endpointslices EndpointSlice ns - -
events.k8s.io: events Event ns ev -
flowcontrol.apiserver.k8s.io: flowschemas FlowSchema - - status
flowcontrol.apiserver.k8s.io: prioritylevelconfigurations PriorityLevelConfiguration - - status
node.k8s.io: runtimeclasses RuntimeClass - - -
resource.k8s.io: resourceclaims ResourceClaim ns - status
resource.k8s.io: resourceclaimtemplates ResourceClaimTemplate ns - -
resource.k8s.io: deviceclasses DeviceClass - - -
resource.k8s.io: resourceslices ResourceSlice - - -
scheduling.k8s.io: priorityclasses PriorityClass - pc -
storage.k8s.io: storageclasses StorageClass - sc -
storage.k8s.io: volumeattachments VolumeAttachment - - status
storage.k8s.io: csidrivers CSIDriver - - -
storage.k8s.io: csinodes CSINode - - -
storage.k8s.io: csistoragecapacities CSIStorageCapacity ns - -
storage.k8s.io: volumeattributesclasses VolumeAttributesClass - vac -
metrics.k8s.io: pods PodMetrics ns - -
metrics.k8s.io: nodes NodeMetrics - - -
extensions: ingresses Ingress ns - status
"""

RESOURCE_VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")
READS: Final = ("get", "list", "watch")
PATH_VERBS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
VIRTUAL_VERBS: Final = frozenset(
    {
        "impersonate",
        "bind",
        "escalate",
        "use",
        "approve",
        "sign",
        "attest",
        "exec",
        "connect",
        "proxy",
        "read",
        "write",
        "*",
    }
)
"""Words of RBAC and of everyday speech that never are the verb of a request."""
HTTP_TO_VERB: Final = {"post": "create", "put": "update", "head": "get", "options": "get"}
GROUP_PREFIXES: Final = ("system:serviceaccounts", "system:nodes", "system:masters")
GROUPS: Final = frozenset(
    {
        "system:masters",
        "system:nodes",
        "system:authenticated",
        "system:unauthenticated",
        "system:serviceaccounts",
        "system:bootstrappers",
        "system:monitoring",
    }
)
USERS: Final = frozenset(
    {
        "system:anonymous",
        "system:apiserver",
        "system:kube-proxy",
        "system:kube-scheduler",
        "system:kube-controller-manager",
        "system:kube-apiserver",
        "system:cloud-controller-manager",
        "kubernetes-admin",
        "kube-apiserver-kubelet-client",
    }
)
USER_AGENTS: Final = (
    "kube-probe",
    "kubectl",
    "helm",
    "curl",
    "mozilla",
    "go-http-client",
    "python-requests",
    "wget",
    "k9s",
    "argocd",
)


@dataclass(frozen=True, slots=True)
class Served:
    """One resource that Kubernetes serves."""

    group: str
    name: str
    kind: str
    namespaced: bool
    short: tuple[str, ...]
    subresources: tuple[str, ...]


@cache
def served() -> tuple[Served, ...]:
    """This will return every resource of the table."""
    return tuple(map(_row, _TABLE.strip().splitlines()))


@cache
def groups() -> frozenset[str]:
    """This will return the API groups Kubernetes serves, with "" for core."""
    return frozenset(row.group for row in served())


def find(resource: str) -> tuple[Served, ...]:
    """This will return the rows of a resource name (without subresource) in any group."""
    return _by_name().get(resource, ())


def meant(word: str) -> Served | None:
    """This will return the resource a kind, a singular, a short name or another case most likely means."""
    return _by_alias().get(word.lower())


def close(word: str, words: Iterable[str]) -> str | None:
    """This will return the one of the words that the misspelt word most resembles, if any does."""
    known = {known.lower(): known for known in words}
    found = get_close_matches(word.lower(), known, n=1, cutoff=0.7)
    return known[found[0]] if found else None


@cache
def _by_name() -> dict[str, tuple[Served, ...]]:
    rows: dict[str, tuple[Served, ...]] = {}
    for row in served():
        rows[row.name] = (*rows.get(row.name, ()), row)
    return rows


@cache
def _by_alias() -> dict[str, Served]:
    aliases: dict[str, Served] = {}
    for row in served():
        for alias in (row.name, row.kind.lower(), *row.short):
            aliases.setdefault(alias, row)
    return aliases


def _row(line: str) -> Served:
    group, _, rest = line.partition(": ")
    name, kind, scope, short, subresources = rest.split()
    return Served(group.removesuffix(":"), name, kind, scope == "ns", _listed(short), _listed(subresources))


def _listed(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))
