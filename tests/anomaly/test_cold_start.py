"""Somebody who was never seen before and takes every secret is found in the first window, machines included: a scale of their own
for machines that join must not be where a thief hides."""

import pytest

from anomaly.nightly import judge
from anomaly.store.findings import Wanted, list_findings
from anomaly.store.models import champion, load_model
from anomaly.store.windows import Span
from anomaly.testing import raw_event
from tests.anomaly.town import MINUTE, PAST, keep, theft, work

PLACES = ("ci", "shop")
ROBOTS = tuple(f"system:serviceaccount:{place}:bot-{number}" for place in PLACES for number in range(4))
ACCOUNTS = ("system:serviceaccounts", "system:authenticated")


@pytest.fixture
def manned(town):
    """The town with service accounts that work as people do, and its model trained on both."""
    begin = town.now - PAST * MINUTE
    for number, who in enumerate(ROBOTS):
        keep(town.database, list(work(who, begin, PAST, seed=number)))
    town.train(tune=lambda recipe: recipe)
    with town.database.begin() as session:
        model = load_model(session, champion(session, town.cluster_id))
    assert "serviceaccount" in model.newcomers
    return town


def found(town):
    judge(town.database, town.judge(), Span(town.now))
    with town.database.begin() as session:
        return [(one.entity, one.name) for one in list_findings(session, Wanted(since=town.now))]


def listing(who, at):
    """Every secret of the cluster in a handful of requests, as kubectl and client libraries page them."""
    return [
        raw_event("secrets", "list", namespace="", by=who, groups=ACCOUNTS, at=at + number * MINUTE / 60)
        for number in range(3)
    ]


@pytest.mark.parametrize(
    ("deed", "name"),
    [
        pytest.param(
            lambda who, at: theft(who, at, 40, groups=ACCOUNTS), "secrets_enumerated", id="one by one"
        ),
        pytest.param(listing, "secrets_accessed", id="all at once"),
    ],
)
@pytest.mark.parametrize("who", ["system:serviceaccount:ci:fresh", "system:serviceaccount:nowhere:fresh"])
def test_a_new_service_account_that_takes_every_secret_is_found_in_its_first_window(manned, who, deed, name):
    manned.keep(*deed(who, manned.now))

    assert found(manned) == [(who, name)]


def test_a_new_service_account_that_works_like_its_peers_stays_quiet(manned):
    manned.keep(*work("system:serviceaccount:ci:fresh", manned.now, 1, seed=9))

    assert found(manned) == []
