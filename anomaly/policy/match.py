"""Which rule of a policy decides for a request, and what is written then: the exact first-match semantics of the server.

Source: k8s.io/apiserver/pkg/audit/policy (checker). Every comparison is exact and case-sensitive; only resources and URLs
know wildcards, and only the few written here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anomaly.policy.document import GroupResources, Level, Policy, Rule, Stage
from anomaly.policy.request import Request


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one request. `rule` is the index of the deciding rule, None when none matches (level None)."""

    rule: int | None
    level: Level
    omit_stages: frozenset[str]
    omit_managed_fields: bool

    def stages(self, happening: Iterable[str], lost: Iterable[str] = ()) -> dict[str, Level]:
        """This will return the stages that are written, with their level, of those the server comes through.

        `lost` are stages that vanish when bodies are asked for: a patch whose body is no JSON has no ResponseComplete then.
        """
        if self.level is Level.NONE:
            return {}
        gone = set(lost) if self.level.rank >= Level.REQUEST.rank else set()
        return {
            stage: self.level for stage in happening if stage not in self.omit_stages and stage not in gone
        }


class Matcher:
    """A policy made ready to be asked often. Decisions are remembered; the names of objects count only where a rule asks."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._named = any(entry.resource_names for rule in policy.rules for entry in rule.resources)
        self._decisions = [_decision(policy, index, rule) for index, rule in enumerate(policy.rules)]
        self._default = Decision(None, Level.NONE, frozenset(policy.omit_stages), policy.omit_managed_fields)
        self._known: dict[tuple[object, ...], Decision] = {}

    def decide(self, request: Request) -> Decision:
        """This will return the decision of the first rule that matches."""
        key = (
            request.user,
            request.groups,
            request.verb,
            request.group,
            request.resource,
            request.subresource,
            request.namespace,
            request.name if self._named else None,
            None if request.is_resource else request.path,
        )
        found = self._known.get(key)
        if found is None:
            found = self._find(request)
            if len(self._known) < _MOST_KNOWN:
                self._known[key] = found
        return found

    def _find(self, request: Request) -> Decision:
        for rule, decision in zip(self.policy.rules, self._decisions, strict=True):
            if matches(rule, request):
                return decision
        return self._default


_MOST_KNOWN = 1 << 17


def decide(policy: Policy, request: Request) -> Decision:
    """This will return the policy's decision for one request; for many, keep a Matcher."""
    return Matcher(policy).decide(request)


def matches(rule: Rule, request: Request) -> bool:
    """This will tell whether every criterion of the rule holds."""
    return obstacle(rule, request) is None


def obstacle(rule: Rule, request: Request) -> str | None:
    """This will return why the rule does not match, in words, or None when it does."""
    if rule.users and (request.user is None or request.user not in rule.users):
        return (
            "nobody was authenticated (401)"
            if request.user is None
            else f"user {request.user!r} is not listed"
        )
    if rule.user_groups and (request.user is None or not set(rule.user_groups) & set(request.groups)):
        return (
            "nobody was authenticated (401)"
            if request.user is None
            else "the user is in none of its userGroups"
        )
    if rule.verbs and request.verb not in rule.verbs:
        return f"verb {request.verb!r} is not listed"
    if rule.namespaces or rule.resources:
        return _resource_obstacle(rule, request)
    if rule.non_resource_urls:
        if request.is_resource:
            return "it is for non-resource URLs only"
        if not any(_url_matches(request.path, url) for url in rule.non_resource_urls):
            return f"path {request.path!r} is none of its nonResourceURLs"
    return None


def _resource_obstacle(rule: Rule, request: Request) -> str | None:
    if not request.is_resource:
        return "it is for resources only"
    if rule.namespaces and request.namespace not in rule.namespaces:
        return f"namespace {request.namespace!r} is not listed"
    if rule.resources and not any(entry_matches(entry, request) for entry in rule.resources):
        return _entry_obstacle(rule, request)
    return None


def _entry_obstacle(rule: Rule, request: Request) -> str:
    groups = [entry for entry in rule.resources if entry.group in {"*", request.group}]
    if not groups:
        return f"no entry is for the group {request.group!r}"
    if not any(_resource_named(entry, request) for entry in groups):
        return f"{request.target!r} is not among its resources"
    return f"name {request.name!r} is not among its resourceNames"


def entry_matches(entry: GroupResources, request: Request) -> bool:
    """This will tell whether one entry of `resources` holds for a resource request."""
    if entry.group not in {"*", request.group}:
        return False
    if not entry.resources:
        return True
    if entry.resource_names and request.name not in entry.resource_names:
        return False
    return _resource_named(entry, request)


def _resource_named(entry: GroupResources, request: Request) -> bool:
    resource, subresource = request.resource, request.subresource
    whole = f"{resource}/{subresource}" if subresource else resource
    for given in entry.resources:
        if given in {"*", whole}:
            return True
        if subresource and given.startswith("*/") and given[2:] == subresource:
            return True
        if given.endswith("/*") and given[:-2] == resource:
            return True
    return not entry.resources


def _url_matches(path: str, given: str) -> bool:
    if given in {"*", path}:
        return True
    return given.endswith("*") and path.startswith(given.rstrip("*"))


def _decision(policy: Policy, index: int, rule: Rule) -> Decision:
    omitted = frozenset((*policy.omit_stages, *rule.omit_stages))
    managed = policy.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
    return Decision(index, Level(rule.level), omitted, managed)


_LONG_RUNNING = frozenset({"log", "exec", "attach", "portforward", "proxy"})


def stages_of(request: Request, code: int = 200) -> tuple[str, ...]:
    """This will return the stages the server comes through for a request: three for long-running ones, one for a 401."""
    if code == 401 or request.user is None:
        return (Stage.RESPONSE_STARTED,)
    if is_long_running(request):
        return (Stage.REQUEST_RECEIVED, Stage.RESPONSE_STARTED, Stage.RESPONSE_COMPLETE)
    return (Stage.REQUEST_RECEIVED, Stage.RESPONSE_COMPLETE)


def is_long_running(request: Request) -> bool:
    """This will tell whether the answer is a stream: a watch, or a connection into a pod, service or node."""
    return request.is_resource and (
        request.verb in {"watch", "proxy"} or request.subresource in _LONG_RUNNING
    )
