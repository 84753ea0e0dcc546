"""Clusters and their tokens in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomaly.errors import NotFound, UsageError
from anomaly.store.clusters import (
    ClusterExists,
    add_cluster,
    checked_name,
    cluster_id,
    ensure_cluster,
    list_clusters,
)
from anomaly.store.tokens import (
    PREFIX,
    digest_of,
    holder_of,
    issue,
    list_tokens,
    looks_right,
    new_token,
    revoke,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_cluster_is_added_once(connection):
    number = add_cluster(connection, "shop")
    assert cluster_id(connection, "shop") == number
    assert ensure_cluster(connection, "shop") == number
    with pytest.raises(ClusterExists):
        add_cluster(connection, "shop")
    with pytest.raises(NotFound):
        cluster_id(connection, "bank")


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_every_dns_label_is_a_name(name):
    assert checked_name(name) == name


@given(st.text(alphabet="aZ9-_./\n\x00 \u00df", max_size=70))
def test_a_name_is_taken_whole_or_refused(name):
    try:
        assert checked_name(name) == name
    except UsageError:
        return
    assert set(name) <= set("a9-")
    assert not name.startswith("-")
    assert not name.endswith("-")


def test_a_token_opens_the_door_of_its_cluster_until_it_expires(connection):
    number = add_cluster(connection, "shop")
    token = issue(connection, number, NOW + timedelta(hours=1))
    holder = holder_of(connection, digest_of(token), NOW)
    assert (holder.clusters, holder.rights) == ({"shop": number}, {"ingest"})
    assert holder_of(connection, digest_of(token), NOW + timedelta(hours=1)) is None
    assert list_tokens(connection, number)[0].state(NOW + timedelta(hours=1)) == "expired"
    assert holder_of(connection, digest_of(new_token()), NOW) is None


def test_revoked_tokens_stay_revoked_and_others_stay_valid(connection):
    number = add_cluster(connection, "shop")
    old, new = issue(connection, number), issue(connection, number)
    newest = list_tokens(connection, number)[0].id
    assert revoke(connection, number, NOW, keep=newest) == 1
    assert revoke(connection, number, NOW, keep=newest) == 0
    assert holder_of(connection, digest_of(old), NOW) is None
    assert holder_of(connection, digest_of(new), NOW) is not None
    assert list_clusters(connection, NOW)[-1].tokens == 1
    assert revoke(connection, number, NOW) == 1
    assert holder_of(connection, digest_of(new), NOW) is None
    with pytest.raises(NotFound):
        revoke(connection, number, NOW, only=newest + 1000)


def test_tokens_are_recognised_and_mistyped_ones_are_not():
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    for token in tokens:
        assert looks_right(token)
        assert len(token) == len(PREFIX) + 49
        changed = token[:20] + ("a" if token[20] != "a" else "b") + token[21:]
        assert not looks_right(changed)
        assert not looks_right(token[:-1])
        assert not looks_right(token + "\n")


@given(st.text())
def test_other_texts_are_not_taken_for_tokens(text):
    assert not looks_right(text)
