import numpy as np

from anomaly.events.decode import decode_lines
from anomaly.events.identity import EntityKind, identity_of
from anomaly.testing import raw_event
from anomaly.windows.entity import Entity
from anomaly.windows.memory import gather
from anomaly.windows.peers import KINDS, peer_groups, spherical_k_means

MINUTE = 60_000_000
TEAM = ("payments", "system:authenticated")


def learned(events):
    memory = gather(decode_lines(b"\n".join(events)), MINUTE)
    return memory, peer_groups(memory.entities, memory.windows)


def habit(who, resource, verb, windows=8, groups=("system:authenticated",)):
    return [raw_event(resource, verb, by=who, at=60 * number, groups=groups) for number in range(windows)]


def test_people_in_the_same_groups_are_peers():
    events = [event for who in ("amy", "bob", "cleo") for event in habit(who, "pods", "list", 2, TEAM)]
    _, peers = learned(events + habit("dan", "pods", "list", 2))

    assert peers.name_of(1) == peers.name_of(2) == peers.name_of(3) == "people in payments"
    assert peers.name_of(4) == "all people"


def test_two_in_a_group_are_no_group():
    _, peers = learned(habit("amy", "pods", "list", 2, TEAM) + habit("bob", "pods", "list", 2, TEAM))

    assert peers.name_of(1) == "all people"


def test_service_accounts_of_a_namespace_are_peers():
    names = [f"system:serviceaccount:ci:{name}" for name in ("build", "deploy", "test")]
    _, peers = learned([event for who in names for event in habit(who, "pods", "list", 1)])

    assert {peers.name_of(number) for number in (1, 2, 3)} == {"service accounts of ci"}


def test_people_without_groups_are_grouped_by_what_they_do_alike():
    readers = [event for who in ("a1", "a2", "a3", "a4") for event in habit(who, "pods", "list")]
    writers = [event for who in ("b1", "b2", "b3", "b4") for event in habit(who, "apps/deployments", "patch")]
    _, peers = learned(readers + writers)

    labels = peers.groups.tolist()

    assert len(set(labels[:4])) == 1
    assert len(set(labels[4:])) == 1
    assert labels[0] != labels[4]
    assert "work alike" in peers.name_of(1)


def test_a_stranger_falls_back_on_its_declared_group_and_else_its_kind():
    events = [event for who in ("amy", "bob", "cleo") for event in habit(who, "pods", "list", 2, TEAM)]
    _, peers = learned(events)
    mate, loner = Entity(10, 1, identity_of("mate")), Entity(11, 1, identity_of("loner"))

    later = peers.with_strangers([mate, loner], {10: TEAM})

    assert later.name_of(10) == "people in payments"
    assert later.name_of(11) == "all people"
    assert later.name_of(1) == peers.name_of(1)
    assert peers.name_of(10) == ""


def test_kinds_are_told_apart():
    memory, peers = learned(
        [raw_event(by="amy"), raw_event(by="system:node:n1"), raw_event(by="system:anonymous")]
    )
    kinds = {entity.title: KINDS[code] for entity, code in zip(memory.entities, peers.kinds, strict=True)}

    assert kinds["amy"] is EntityKind.HUMAN
    assert kinds["system:node:n1"] is EntityKind.NODE
    assert kinds["system:anonymous"] is EntityKind.ANONYMOUS


def test_clustering_is_the_same_every_time():
    rows = np.random.default_rng(3).random((40, 6))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)

    assert spherical_k_means(rows, 4).tolist() == spherical_k_means(rows, 4).tolist()
    assert set(spherical_k_means(rows, 4).tolist()) == {0, 1, 2, 3}
