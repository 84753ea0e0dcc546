"""Needs asked about requests that were really made, instead of examples of all there can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

from anomaly.policy.need import ANY, Need
from anomaly.policy.request import Request


@dataclass(frozen=True, slots=True)
class ObservedNeed(Need):
    """A need with the requests it is about. Only those are asked."""

    observed: tuple[Request, ...] = ()

    def requests(self) -> Iterator[Request]:
        """This will yield the observed requests."""
        yield from self.observed


def distinct(requests: Iterable[Request]) -> list[Request]:
    """This will return one request for each user, verb and target; the first one made stands for its like."""
    found: dict[tuple[object, ...], Request] = {}
    for one in requests:
        target = (one.group, one.resource, one.subresource) if one.is_resource else (one.path,)
        found.setdefault((one.user, one.verb, *target), one)
    return list(found.values())


def asked_of(needs: Iterable[Need], requests: Iterable[Request]) -> list[Need]:
    """This will return the needs that some of the requests are about, each asked about these."""
    listed = list(requests)
    found: list[Need] = []
    for need in needs:
        about = tuple(one for one in listed if _is_about(need, one))
        if about:
            given = {part.name: getattr(need, part.name) for part in fields(Need)}
            found.append(ObservedNeed(**given, observed=about))
    return found


def _is_about(need: Need, request: Request) -> bool:
    if ANY not in need.verbs and request.verb not in need.verbs:
        return False
    if not need.resource or not request.is_resource:
        return not need.resource and not request.is_resource
    if need.resource != ANY and need.resource != request.resource:
        return False
    anywhere = {ANY, ""} if need.resource == ANY else {ANY}
    return (need.group in anywhere or need.group == request.group) and need.subresource in {
        ANY,
        request.subresource,
    }
