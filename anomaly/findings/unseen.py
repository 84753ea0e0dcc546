"""What the audit log cannot show of what it tells: data, by what the events behind a finding are.

Sources: the audit levels and stages of kube-apiserver (kubernetes.io/docs/tasks/debug/debug-cluster/audit), and what passes it by:
the kubelet's own port, etcd, and whatever happens inside a stream once it is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Blind:
    """One blind spot: it stands beside findings with one of these resources, verbs or levels; with none of them beside all.

    `instead` is where one would have to look.
    """

    text: str
    instead: str
    resources: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    levels: frozenset[str] = frozenset()

    def concerns(self, resources: frozenset[str], verbs: frozenset[str], levels: frozenset[str]) -> bool:
        """This will say whether it concerns events of these."""
        return (
            (not self.resources or not self.resources.isdisjoint(resources))
            and (not self.verbs or not self.verbs.isdisjoint(verbs))
            and (not self.levels or not self.levels.isdisjoint(levels))
        )


def _of(text: str) -> frozenset[str]:
    return frozenset(text.split())


BLIND: Final = (
    Blind(
        "What was typed and answered inside the session: the log has its opening and, at best, its first command.",
        "runtime security on the node (process and system call events)",
        _of("pods/exec pods/attach"),
    ),
    Blind(
        "What went through the tunnel, and when it really ended.",
        "network flow logs of the node, the pod's own logs",
        _of("pods/portforward"),
    ),
    Blind(
        "What the kubelet or the service behind the proxy did with the request.",
        "the kubelet's log, the service's own access log",
        _of("nodes/proxy pods/proxy services/proxy"),
    ),
    Blind(
        "What was in the objects: at this level the log has no bodies, so a change is seen, but not what changed.",
        "raise the audit level to Request for these resources (never for secrets)",
        frozenset(),
        _of("create update patch"),
        _of("Metadata"),
    ),
    Blind(
        "Which values were read: a list or watch says that it was answered, not with which objects.",
        "the objects that were there at that time",
        _of("secrets configmaps"),
        _of("list watch"),
    ),
    Blind(
        "Where a token or certificate was used outside this API server.",
        "the logs of whatever else accepts it (cloud provider, registry, other clusters)",
        _of(
            "serviceaccounts/token secrets certificatesigningrequests certificates.k8s.io/certificatesigningrequests"
        ),
    ),
    Blind(
        "What the workload did once it ran: on its node, in its files, on the network.",
        "runtime security on the node, network flow logs",
        _of(
            "pods deployments apps/deployments daemonsets apps/daemonsets jobs batch/jobs cronjobs batch/cronjobs apps/statefulsets"
        ),
        _of("create update patch"),
    ),
    Blind(
        "Who called with a credential that several share: the log names the account, not the person.",
        "sign-in logs of the identity provider",
        frozenset(),
    ),
    Blind(
        "Calls that pass the API server by: straight to a kubelet's port (10250) or to etcd leave nothing here.",
        "node firewalls, the kubelet's and etcd's own logs",
        frozenset(),
    ),
)


def unseen(resources: Iterable[str], verbs: Iterable[str], levels: Iterable[str]) -> tuple[Blind, ...]:
    """This will return what cannot be seen of events with these resources (with subresource), verbs and levels, the special first."""
    asked = frozenset(resources), frozenset(verbs), frozenset(levels)
    return tuple(one for one in BLIND if one.concerns(*asked))
