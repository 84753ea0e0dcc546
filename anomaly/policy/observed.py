"""The request behind a stored audit event, as the policy saw it before anything was answered.

The event shows the finished request. Three things differ (measured): a create by then has the name of its object, the
path was decoded for the policy but is recorded as sent, and a 401 shows no user at all. The URL settles the first two.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from anomaly.events.event import NO_OBJECT, Event
from anomaly.events.identity import user_of
from anomaly.policy.request import Request
from anomaly.policy.route import route

_METHODS: Final = {
    "create": "POST",
    "get": "GET",
    "list": "GET",
    "watch": "GET",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
    "deletecollection": "DELETE",
    "": "OPTIONS",
}


def request_of(event: Event) -> Request:
    """This will return what the policy was asked about when this event's request came in.

    Raises msgspec.ValidationError when the user block is not what the schema says.
    """
    user = user_of(event)
    nobody = not user.username and not user.groups
    name, groups = (None, ()) if nobody else (user.username, user.groups)
    if event.requestURI:
        found = _routed(
            event.verb,
            event.requestURI,
            event.objectRef is not None,
            name,
            tuple(groups),
        )
        if found is not None:
            return found
    if event.objectRef is None:
        return Request(
            name,
            tuple(groups),
            event.verb,
            False,
            path=event.requestURI.partition("?")[0],
        )
    return _of_reference(event, name, tuple(groups))


@lru_cache(maxsize=1 << 14)
def _routed(
    verb: str, uri: str, of_object: bool, user: str | None, groups: tuple[str, ...]
) -> Request | None:
    """The request by its URL; None when URL and event disagree, as in events that a cloud has rewritten."""
    method = _METHODS.get(verb, "") if of_object else verb
    request = route(method, uri, user, groups)
    return request if request.verb == verb and request.is_resource == of_object else None


def _of_reference(event: Event, user: str | None, groups: tuple[str, ...]) -> Request:
    ref = event.objectRef or NO_OBJECT
    nameless = event.verb == "create" and not ref.subresource
    namespace = (
        ref.name if ref.resource == "namespaces" and not ref.apiGroup and not nameless else ref.namespace
    )
    return Request(
        user=user,
        groups=groups,
        verb=event.verb,
        is_resource=True,
        group=ref.apiGroup,
        version=ref.apiVersion,
        resource=ref.resource,
        subresource=ref.subresource,
        name="" if nameless else ref.name,
        namespace=namespace,
        path=event.requestURI.partition("?")[0],
    )
