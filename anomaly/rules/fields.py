"""The normal form: every field a rule may test, what it holds, and what the audit policy must keep for it.

Names are those of audit.k8s.io/v1, and a few of our own that every rule would otherwise work out for itself. The table in
docs/reference/rule-language.md is written from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from anomaly.events.event import Event, User
from anomaly.events.identity import EntityKind
from anomaly.events.shape import DECISION, Shape
from anomaly.rules.podschema import CONTAINERS, POD
from anomaly.rules.view import Scalar, Values, View, leaves, walk, writes_pod

LEVELS: Final = ("Metadata", "Request", "RequestResponse")
STAGES: Final = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
VERBS: Final = (
    *("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"),
    *("post", "put", "head", "options", "connect"),
)
"""Verbs kube-apiserver writes: of resources, then of other paths (the HTTP method in lower case)."""
INTERACTIVE: Final = (
    *("kubectl", "oc/", "k9s", "lens/", "openlens", "freelens", "headlamp", "octant", "mozilla/"),
    *("curl/", "wget/", "httpie/", "stern/", "kubie", "kubectx"),
)
"""Beginnings of user agents that a person starts by hand. A claim of the client: anybody can write another."""

OfShape = Callable[[Shape], Values]
OfView = Callable[[View], Values]


@dataclass(frozen=True, slots=True)
class Field:
    """One testable field.

    `of_shape` gives its values when the shape alone decides them; `of_view` when the event is needed; then `possible` tells
    from the shape whether there can be any value. `narrow` fields take few values and are decided first. `level` is the
    lowest audit level that keeps it.
    """

    name: str
    type: str
    about: str
    of_shape: OfShape | None = None
    of_view: OfView | None = None
    possible: Callable[[Shape], bool] | None = None
    closed: tuple[str, ...] = ()
    narrow: bool = False
    level: str = "Metadata"

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and other.name == self.name

    def values(self, view: View) -> Values:
        """This will return the field's values in one event: none when it is missing, several when it is a list."""
        return self.of_shape(view.shape) if self.of_shape else self.of_view(view) if self.of_view else ()


def _one(value: Scalar | None) -> Values:
    return () if value is None or value == "" else (value,)


def _user(shape: Shape) -> User:
    return shape.user


def _acting(shape: Shape) -> User:
    return shape.impersonated or User()


def _interactive(shape: Shape) -> Values:
    return (shape.agent.casefold().startswith(INTERACTIVE),)


def _time(moment: object) -> Values:
    return () if moment is None else (str(moment),)


def _bodies(shape: Shape) -> bool:
    return shape.level in {"Request", "RequestResponse"}


def _answers(shape: Shape) -> bool:
    return shape.level == "RequestResponse"


def _pods(shape: Shape) -> bool:
    return _bodies(shape) and writes_pod(shape)


def _keywords(view: View) -> Values:
    event, shape = view.event, view.shape
    known = [value for field in _FIELDS if field.type != "bool" for value in field.values(view)]
    extra = (*shape.annotations.values(), *(item for items in shape.user.extra.values() for item in items))
    return (*known, *extra, event.auditID, *leaves(view.body), *leaves(view.answer))


def _shape_fields() -> list[Field]:
    def of(name: str, kind: str, about: str, get: OfShape, *closed: str, narrow: bool = False) -> Field:
        return Field(name, kind, about, of_shape=get, closed=closed, narrow=narrow)

    kinds = tuple(kind.value for kind in EntityKind)
    return [
        of("verb", "str", "what was asked for", lambda s: _one(s.verb), *VERBS, narrow=True),
        of("stage", "str", "where in its life the request is", lambda s: _one(s.stage), *STAGES, narrow=True),
        of("level", "str", "how much the policy kept of it", lambda s: _one(s.level), *LEVELS, narrow=True),
        of(
            "user.username",
            "str",
            "the authenticated caller; none after a 401",
            lambda s: _one(s.user.username),
        ),
        of("user.uid", "str", "the caller's uid", lambda s: _one(s.user.uid)),
        of("user.groups", "str", "the caller's groups (list)", lambda s: s.user.groups),
        of(
            "impersonatedUser.username",
            "str",
            "whom the caller acted as",
            lambda s: _one(_acting(s).username),
        ),
        of("impersonatedUser.uid", "str", "uid acted as", lambda s: _one(_acting(s).uid)),
        of("impersonatedUser.groups", "str", "groups acted as (list)", lambda s: _acting(s).groups),
        of("sourceIPs", "address", "claimed addresses, the peer's own last (list)", lambda s: s.addresses),
        of("userAgent", "str", "what the client calls itself", lambda s: _one(s.agent)),
        of("objectRef.resource", "str", "plural, as in pods", lambda s: _one(s.resource), narrow=True),
        of("objectRef.subresource", "str", "as in exec", lambda s: _one(s.subresource), narrow=True),
        of("objectRef.apiGroup", "str", "none for the core group", lambda s: _one(s.group), narrow=True),
        of("objectRef.apiVersion", "str", "as in v1", lambda s: _one(s.version)),
        of("objectRef.namespace", "str", "none for cluster-wide requests", lambda s: _one(s.namespace)),
        of("responseStatus.code", "int", "HTTP status", lambda s: _one(s.code or None), narrow=True),
        of("codeClass", "str", "1xx to 5xx", _code_class, "1xx", "2xx", "3xx", "4xx", "5xx", narrow=True),
        of("resource", "str", "group/resource/subresource in one", _resource, narrow=True),
        of("subresource", "str", "same as objectRef.subresource", lambda s: _one(s.subresource), narrow=True),
        of("path", "str", "the URI's path when no resource is meant", lambda s: _one(s.path)),
        of("address", "address", "the last source address: the peer's own", lambda s: _one(s.address)),
        of(
            "decision", "str", "of the authorizer", lambda s: _one(s.decision), "allow", "forbid", narrow=True
        ),
        of("credential", "str", "credential-id of the token or certificate", lambda s: _one(s.credential)),
        of("allowed", "bool", "neither forbidden nor 401 or 403", lambda s: (s.allowed,), narrow=True),
        of("refused", "bool", "forbidden, or 401 or 403", lambda s: (not s.allowed,), narrow=True),
        of("interactive", "bool", "the user agent is one a person starts by hand", _interactive),
        of(
            "impersonated",
            "bool",
            "the caller acted as somebody else",
            lambda s: (s.impersonated is not None,),
        ),
        of("entity.kind", "str", "what kind of caller", lambda s: (s.identity.kind.value,), *kinds),
        of("entity.name", "str", "the caller's short name", lambda s: _one(s.identity.name)),
        of("entity.namespace", "str", "a service account's namespace", lambda s: _one(s.identity.namespace)),
        of(
            "entity.username",
            "str",
            "the caller's full name, also after a 401",
            lambda s: _one(s.identity.username),
        ),
    ]


def _resource(shape: Shape) -> Values:
    return (shape.resource_text,) if shape.is_resource else ()


def _code_class(shape: Shape) -> Values:
    return (f"{shape.code // 100}xx",) if shape.code else ()


def _event_fields() -> list[Field]:
    def of(name: str, about: str, get: Callable[[Event], Scalar | None], kind: str = "str") -> Field:
        return Field(name, kind, about, of_view=lambda view: _one(get(view.event)))

    def ref(name: str, about: str) -> Field:
        return Field(
            f"objectRef.{name}",
            "str",
            about,
            of_view=lambda view: _one(getattr(view.ref, name)),
            possible=lambda shape: shape.is_resource,
        )

    def status(name: str, about: str) -> Field:
        return Field(
            f"responseStatus.{name}", "str", about, of_view=lambda view: _one(getattr(view.status, name))
        )

    return [
        of("auditID", "the request's id; a client can choose it", lambda event: event.auditID),
        of("requestURI", "path and query as sent", lambda event: event.requestURI),
        ref("name", "the object's name; none for lists and refused creates"),
        ref("uid", "the object's uid"),
        ref("resourceVersion", "the object's version"),
        status("status", "Success or Failure"),
        status("reason", "as in Forbidden, NotFound, AlreadyExists"),
        status("message", "the sentence the client got"),
        Field(
            "requestReceivedTimestamp",
            "time",
            "when the request came",
            of_view=lambda view: _time(view.event.requestReceivedTimestamp or view.event.timestamp),
        ),
        Field(
            "stageTimestamp",
            "time",
            "when this stage was reached",
            of_view=lambda view: _time(view.event.stageTimestamp),
        ),
    ]


_FIELDS: Final = (*_shape_fields(), *_event_fields())
FIELDS: Final[dict[str, Field]] = {field.name: field for field in _FIELDS}
KEYWORDS: Final = Field("keywords", "str", "any value anywhere in the event", of_view=_keywords)
"""What a Sigma keyword list (values without a field) is looked for in."""

OPEN: Final = {
    "user.extra.": "a key of the caller's extra block (list), as in authentication.kubernetes.io/credential-id",
    "impersonatedUser.extra.": "a key of the extra block acted as (list)",
    "annotations.": "an annotation, as in authorization.k8s.io/decision",
    "requestObject.": "a path in the request body, lists as in spec.containers[].image; of a JSON patch also in what it puts in",
    "responseObject.": "a path in the response body",
}
"""Prefixes below which any path may follow."""


@lru_cache(maxsize=4096)
def field_of(name: str) -> Field | None:
    """This will return the field of that name, exactly as written in the table, or None when rules cannot test it."""
    if name in FIELDS:
        return FIELDS[name]
    if name.startswith("pod."):
        return _pod_field(name)
    prefix = next((prefix for prefix in OPEN if name.startswith(prefix) and name != prefix), None)
    return _open_field(name, prefix, name[len(prefix) :]) if prefix else None


def steps_of(path: str) -> tuple[str, ...]:
    """This will split `spec.containers[].image` into its steps; `[]` and `[*]` only say what is entered anyway."""
    return tuple(path.replace("[*]", "").replace("[]", "").split("."))


def _requested(view: View, steps: tuple[str, ...]) -> Values:
    """Of a JSON patch both are seen: the operations as they stand (`op`, `path`, `value`) and the object they put in."""
    found = walk(view.asked, steps)
    patch = isinstance(view.body, list) and view.asked is not view.body
    return found + walk(view.body, steps) if patch else found


_POD_TYPES: Final = {steps_of(path): kind for path, kind in POD.items()}


def _pod_field(name: str) -> Field | None:
    steps = steps_of(name)[1:]
    kind = _POD_TYPES.get(steps)
    if kind is None and steps[0] != "nodeSelector":
        return None
    groups = CONTAINERS if steps[0] == "containers" else (steps[0],)

    def values(view: View) -> Values:
        pod = view.pod
        if pod is None:
            return ()
        found = walk(pod, steps)
        for group in groups[1:]:
            found += walk(pod, (group, *steps[1:]))
        return found

    about = "in the pod spec of any workload written"
    return Field(name, kind or "str", about, of_view=values, possible=_pods, level="Request")


def _open_field(name: str, prefix: str, rest: str) -> Field:
    if prefix == "annotations.":
        about = OPEN[prefix]
        closed = ("allow", "forbid") if rest == DECISION else ()
        get: OfShape = lambda shape: _one(shape.annotations.get(rest))  # noqa: E731
        return Field(name, "str", about, of_shape=get, closed=closed, narrow=rest == DECISION)
    if prefix.endswith("extra."):
        whose = _user if prefix.startswith("user.") else _acting
        return Field(name, "str", OPEN[prefix], of_shape=lambda shape: whose(shape).extra.get(rest, ()))
    steps = steps_of(rest)
    if prefix == "requestObject.":
        return Field(
            name,
            "any",
            OPEN[prefix],
            of_view=lambda view: _requested(view, steps),
            possible=_bodies,
            level="Request",
        )
    return Field(
        name,
        "any",
        OPEN[prefix],
        of_view=lambda view: walk(view.answer, steps),
        possible=_answers,
        level="RequestResponse",
    )
