"""CIS Kubernetes Benchmark 3.2.1 and 3.2.2, judged by asking the policy, verb by verb, and not by reading its rule names.

3.2.2 wants access to Secrets, ConfigMaps and TokenReviews written at Metadata and never with bodies, changes of Pods and
Deployments written, and exec, port-forward and proxy requests to pods and services written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anomaly.policy import known
from anomaly.policy.document import Level, Policy
from anomaly.policy.match import Matcher, stages_of
from anomaly.policy.probes import NAMESPACES, PEOPLE, ask, everything
from anomaly.policy.request import Request

_SENSITIVE: Final = (("", "secrets"), ("", "configmaps"), ("authentication.k8s.io", "tokenreviews"))
_CHANGED: Final = (("", "pods"), ("apps", "deployments"))
_ENTERED: Final = ("pods/exec", "pods/portforward", "pods/proxy", "services/proxy")
_PROXY_VERBS: Final = ("get", "create", "update", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the judgement: a control, a target and a verb. When it fails, `request` is one that shows it."""

    control: str
    target: str
    verb: str
    passed: bool
    reason: str
    request: str = ""
    level: str = ""
    rule: int | None = None


def judge(policy: Policy) -> list[Check]:
    """This will return every check of both controls."""
    matcher = Matcher(policy)
    return [_minimal(matcher), *_sensitive(matcher), *_changes(matcher), *_entrances(matcher)]


def _minimal(matcher: Matcher) -> Check:
    written = any(_level(matcher, request) is not Level.NONE for request in everything())
    reason = "the policy writes something" if written else "the policy writes nothing"
    return Check("3.2.1", "any request", "any", written, reason)


def _sensitive(matcher: Matcher) -> Iterator[Check]:
    for group, resource in _SENSITIVE:
        verbs = ("create",) if resource == "tokenreviews" else known.RESOURCE_VERBS
        for verb in verbs:
            yield _check(matcher, resource, verb, group, bodies=False)


def _changes(matcher: Matcher) -> Iterator[Check]:
    for group, resource in _CHANGED:
        for verb in known.WRITES:
            yield _check(matcher, resource, verb, group)


def _entrances(matcher: Matcher) -> Iterator[Check]:
    for target in _ENTERED:
        for verb in _PROXY_VERBS if target.endswith("proxy") else ("get", "create"):
            yield _check(matcher, target, verb, "")


def _check(matcher: Matcher, target: str, verb: str, group: str, *, bodies: bool = True) -> Check:
    for namespace in NAMESPACES:
        for actor in PEOPLE:
            request = ask(verb, target, actor, group=group, namespace=namespace)
            level = _level(matcher, request)
            if level is Level.NONE:
                return _failed(matcher, request, level, target, verb, "it is not written")
            if not bodies and level is not Level.METADATA:
                return _failed(
                    matcher, request, level, target, verb, "its bodies are written, only Metadata is allowed"
                )
    return Check("3.2.2", target, verb, True, "written" if bodies else "written at Metadata")


def _failed(matcher: Matcher, request: Request, level: Level, target: str, verb: str, reason: str) -> Check:
    return Check(
        "3.2.2", target, verb, False, reason, request.sentence, str(level), matcher.decide(request).rule
    )


def _level(matcher: Matcher, request: Request) -> Level:
    decision = matcher.decide(request)
    return decision.level if decision.stages(stages_of(request)) else Level.NONE
