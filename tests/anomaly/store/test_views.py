"""Saved views."""

import pytest

from anomaly.errors import NotFound, UsageError
from anomaly.store.views import MOST, drop_view, keep_view, views_of


def test_views_are_of_one_person_and_page(connection):
    keep_view(connection, "person:ann", "/", "  mine ", "tab=mine")
    keep_view(connection, "person:ben", "/", "mine", "tab=all")
    keep_view(connection, "person:ann", "/events", "execs", "q=x")
    (view,) = views_of(connection, "person:ann", "/")
    assert (view.name, view.url) == ("mine", "/?tab=mine")


def test_a_view_of_the_same_name_takes_the_place_of_the_other(connection):
    first = keep_view(connection, "person:ann", "/", "mine", "tab=mine")
    assert keep_view(connection, "person:ann", "/", "mine", "tab=all") == first
    assert [view.query for view in views_of(connection, "person:ann", "/")] == ["tab=all"]


@pytest.mark.parametrize(
    ("name", "query"), [("", "a"), ("  ", "a"), ("x" * 61, "a"), ("a\nb", "a"), ("a", "x" * 2001)]
)
def test_a_view_that_cannot_be_shown_is_not_kept(connection, name, query):
    with pytest.raises(UsageError):
        keep_view(connection, "person:ann", "/", name, query)


def test_nobody_keeps_views_without_end(connection):
    for place in range(MOST):
        keep_view(connection, "person:ann", "/", f"v{place}", "")
    with pytest.raises(UsageError, match="at most"):
        keep_view(connection, "person:ann", "/", "more", "")


def test_only_ones_own_view_can_be_dropped(connection):
    number = keep_view(connection, "person:ann", "/", "mine", "")
    with pytest.raises(NotFound):
        drop_view(connection, "person:ben", number)
    drop_view(connection, "person:ann", number)
    assert views_of(connection, "person:ann", "/") == []
