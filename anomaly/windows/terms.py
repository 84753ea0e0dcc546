"""Which terms an event adds to its entity's window: those of its shape, worked out once, and those of this event alone."""

from __future__ import annotations

from typing import Final, Protocol

from anomaly.events.event import Event
from anomaly.events.grants import RBAC, grants_of
from anomaly.events.review import SELF_REVIEWS, checked_of
from anomaly.events.shape import REFUSED, Shape
from anomaly.events.workload import WORKLOADS, pod_spec_of
from anomaly.windows.dimension import Dimension
from anomaly.windows.risk import workload_terms

Term = tuple[Dimension, str]

LONG_RUNNING: Final = frozenset({"exec", "attach", "portforward", "proxy", "log"})
ENTERING: Final = frozenset({"exec", "attach", "portforward", "ephemeralcontainers", "proxy"})
READS: Final = frozenset({"get", "list", "watch"})
WRITES: Final = frozenset({"create", "update", "patch"})
DELETES: Final = frozenset({"delete", "deletecollection"})
_BODIES: Final = RBAC | SELF_REVIEWS
ISSUED: Final = "authentication.kubernetes.io/issued-credential-id"
_DEPTH: Final = 3
FORBIDDEN: Final = 403
_CANNOT: Final = " cannot impersonate"
REFUSED_IMPERSONATION: Final = (Dimension.DENIED, "impersonate users")


class Requested(Protocol):
    """What shapes and stored rows both say of a request. `resource_text` is the path where no resource was asked for."""

    @property
    def verb(self) -> str: ...
    @property
    def resource_text(self) -> str: ...
    @property
    def is_resource(self) -> bool: ...
    @property
    def namespace(self) -> str: ...
    @property
    def code(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def allowed(self) -> bool: ...


def shape_terms(shape: Shape) -> tuple[Term, ...]:
    """This will return the terms that every event of this shape adds, each with a count of one."""
    if not shape.final:
        long = shape.verb == "watch" or shape.subresource in LONG_RUNNING
        action = f"{shape.verb} {_counted_as(shape.resource_text, shape.is_resource)}"
        return ((Dimension.OPENED, action),) if long and shape.stage == "ResponseStarted" else ()
    terms = request_terms(shape)
    if shape.credential:
        terms.append((Dimension.CREDENTIAL, shape.credential))
    if shape.impersonated is not None:
        terms.append((Dimension.IMPERSONATED, shape.impersonated.username))
    if issued := shape.annotations.get(ISSUED):
        terms.append((Dimension.ISSUED, issued))
    terms.extend((Dimension.GROUP, group) for group in dict.fromkeys(shape.user.groups))
    terms.extend((Dimension.CLAIMED, claim) for claim in dict.fromkeys(shape.addresses[:-1]))
    return tuple(terms)


def request_terms(request: Requested) -> list[Term]:
    """This will return the terms of a final request that its stored row knows as well."""
    counted = _counted_as(request.resource_text, request.is_resource)
    action, target = f"{request.verb} {counted}", f"{counted} @{request.namespace}"
    terms: list[Term] = [
        (Dimension.REQUESTS, ""),
        (Dimension.VERB, request.verb),
        (Dimension.RESOURCE, counted),
        (Dimension.CODE, str(request.code)),
        (Dimension.ACTION, action),
        (Dimension.ADDRESS, request.address),
        (Dimension.AGENT, request.agent),
    ]
    if request.is_resource:
        terms.append((Dimension.TARGET, target))
    if request.namespace:
        terms.append((Dimension.NAMESPACE, request.namespace))
    if not request.allowed:
        terms.append((Dimension.DENIED, action))
    elif request.code >= 400:
        terms.append((Dimension.FAILED, action))
    if request.allowed and request.verb in DELETES:
        terms.append((Dimension.DELETED, target))
    return terms


def _counted_as(resource: str, is_resource: bool) -> str:
    return resource if is_resource else _path(resource)


def object_terms(shape: Shape, name: str) -> tuple[Term, ...]:
    """This will return the terms that an event of this shape adds because of the object it names ("" for none)."""
    if not shape.final or not shape.is_resource:
        return ()
    place = f"{shape.namespace}/{name}"
    terms: list[Term] = []
    if name:
        terms.append((Dimension.NAME, f"{shape.resource_text} {place}"))
    if shape.resource == "secrets" and shape.verb in READS and shape.code not in REFUSED:
        terms.append((Dimension.SECRET, place if name else f"{shape.namespace}/*"))
    if shape.subresource in ENTERING:
        terms.append((Dimension.EXEC, place))
    return tuple(terms)


def has_body_terms(shape: Shape) -> bool:
    """This will say whether bodies of events of this shape can add terms, so that most bodies are never looked at."""
    writes = shape.verb in WRITES and (shape.resource in _BODIES or shape.resource in WORKLOADS)
    return shape.final and (writes or _maybe_impersonating(shape))


def _maybe_impersonating(shape: Shape) -> bool:
    """A refused impersonation bears neither the user who was to be played nor a decision: only the answer's message tells."""
    return shape.code == FORBIDDEN and shape.impersonated is None and not shape.decision


def event_terms(event: Event, shape: Shape) -> tuple[Term, ...]:
    """This will return the terms that only this event adds: the object touched and what its body asks for."""
    name = event.objectRef.name if event.objectRef is not None else ""
    return (*object_terms(shape, name), *(body_terms(event, shape) if has_body_terms(shape) else ()))


def body_terms(event: Event, shape: Shape) -> list[Term]:
    """This will return what the body of a written object asks for: permissions checked, grants, risks, images; and that a request
    was refused because it wanted to act as somebody else."""
    if _maybe_impersonating(shape):
        status = event.responseStatus
        return [REFUSED_IMPERSONATION] if status is not None and _CANNOT in status.message else []
    if shape.resource in SELF_REVIEWS:
        asked = checked_of(event)
        return [(Dimension.CHECKED, asked)] if asked else []
    if shape.resource in RBAC:
        return [(Dimension.GRANT, text) for text in grants_of(event)]
    if shape.resource in WORKLOADS and shape.subresource in {"", "ephemeralcontainers"}:
        spec = pod_spec_of(event)
        return list(dict.fromkeys(workload_terms(spec))) if spec is not None else []
    return []


def _path(path: str) -> str:
    """Only the first parts of a path: what comes after can be anything a prober makes up."""
    return "/" + "/".join(path.strip("/").split("/")[:_DEPTH])
