"""Families that look back: novelty, rarity, credentials, hours. Each with a past in which it fires and one in which it rests."""

import pytest

from anomaly.events.decode import decode_lines
from anomaly.features.history import History
from anomaly.features.registry import extract, layout
from anomaly.testing import raw_event
from anomaly.windows.memory import gather

MINUTE = 60_000_000
HOUR = 60 * MINUTE
LAST = 40
TOKEN = "authentication.kubernetes.io/credential-id"
E = raw_event


def usual(who="amy", windows=LAST, **fields):
    """The same two requests in every window but the last."""
    return [
        event
        for number in range(windows)
        for event in (
            E("pods", "list", by=who, at=60 * number, **fields),
            E("configmaps", "get", name="c", by=who, at=60 * number + 1, **fields),
        )
    ]


def last(events, who="amy", span=MINUTE):
    """The features of somebody's last window, as a dict; the mixes know all windows before it."""
    memory = gather(decode_lines(b"\n".join(events)), span)
    until = int(memory.windows.start.max())
    history = History.of(memory.windows, memory.firsts, memory.entities, until)
    _, matrix = extract(memory.windows, history)
    mine = (memory.windows.entity == memory.entity(who).id) & (memory.windows.start == until)
    return dict(zip(layout().names, matrix[mine][0].tolist(), strict=True))


def now(*args, who="amy", **fields):
    return E(*args, by=who, at=60 * LAST + 5, **fields)


NEW = [
    ("novelty.actions", now("pods", "delete", name="x")),
    ("novelty.places", now("pods", "list", namespace="payments")),
    ("novelty.addresses", now(address="198.51.100.9")),
    ("novelty.tools", now(agent="curl/8")),
    ("novelty.identities", now(acting_as="boss")),
    ("novelty.secrets", now("secrets", "get", name="db")),
    (
        "novelty.software",
        now("pods", "create", name="x", body={"spec": {"containers": [{"image": "new.example/x"}]}}),
    ),
    (
        "novelty.powers",
        now("pods", "create", name="x", body={"spec": {"hostPID": True, "containers": [{"image": "x"}]}}),
    ),
    ("novelty.pods_entered", now("pods/exec", "get", name="web-0")),
    ("novelty.refusals", now("secrets", "list", code=403)),
    ("novelty.deeds_unlike_peers", now("pods", "delete", name="x")),
    ("novelty.deeds_unlike_kind", now("pods", "delete", name="x")),
    ("novelty.deeds_unlike_anybody", now("pods", "delete", name="x")),
    ("novelty.content_unlike_kind", now("secrets", "get", name="db")),
    ("novelty.content_unlike_anybody", now("secrets", "get", name="db")),
    ("novelty.tools_unlike_anybody", now(agent="curl/8")),
    ("novelty.refusals_unlike_kind", now("secrets", "list", code=403)),
    ("novelty.sensitive_deeds", now("pods/exec", "get", name="web-0")),
    ("rarity.action", now("pods", "delete", name="x")),
    ("rarity.three_actions", now("pods", "delete", name="x")),
    ("rarity.place", now("pods", "list", namespace="payments")),
    ("rarity.three_places", now("pods", "list", namespace="payments")),
    ("rarity.address", now(address="198.51.100.9")),
    ("rarity.agent", now(agent="curl/8")),
    ("rarity.excess", now("pods", "delete", name="x")),
    ("rarity.action_for_peers", now("pods", "delete", name="x")),
    ("rarity.place_for_peers", now("pods", "list", namespace="payments")),
    ("rarity.sensitive_action", now("pods/exec", "get", name="web-0")),
    ("rarity.sensitive_total", now("pods/exec", "get", name="web-0")),
    ("credentials.moved", now(address="198.51.100.9")),
]


@pytest.mark.parametrize(("name", "event"), NEW, ids=[case[0] for case in NEW])
def test_what_was_never_done_before_stands_out_and_the_usual_does_not(name, event):
    past = usual() + usual("bob")
    fired = last([*past, event, now("pods", "list", who="bob")])
    quiet = last([*past, now("pods", "list"), now("pods", "list", who="bob")])

    assert fired[name] > 4 * max(quiet[name], 1.0)


def test_the_first_minutes_of_a_cluster_are_no_news():
    assert (
        last([E("pods", "list", by="amy"), E("secrets", "get", name="x", by="amy", at=2)])["novelty.actions"]
        == 0.0
    )


def test_another_version_of_the_same_tool_is_no_new_tool():
    past = usual(agent="kubectl/v1.30.1 (linux/amd64)")

    assert last([*past, now(agent="kubectl/v1.31.0 (linux/amd64)")])["novelty.tools"] == 0.0


def test_who_shows_something_new_every_window_is_less_strange_for_one_more():
    restless = usual() + [E("secrets", "get", name=f"s{n}", by="amy", at=60 * n + 9) for n in range(1, LAST)]
    one_more = now("secrets", "get", name="one-more")

    assert last([*restless, one_more])["novelty.secrets"] < 1.0
    assert last([*usual(), one_more])["novelty.secrets"] > 20.0


def test_a_stranger_who_does_what_its_peers_do_stays_at_zero():
    team = usual("bob") + usual("cleo") + usual("dan")
    found = last([*team, now("pods", "list"), now("configmaps", "get", name="c")])

    assert {name: value for name, value in found.items() if name.startswith("novelty.") and value > 0} == {}
    assert found["rarity.action"] < 3.0
    assert found["rarity.address"] == 0.0
    assert found["credentials.moved"] == 0.0


def test_a_stranger_who_does_what_nobody_does_stands_out_in_its_first_window():
    team = usual("bob") + usual("cleo") + usual("dan")
    theft = [now("secrets", "get", name=f"s{n}", namespace="db") for n in range(20)]
    found = last([*team, *theft])

    assert found["novelty.deeds_unlike_kind"] > 30.0
    assert found["novelty.content_unlike_kind"] > 100.0
    assert found["rarity.sensitive_action"] > 30.0
    assert found["novelty.actions"] == 0.0


def test_what_a_peer_did_before_is_new_for_the_entity_alone():
    past = usual() + usual("bob") + [E("pods", "delete", name="y", by="bob", at=60 * 20 + 9)]
    found = last([*past, now("pods", "delete", name="x")])

    assert found["novelty.actions"] > 20.0
    assert found["novelty.deeds_unlike_kind"] == 0.0


def test_a_new_address_with_a_new_credential_has_arrived_and_not_moved():
    old, new = {TOKEN: ["JTI=old"]}, {TOKEN: ["JTI=new"]}
    moved = last([*usual(extra=old), now(address="198.51.100.9", extra=old)])
    arrived = last([*usual(extra=old), now(address="198.51.100.9", extra=new)])

    assert moved["credentials.moved"] > 20.0
    assert moved["credentials.arrived"] == 0.0
    assert arrived["credentials.moved"] == 0.0
    assert arrived["credentials.arrived"] > 20.0


@pytest.mark.parametrize(
    ("issuer", "expected"), [("bob", 1.0), ("system:node:n1", 0.0)], ids=["a person", "its kubelet"]
)
def test_a_token_is_followed_from_who_issued_it_to_who_uses_it(issuer, expected):
    account = "system:serviceaccount:ci:build"
    issued = E(
        "serviceaccounts/token", "create", name="build", namespace="ci", by=issuer, at=60,
        annotations={"authentication.kubernetes.io/issued-credential-id": "JTI=77"},
    )  # fmt: skip
    found = last([*usual("bob"), issued, now(who=account, extra={TOKEN: ["JTI=77"]})], account)

    assert found["credentials.from_a_person"] == expected


def days(hour, count=12):
    """Work at nine in the morning for some working days, then once more on a Tuesday at `hour` (UTC)."""
    start = 86_400 * 1
    work = [E("pods", "list", by="amy", at=start + 86_400 * (day // 5 * 7 + day % 5)) for day in range(count)]
    return [*work, E("pods", "list", by="amy", at=start + 86_400 * 21 + 3600 * hour)]


def test_an_hour_in_which_one_never_works_is_unusual():
    assert last(days(17), span=HOUR)["hours.unusual_hour"] > 1.0


def test_the_hours_of_every_day_are_usual():
    assert last(days(0), span=HOUR)["hours.unusual_hour"] == 0.0


def test_a_few_days_are_no_rhythm():
    assert last(days(17, 3), span=HOUR)["hours.unusual_hour"] == 0.0


def test_a_token_issued_after_the_training_is_followed_at_once():
    account = "system:serviceaccount:ci:build"
    trained = gather(decode_lines(b"\n".join(usual("bob"))), MINUTE)
    before = History.of(trained.windows, trained.firsts, trained.entities, int(trained.windows.start.max()))
    issued = E(
        "serviceaccounts/token", "create", name="build", namespace="ci", by="bob", at=60 * LAST + 1,
        annotations={"authentication.kubernetes.io/issued-credential-id": "JTI=78"},
    )  # fmt: skip
    late = [*usual("bob"), issued, now(who=account, extra={TOKEN: ["JTI=78"]})]
    memory = gather(decode_lines(b"\n".join(late)), MINUTE)
    peers = before.peers.with_strangers(memory.entities)
    _, matrix = extract(memory.windows, before.refreshed(memory.firsts, peers, memory.windows))
    mine = memory.windows.entity == memory.entity(account).id

    assert matrix[mine][0, layout().names.index("credentials.from_a_person")] == 1.0
