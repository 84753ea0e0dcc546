"""What only fills the log: the chatter of the control plane, and the audit sink's own requests."""

from __future__ import annotations

from collections.abc import Iterator

from anomaly.policy.document import Level
from anomaly.policy.look import Look, in_verdicts
from anomaly.policy.probes import ALL, ANONYMOUS, NODE, Actor, ask
from anomaly.policy.remark import Remark, Severity
from anomaly.policy.request import Request

SCHEDULER = Actor("system:kube-scheduler", (ALL,))
MANAGER = Actor("system:kube-controller-manager", (ALL,))
APISERVER = Actor("system:apiserver", ("system:masters", ALL))

_COORDINATION = "coordination.k8s.io"
CHATTER: tuple[tuple[str, tuple[Request, ...]], ...] = (
    ("health checks", tuple(ask("get", path, ANONYMOUS) for path in ("/healthz", "/livez", "/readyz"))),
    (
        "leases renewed every few seconds",
        (
            ask("update", "leases", NODE, group=_COORDINATION, namespace="kube-node-lease"),
            ask("update", "leases", SCHEDULER, group=_COORDINATION, namespace="kube-system"),
            ask("update", "leases", MANAGER, group=_COORDINATION, namespace="kube-system"),
        ),
    ),
    (
        "watches of the control plane",
        (ask("watch", "pods", SCHEDULER), ask("watch", "endpointslices", MANAGER, group="discovery.k8s.io")),
    ),
    (
        "the API server's talk with itself",
        (ask("get", "namespaces", APISERVER), ask("list", "services", APISERVER)),
    ),
    (
        "nodes reading and reporting",
        (ask("get", "nodes", NODE), ask("patch", "nodes/status", NODE), ask("patch", "pods/status", NODE)),
    ),
    ("events of the cluster", (ask("create", "events", NODE), ask("create", "events", MANAGER))),
)


@in_verdicts
def chatter(look: Look) -> Iterator[Remark]:
    """This will name the chatter that is written, in one remark: it is most of an unfiltered log."""
    written: dict[str, Level] = {}
    for name, requests in CHATTER:
        levels = [look.level(request) for request in requests]
        top = max(levels, key=lambda level: level.rank)
        if top is not Level.NONE:
            written[name] = top
    if not written:
        return
    listed = "; ".join(f"{name} at {level}" for name, level in written.items())
    rule = next(
        (
            decided
            for _, requests in CHATTER
            for request in requests
            if (decided := look.decide(request).rule) is not None and look.level(request) is not Level.NONE
        ),
        0,
    )
    effect = f"requests that repeat without end are written: {listed}"
    yield look.remark(
        "chatter-written",
        Severity.INFO,
        f"rules[{rule}]",
        "the control plane's chatter is written",
        effect,
        "see `anomaly policy generate` for the rules that leave it out, `anomaly policy forecast` for what it costs",
    )


@in_verdicts
def own_traffic(look: Look) -> Iterator[Remark]:
    """This will say when the audit sink's own requests are audited: each delivered batch then makes new events."""
    sink = look.surroundings.sink
    if sink is None:
        return
    namespace = (
        sink.split(":")[2] if sink.startswith("system:serviceaccount:") and sink.count(":") == 3 else ""
    )
    groups = (*(("system:serviceaccounts", f"system:serviceaccounts:{namespace}") if namespace else ()), ALL)
    actor = Actor(sink, groups)
    asked = (
        ask("create", "tokenreviews", actor, group="authentication.k8s.io"),
        ask("create", "subjectaccessreviews", actor, group="authorization.k8s.io"),
        ask("update", "leases", actor, group=_COORDINATION, namespace=namespace or "default"),
        ask("get", "namespaces", actor),
    )
    seen = next((request for request in asked if look.level(request) is not Level.NONE), None)
    if seen is not None:
        effect = f"`{seen.sentence}` is written at {look.level(seen)}: what the sink does for a batch makes the next one"
        remedy = f"begin with a rule `level: None` for users: [{sink!r}] on exactly what it does, so that its theft would still show"
        rule = look.decide(seen).rule
        yield look.remark(
            "own-traffic",
            Severity.WARNING,
            f"rules[{rule}]",
            "the audit sink's own requests are audited",
            effect,
            remedy,
        )
