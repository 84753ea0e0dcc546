"""Refused bodies are counted once each, by cluster, until somebody has stored the counts."""

import threading

from anomaly.settings import Settings
from anomaly.store.clusters import add_cluster
from anomaly.store.tokens import issue
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.refusals import Refusals, Refused
from anomaly.web.server import clock
from tests.anomaly.web.asking import app_on, ask


def test_bodies_and_bytes_are_counted_by_cluster_and_taken_once():
    refusals = Refusals()
    refusals.count(1, 100)
    refusals.count(1, 0)
    refusals.count(2, 7)
    assert refusals.take() == {1: Refused(2, 100), 2: Refused(1, 7)}
    assert refusals.take() == {}
    assert refusals.totals() == {1: Refused(2, 100), 2: Refused(1, 7)}


def test_what_could_not_be_stored_is_there_again_beside_what_came_meanwhile():
    refusals = Refusals()
    refusals.count(1, 100)
    taken = refusals.take()
    refusals.count(1, 10)
    refusals.give_back(taken)
    assert refusals.take() == {1: Refused(2, 110)}
    assert refusals.totals() == {1: Refused(2, 110)}


def test_no_refusal_is_missed_when_many_threads_count_and_one_takes():
    refusals, found = Refusals(), []
    counters = [
        threading.Thread(target=lambda: [refusals.count(3, 1) for _ in range(2_000)]) for _ in range(4)
    ]
    for thread in counters:
        thread.start()
    while any(thread.is_alive() for thread in counters):
        found.append(refusals.take())
    found.append(refusals.take())
    assert sum((taken.get(3, Refused()) for taken in found), Refused()) == Refused(8_000, 8_000)


def test_a_body_that_finds_no_room_is_sent_back_and_counted_for_its_cluster(database, commit):
    with database.begin() as connection:
        number = add_cluster(connection, "shop")
        token = issue(connection, number)
    settings = Settings()
    full = Pending(1)
    shared = Shared(settings, database, Doorkeeper(database, clock, settings.access), full, commit)
    status, headers, _ = ask(app_on(shared), "POST", "/v1/clusters/shop/audit", f"Bearer {token}")
    assert status == 503
    assert 5 <= int(headers[b"retry-after"]) <= 15
    assert {cluster: refused.bodies for cluster, refused in shared.refusals.take().items()} == {number: 1}
    assert full.held == 0
