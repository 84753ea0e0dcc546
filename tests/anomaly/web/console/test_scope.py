"""Cluster and time of a page, read from its URL."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest
from starlette.requests import Request

from anomaly.errors import NotFound, UsageError
from anomaly.rights import Principal, Right
from anomaly.web.console.scope import Scope, encoded, scope_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANYONE = Principal("person", 1, "ann", frozenset(Right), None)
SOMEONE = Principal("person", 2, "ben", frozenset(Right), frozenset({"shop"}))


def scope(query, who=ANYONE, default="all"):
    request = Request({"type": "http", "query_string": query.encode(), "headers": []})
    return scope_of(request, who, ("bank", "shop"), NOW, default)


def test_nothing_said_is_everything():
    assert scope("") == Scope()
    assert scope("").at("/events") == "/events"


def test_a_page_has_a_span_of_its_own_that_no_link_carries_on():
    found = scope("", default="24h")
    assert (found.since, found.until) == (NOW - timedelta(days=1), None)
    assert found.at("/") == "/"


def test_what_was_chosen_goes_along_to_other_pages():
    assert scope("cluster=shop&span=7d").at("/events") == "/events?cluster=shop&span=7d"
    assert scope("span=all", default="24h").at("/") == "/?span=all"


def test_a_time_of_ones_own():
    found = scope("since=2026-11-20T10:00Z&until=2026-11-21T10:00%2B02:00")
    assert (found.since, found.until) == (
        datetime(2026, 11, 20, 10, tzinfo=UTC),
        datetime(2026, 11, 21, 8, tzinfo=UTC),
    )
    assert found.at("/x") == "/x?since=2026-11-20T10%3A00%3A00Z&until=2026-11-21T08%3A00%3A00Z"
    assert scope("since=6h").since == NOW - timedelta(hours=6)


@pytest.mark.parametrize("query", ["since=soon", "span=2w", "since=1h&until=6h", "since=99999999999h"])
def test_a_time_that_cannot_be_read_is_refused(query):
    with pytest.raises(UsageError):
        scope(query)


@pytest.mark.parametrize(("query", "who"), [("cluster=none", ANYONE), ("cluster=bank", SOMEONE)])
def test_a_cluster_out_of_sight_is_as_one_that_is_not_there(query, who):
    with pytest.raises(NotFound, match="no such cluster"):
        scope(query, who)


def test_whatever_is_asked_for_stands_in_a_url_as_it_is():
    pairs = [("q", "name:ü&*/ +%"), ("q", ""), ("at", "2026-11-23T10:30:00+00:00")]
    assert parse_qsl(encoded(pairs), keep_blank_values=True) == pairs
