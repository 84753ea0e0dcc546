"""Which rule decides for a request or a stored event, what is written of it, and why the other rules did not decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from anomaly.errors import UsageError
from anomaly.events.event import Event
from anomaly.policy.bodies import Bodies, Known, bodies
from anomaly.policy.document import Level, Policy, Rule, Stage
from anomaly.policy.match import Decision, Matcher, obstacle, stages_of
from anomaly.policy.observed import request_of
from anomaly.policy.request import Request
from anomaly.policy.route import route

MOST_BYTES: Final = 64 << 20
"""A request file is a few kilobytes for each request; this is room for a hundred thousand."""


class Attributes(msgspec.Struct):
    """The attributes of a request as a recording states them; absent or null ones are empty."""

    verb: str | None = None
    resource_request: bool | None = None
    api_group: str | None = None
    api_version: str | None = None
    resource: str | None = None
    subresource: str | None = None
    name: str | None = None
    namespace: str | None = None
    path: str | None = None


class Asked(msgspec.Struct):
    """One request of a request file. With `attributes` these count; without, method and path are read as the server would."""

    name: str = ""
    user: str | None = None
    groups: list[str] | None = None
    attributes: Attributes | None = None
    method: str = "GET"
    path: str = ""
    code: int | None = None
    stages: list[str] | None = None
    lost_from_request_level: list[str] | None = None
    body: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    def request(self) -> Request:
        """This will return the request as the policy is asked about it."""
        groups = tuple(self.groups or ())
        given = self.attributes
        if given is None:
            return route(self.method, self.path, self.user, groups)
        is_resource = bool(given.resource) if given.resource_request is None else given.resource_request
        return Request(
            user=self.user,
            groups=groups,
            verb=given.verb or "",
            is_resource=is_resource,
            group=given.api_group or "",
            version=given.api_version or "",
            resource=given.resource or "",
            subresource=given.subresource or "",
            name=given.name or "",
            namespace=given.namespace or "",
            path=given.path or self.path.partition("?")[0],
        )


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one request. `others` says of every rule that did not decide why; later ones were never asked."""

    name: str
    request: Request
    decision: Decision
    stages: dict[str, Level]
    others: dict[int, str]
    bodies: Bodies

    def as_json(self) -> dict[str, object]:
        """This will return the answer in the words of a verdict: rule, level, stages, and bodies (null when unknown)."""
        return {
            "name": self.name,
            "rule": self.decision.rule,
            "level": str(self.decision.level),
            "stages": {str(stage): str(level) for stage, level in self.stages.items()},
            "omitManagedFields": self.decision.omit_managed_fields,
            **self.bodies.as_json(),
            "others": {str(index): reason for index, reason in self.others.items()},
        }


def requests_from(data: bytes) -> list[Asked]:
    """This will decode a request file: a list of requests, or a mapping of name to request.

    Raises UsageError, naming the place, when it is neither.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(f"the request file is larger than {MOST_BYTES >> 20} MiB")
    try:
        found = msgspec.json.decode(data, type=list[Asked] | dict[str, Asked])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        hint = (
            "it is a JSON list of requests, each with name, user, groups and attributes (or method and path)"
        )
        raise UsageError(f"the request file cannot be read: {error}", hint=hint) from error
    if isinstance(found, list):
        return found
    return [msgspec.structs.replace(asked, name=asked.name or name) for name, asked in found.items()]


def explain(policy: Policy, asked: Iterable[Asked]) -> list[Explanation]:
    """This will explain every request, in order."""
    matcher = Matcher(policy)
    return [_explained(matcher, item) for item in asked]


def explain_event(policy: Policy, event: Event) -> Explanation:
    """This will explain what the policy says of the request behind a stored event, whatever level it was stored at."""
    request = request_of(event)
    decision = Matcher(policy).decide(request)
    code = event.responseStatus.code if event.responseStatus is not None else 200
    stages = decision.stages(stages_of(request, code))
    shown = bodies(request, decision, stages, _known_from(event, code))
    return Explanation(event.auditID, request, decision, stages, why_not(policy, request, decision), shown)


def _known_from(event: Event, code: int) -> Known:
    """Bodies that a stored event shows, or shows to be absent because it was stored at a level that has them."""
    finished = event.stage == Stage.RESPONSE_COMPLETE
    with_request = finished and event.level in {Level.REQUEST, Level.REQUEST_RESPONSE}
    with_response = finished and event.level == Level.REQUEST_RESPONSE
    return Known(
        code=code if event.responseStatus is not None else None,
        request=bytes(event.requestObject) if with_request else None,
        response=bytes(event.responseObject) if with_response else None,
        cut=True,
    )


def why_not(policy: Policy, request: Request, decision: Decision) -> dict[int, str]:
    """This will say of every rule but the deciding one why it did not decide."""
    reasons: dict[int, str] = {}
    for index, rule in enumerate(policy.rules):
        if index != decision.rule:
            reasons[index] = _reason(rule, request, decision.rule)
    return reasons


def _explained(matcher: Matcher, asked: Asked) -> Explanation:
    request = asked.request()
    decision = matcher.decide(request)
    code = asked.code if asked.code is not None else 200
    happening = asked.stages if asked.stages is not None else stages_of(request, code)
    stages = decision.stages(happening, asked.lost_from_request_level or ())
    return Explanation(
        asked.name,
        request,
        decision,
        stages,
        why_not(matcher.policy, request, decision),
        bodies(request, decision, stages, Known(asked.code, _sent(asked))),
    )


def _sent(asked: Asked) -> bytes | None:
    """The request's body if the file states it; `null` states that there is none."""
    if asked.body is msgspec.UNSET:
        return None
    raw = bytes(asked.body)
    return b"" if raw == b"null" else raw


def _reason(rule: Rule, request: Request, decided: int | None) -> str:
    reason = obstacle(rule, request)
    return reason if reason is not None else f"rule {decided} before it matches first"


def summary(explanation: Explanation) -> Mapping[str, str]:
    """This will return one line of the table: request, rule, level, stages."""
    stages = ", ".join(explanation.stages) or "nothing"
    rule = "none matches" if explanation.decision.rule is None else f"rules[{explanation.decision.rule}]"
    return {
        "request": explanation.name,
        "asks": explanation.request.sentence,
        "decides": rule,
        "level": str(explanation.decision.level),
        "written": stages,
    }
