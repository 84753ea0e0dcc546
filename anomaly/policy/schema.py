"""The Go types an audit policy is decoded into (`k8s.io/apiserver/pkg/apis/audit/v1` and the ObjectMeta it embeds), as data.

`spoken` is the name Go's decoder gives a type in its errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Text:
    spoken: str = "string"


@dataclass(frozen=True, slots=True)
class Flag:
    spoken: str = "bool"


@dataclass(frozen=True, slots=True)
class Whole:
    spoken: str = "int64"


@dataclass(frozen=True, slots=True)
class Moment:
    spoken: str = "v1.Time"


@dataclass(frozen=True, slots=True)
class Anything:
    spoken: str = "v1.FieldsV1"


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type

    @property
    def spoken(self) -> str:
        return f"[]{self.item.spoken}"


@dataclass(frozen=True, slots=True)
class TextMap:
    spoken: str = "map[string]string"


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    fields: Mapping[str, Type]
    package: str = "v1"

    @property
    def spoken(self) -> str:
        return f"{self.package}.{self.name}"


Type = Text | Flag | Whole | Moment | Anything | ListOf | TextMap | Struct

TEXTS: Final = ListOf(Text())
STAGES: Final = ListOf(Text("v1.Stage"))

OWNER: Final = Struct(
    "OwnerReference",
    {
        "apiVersion": Text(),
        "kind": Text(),
        "name": Text(),
        "uid": Text("types.UID"),
        "controller": Flag(),
        "blockOwnerDeletion": Flag(),
    },
)
MANAGED: Final = Struct(
    "ManagedFieldsEntry",
    {
        "manager": Text(),
        "operation": Text("v1.ManagedFieldsOperationType"),
        "apiVersion": Text(),
        "time": Moment(),
        "fieldsType": Text(),
        "fieldsV1": Anything(),
        "subresource": Text(),
    },
)
METADATA: Final = Struct(
    "ObjectMeta",
    {
        "name": Text(),
        "generateName": Text(),
        "namespace": Text(),
        "selfLink": Text(),
        "uid": Text("types.UID"),
        "resourceVersion": Text(),
        "generation": Whole(),
        "creationTimestamp": Moment(),
        "deletionTimestamp": Moment(),
        "deletionGracePeriodSeconds": Whole(),
        "labels": TextMap(),
        "annotations": TextMap(),
        "ownerReferences": ListOf(OWNER),
        "finalizers": TEXTS,
        "managedFields": ListOf(MANAGED),
    },
)
GROUP_RESOURCES: Final = Struct(
    "GroupResources", {"group": Text(), "resources": TEXTS, "resourceNames": TEXTS}
)
RULE: Final = Struct(
    "PolicyRule",
    {
        "level": Text("v1.Level"),
        "users": TEXTS,
        "userGroups": TEXTS,
        "verbs": TEXTS,
        "resources": ListOf(GROUP_RESOURCES),
        "namespaces": TEXTS,
        "nonResourceURLs": TEXTS,
        "omitStages": STAGES,
        "omitManagedFields": Flag(),
    },
)
POLICY: Final = Struct(
    "Policy",
    {
        "kind": Text(),
        "apiVersion": Text(),
        "metadata": METADATA,
        "rules": ListOf(RULE),
        "omitStages": STAGES,
        "omitManagedFields": Flag(),
    },
)
INTERNAL_RULE: Final = Struct(
    "PolicyRule",
    {
        "Level": Text("audit.Level"),
        "Users": TEXTS,
        "UserGroups": TEXTS,
        "Verbs": TEXTS,
        "Resources": ListOf(
            Struct(
                "GroupResources",
                {"Group": Text(), "Resources": TEXTS, "ResourceNames": TEXTS},
                "audit",
            )
        ),
        "Namespaces": TEXTS,
        "NonResourceURLs": TEXTS,
        "OmitStages": ListOf(Text("audit.Stage")),
        "OmitManagedFields": Flag(),
    },
    "audit",
)
INTERNAL: Final = Struct(
    "Policy",
    {
        "kind": Text(),
        "apiVersion": Text(),
        **METADATA.fields,
        "Rules": ListOf(INTERNAL_RULE),
        "OmitStages": ListOf(Text("audit.Stage")),
        "OmitManagedFields": Flag(),
    },
    "audit",
)
"""Without an apiVersion the server decodes into its internal type, whose fields have no JSON names of their own."""
