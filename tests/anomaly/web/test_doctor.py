"""The doctor over HTTP: the same as the command says, within one's scope."""

import json
from datetime import timedelta

import pytest

from anomaly.rights import Right
from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import Grant, make
from anomaly.web.clock import clock
from tests.anomaly.web.asking import ask


@pytest.fixture
def get(app, database):
    with database.begin() as connection:
        shop, _ = add_cluster(connection, "shop"), add_cluster(connection, "bank")
        tokens = {
            scope: make(
                connection, Grant("", frozenset({Right.READ}), clusters, clock() + timedelta(hours=1))
            )[1]
            for scope, clusters in (("all", None), ("shop", frozenset({shop})))
        }

    def asked(path, scope="all"):
        status, _, body = ask(app, "GET", path, f"Bearer {tokens[scope]}", body=b"")
        return status, json.loads(body)

    return asked


def test_the_whole_is_for_who_sees_all(get):
    status, found = get("/v1/doctor")
    assert status == 200
    assert [one["cluster"] for one in found["clusters"]] == ["bank", "shop"]
    assert "database" in {one["name"] for one in found["checks"]}
    assert found["clusters"][1]["arrives"]["day"]["kept"] == 0


def test_a_scope_shows_its_clusters_and_nothing_of_the_installation(get):
    status, found = get("/v1/doctor", "shop")
    assert (status, found["checks"]) == (200, [])
    assert [one["cluster"] for one in found["clusters"]] == ["shop"]
    assert get("/v1/doctor?cluster=bank", "shop")[0] == get("/v1/doctor?cluster=nowhere", "shop")[0] == 404


def test_the_account_is_told_by_day(get):
    status, found = get("/v1/clusters/shop/completeness?days=3")
    assert status == 200
    assert [one["total"]["kept"] for one in found["days"]] == [0, 0, 0]
    assert found["alarms"] == found["pauses"] == found["restarts"] == [] and found["loss"] is None
    assert get("/v1/clusters/shop/completeness?days=0")[0] == 422
    assert get("/v1/clusters/bank/completeness", "shop")[0] == 404
