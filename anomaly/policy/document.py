"""What an audit policy is once decoded: levels, stages, rules. Names and meaning are audit.k8s.io/v1's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How much of a request is written down. Levels compare by what they hold: None < Metadata < Request < RequestResponse."""

    NONE = "None"
    METADATA = "Metadata"
    REQUEST = "Request"
    REQUEST_RESPONSE = "RequestResponse"

    @property
    def rank(self) -> int:
        return _RANKS[self]


class Stage(StrEnum):
    """When in the life of a request an event is written."""

    REQUEST_RECEIVED = "RequestReceived"
    RESPONSE_STARTED = "ResponseStarted"
    RESPONSE_COMPLETE = "ResponseComplete"
    PANIC = "Panic"


_RANKS: Final = {level: rank for rank, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class GroupResources:
    """One entry of a rule's `resources`: a group, what of it, and which objects by name."""

    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. An empty criterion restricts nothing; `omit_managed_fields` None leaves it to the policy."""

    level: str
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    omit_stages: tuple[str, ...] = ()
    omit_managed_fields: bool | None = None

    @property
    def restricts(self) -> bool:
        """Whether any criterion is given; a rule without one matches every request."""
        criteria = (
            self.users,
            self.user_groups,
            self.verbs,
            self.resources,
            self.namespaces,
        )
        return any(criteria) or bool(self.non_resource_urls)


@dataclass(frozen=True, slots=True)
class Policy:
    """An accepted policy: the rules in the order they are asked."""

    rules: tuple[Rule, ...]
    omit_stages: tuple[str, ...] = ()
    omit_managed_fields: bool = False


def policy_from(values: Mapping[str, object]) -> Policy:
    """This will build a Policy of decoded field values (see `decode`); types are already right."""
    rules = _dicts(values.get("rules"))
    flag = values.get("omitManagedFields")
    return Policy(tuple(map(_rule, rules)), _texts(values.get("omitStages")), flag is True)


def _rule(values: Mapping[str, object]) -> Rule:
    flag = values.get("omitManagedFields")
    return Rule(
        level=str(values.get("level") or ""),
        users=_texts(values.get("users")),
        user_groups=_texts(values.get("userGroups")),
        verbs=_texts(values.get("verbs")),
        resources=tuple(map(_entry, _dicts(values.get("resources")))),
        namespaces=_texts(values.get("namespaces")),
        non_resource_urls=_texts(values.get("nonResourceURLs")),
        omit_stages=_texts(values.get("omitStages")),
        omit_managed_fields=flag if isinstance(flag, bool) else None,
    )


def _entry(values: Mapping[str, object]) -> GroupResources:
    names = _texts(values.get("resourceNames"))
    return GroupResources(str(values.get("group") or ""), _texts(values.get("resources")), names)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
