"""What a page of events asks: the question typed, narrowed to the cluster and time of the page and to what may be seen."""

from __future__ import annotations

from datetime import datetime

from anomaly.events.key import microseconds
from anomaly.query import Node, read, write
from anomaly.query.tree import Edge, Pattern, Period, Text, When, all_of
from anomaly.store.search import Asked
from anomaly.web.console.scope import Scope, encoded
from anomaly.web.console.view import View


def asked(view: View, text: str) -> Asked:
    """This will return the question of a page. Raises QueryInvalid."""
    assert view.who is not None
    return Asked(all_of([read(text), *narrowed(view.scope)]), view.now, view.who.clusters)


def narrowed(scope: Scope) -> list[Node]:
    """This will return the cluster and time of a page as parts of a question."""
    found: list[Node] = [Text("cluster", (Pattern((scope.cluster,)),))] if scope.cluster else []
    if scope.since or scope.until:
        low = Edge(microseconds(scope.since)) if scope.since else None
        high = Edge(microseconds(scope.until) - 1) if scope.until else None
        found.append(When((Period(low, high),)))
    return found


def is_field(field: str, text: str) -> str:
    """This will return the question that asks for one value of a field, whatever it holds."""
    return write(Text(field, (Pattern((text,)),)))


def events_url(
    query: str = "",
    scope: Scope | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    **more: str,
) -> str:
    """This will return where the events are that answer a question, within a scope or a time of its own."""
    pairs = [("q", query)] if query else []
    if since is not None and until is not None:
        own = Scope(scope.cluster if scope else None, "custom", since, until, chosen=True)
        # To the microsecond: a bar of a chart must lead to the very events it counts.
        pairs += own.pairs()[:1] if own.cluster else []
        pairs += [("since", _exact(since)), ("until", _exact(until))]
    elif scope is not None:
        pairs += scope.pairs()
    pairs += [(name, value) for name, value in more.items() if value]
    return f"/events?{encoded(pairs)}" if pairs else "/events"


def _exact(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
