"""Whose request it is: the user block as sent, and the identity behind it.

The user, address and annotation blocks of one caller repeat byte for byte, so each is decoded once and then looked up by
its bytes. Caches are bounded in number and size: an attacker who varies them costs decoding time, not memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from anomaly.events.event import Event, User
from anomaly.events.remember import remembered

SERVICE_ACCOUNT: Final = "system:serviceaccount:"
NODE: Final = "system:node:"
CREDENTIAL_ID: Final = "authentication.kubernetes.io/credential-id"
UNAUTHENTICATED: Final = "system:unauthenticated"

_users: Final = msgspec.json.Decoder(User | None)
_addresses: Final = msgspec.json.Decoder(tuple[str, ...] | None)
_annotations: Final = msgspec.json.Decoder(dict[str, str] | None)


class EntityKind(StrEnum):
    """Who can be judged: each kind behaves so differently that each has a forest of its own."""

    HUMAN = "human"
    SERVICE_ACCOUNT = "serviceaccount"
    NODE = "node"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller behind a user block.

    `name` is what people call it (`deployer` of namespace `ci`), `username` what the API server wrote
    (`system:serviceaccount:ci:deployer`); a request answered 401 has no username and is `system:unauthenticated`.
    """

    kind: EntityKind
    name: str
    namespace: str
    username: str

    @property
    def service_account(self) -> bool:
        return self.kind is EntityKind.SERVICE_ACCOUNT


@remembered(1 << 15, len)
def identity_of(username: str) -> Identity:
    """This will tell human, service account, node, system component and anonymous apart by the name alone.

    The prefixes are reserved by Kubernetes (authentication reference): nobody else can be given a `system:` name.
    """
    if username.startswith(SERVICE_ACCOUNT):
        namespace, _, name = username[len(SERVICE_ACCOUNT) :].partition(":")
        return Identity(EntityKind.SERVICE_ACCOUNT, name, namespace, username)
    if username.startswith(NODE):
        return Identity(EntityKind.NODE, username[len(NODE) :], "", username)
    if username in {"", "system:anonymous"}:
        name = username or UNAUTHENTICATED
        return Identity(EntityKind.ANONYMOUS, name, "", name)
    kind = EntityKind.SYSTEM if username.startswith("system:") else EntityKind.HUMAN
    return Identity(kind, username.removeprefix("system:"), "", username)


@remembered(1 << 15, len)
def decode_user(raw: bytes) -> User:
    """This will decode one user block. Raises msgspec.ValidationError when it is not one."""
    return (_users.decode(raw) if raw else None) or User()


@remembered(1 << 14, len)
def decode_addresses(raw: bytes) -> tuple[str, ...]:
    """This will decode `sourceIPs`. Raises msgspec.ValidationError when it is not a list of strings."""
    return (_addresses.decode(raw) if raw else None) or ()


@remembered(1 << 14, len)
def decode_annotations(raw: bytes) -> dict[str, str]:
    """This will decode annotations; the dict is shared and must not be changed. Raises msgspec.ValidationError."""
    return (_annotations.decode(raw) if raw else None) or {}


def user_of(event: Event) -> User:
    """This will return the authenticated user; empty for a request answered 401."""
    return decode_user(bytes(event.user))


def impersonated_of(event: Event) -> User | None:
    """This will return who the caller acted as, or None. A refused impersonation leaves no trace here (kube-apiserver 1.36)."""
    raw = bytes(event.impersonatedUser)
    return decode_user(raw) if raw and raw != b"null" else None


def addresses_of(event: Event) -> tuple[str, ...]:
    """This will return `sourceIPs`: X-Forwarded-For claims first, which anybody can write, the peer's own address last."""
    return decode_addresses(bytes(event.sourceIPs))


def annotations_of(event: Event) -> dict[str, str]:
    """This will return the annotations, shared between events: do not change them."""
    return decode_annotations(bytes(event.annotations))
