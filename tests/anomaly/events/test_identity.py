"""Whose request it is."""

import msgspec
import pytest

from anomaly.events.event import User
from anomaly.events.identity import (
    EntityKind,
    addresses_of,
    annotations_of,
    decode_addresses,
    decode_annotations,
    decode_user,
    identity_of,
    impersonated_of,
    user_of,
)
from anomaly.events.remember import LARGEST, remembered
from anomaly.testing import event


@pytest.mark.parametrize(
    ("username", "kind", "name", "namespace"),
    [
        ("alice@example.com", EntityKind.HUMAN, "alice@example.com", ""),
        ("system:serviceaccount:ci:deployer", EntityKind.SERVICE_ACCOUNT, "deployer", "ci"),
        ("system:serviceaccount:ci", EntityKind.SERVICE_ACCOUNT, "", "ci"),
        ("system:node:worker-1", EntityKind.NODE, "worker-1", ""),
        ("system:kube-scheduler", EntityKind.SYSTEM, "kube-scheduler", ""),
        ("system:anonymous", EntityKind.ANONYMOUS, "system:anonymous", ""),
        ("", EntityKind.ANONYMOUS, "system:unauthenticated", ""),
        ("System:node:x", EntityKind.HUMAN, "System:node:x", ""),
        (" system:node:x", EntityKind.HUMAN, " system:node:x", ""),
    ],
)
def test_the_name_alone_tells_the_kind(username, kind, name, namespace):
    found = identity_of(username)
    assert (found.kind, found.name, found.namespace) == (kind, name, namespace)
    assert found.username == (username or "system:unauthenticated")
    assert found.service_account == (kind is EntityKind.SERVICE_ACCOUNT)


def test_the_caller_and_the_one_acted_as_stay_two():
    both = event(by="alice@example.com", groups=["dev"], extra={"k": ["v"]}, acting_as="root")
    assert user_of(both) == User("alice@example.com", "", ("dev",), {"k": ("v",)})
    assert impersonated_of(both).username == "root"
    assert impersonated_of(event()) is None
    assert impersonated_of(event(impersonatedUser=None)) is None


def test_nobody_is_an_empty_user():
    assert user_of(event(by="")) == User()
    assert decode_user(b"") == decode_user(b"null") == decode_user(b"{}") == User()


def test_the_peer_is_the_last_address():
    claimed = event(sourceIPs=["10.0.0.1", "made up", "203.0.113.9"])
    assert addresses_of(claimed) == ("10.0.0.1", "made up", "203.0.113.9")
    assert addresses_of(event(sourceIPs=None)) == addresses_of(event(sourceIPs=[])) == ()


def test_annotations_are_texts():
    assert annotations_of(event(annotations={"a": "b"}))["a"] == "b"
    assert annotations_of(event(annotations=None)) is not None


@pytest.mark.parametrize(
    ("decode", "raw"),
    [
        (decode_user, b"[]"),
        (decode_user, b'{"username":1}'),
        (decode_user, b'{"groups":"x"}'),
        (decode_user, b'{"username":"\xff"}'),
        (decode_addresses, b'"x"'),
        (decode_addresses, b"[1]"),
        (decode_annotations, b'{"a":1}'),
        (decode_annotations, b"[]"),
    ],
)
def test_what_is_no_such_block_is_refused(decode, raw):
    for _ in range(2):
        with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
            decode(raw)


def test_large_keys_are_answered_and_not_remembered():
    asked = []

    @remembered(8, len)
    def work(key):
        asked.append(key)
        if key == "bad":
            raise ValueError(key)
        return key.upper()

    large = "x" * (LARGEST + 1)
    assert [work("a"), work("a"), work(large), work(large)] == ["A", "A", large.upper(), large.upper()]
    assert asked == ["a", large, large]
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            work("bad")
