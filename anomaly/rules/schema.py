"""The JSON Schema of a rule file, for editors: put `# yaml-language-server: $schema=...` in a rule's first line."""

from __future__ import annotations

from typing import Any, Final

from sigma.modifiers import modifier_mapping

from anomaly.rules.correlation import Kind
from anomaly.rules.examples import KNOWN
from anomaly.rules.fields import FIELDS, OPEN, Field
from anomaly.rules.parse import SEVERITIES
from anomaly.rules.podschema import POD
from anomaly.rules.rule import Stages

Schema = dict[str, Any]
_TEXTS: Final[Schema] = {"type": "array", "items": {"type": "string"}}
_TYPES: Final = {"int": ["integer", "string", "null"], "bool": ["boolean", "string", "null"]}


def json_schema() -> Schema:
    """This will return the schema (draft 2020-12) of one rule or correlation; fields are offered with their meaning."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rule over Kubernetes audit events, in Sigma",
        "type": "object",
        "required": ["title"],
        "oneOf": [{"required": ["detection"]}, {"required": ["correlation"]}],
        "properties": {**_card(), **_own(), "detection": _detection(), "correlation": _correlation()},
        "$defs": {"selection": _selection(), "event": _event()},
    }


def _card() -> Schema:
    return {
        "title": {"type": "string", "minLength": 1},
        "id": {"type": "string", "format": "uuid"},
        "name": {"type": "string"},
        "status": {"enum": ["stable", "test", "experimental", "deprecated", "unsupported"]},
        "description": {"type": "string"},
        "level": {"enum": list(SEVERITIES)},
        "tags": {**_TEXTS, "description": "attack.t1609, attack.execution, cve.2024-1234 ..."},
        "falsepositives": _TEXTS,
        "references": _TEXTS,
        "logsource": {
            "type": "object",
            "properties": {"product": {"const": "kubernetes"}, "service": {"const": "audit"}},
        },
    }


def _own() -> Schema:
    examples = {"type": "array", "items": {"$ref": "#/$defs/event"}}
    return {
        "look_at_first": {**_TEXTS, "description": "What a reviewer does first."},
        "group_by": {**_TEXTS, "description": "Matches with equal values of these fields are one finding."},
        "timeframe": {
            "type": "string",
            "pattern": "^[1-9][0-9]*[smhd]$",
            "description": "Bucket of a finding: 1h.",
        },
        "says": {"type": "string", "description": "One sentence about a match; {field} is filled in."},
        "stages": {"type": "array", "items": {"enum": [stage.value for stage in Stages]}},
        "tests": {"type": "object", "properties": {"firing": examples, "quiet": examples}},
    }


def _detection() -> Schema:
    condition = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "required": ["condition"],
        "properties": {"condition": {"anyOf": [condition, {"type": "array", "items": condition}]}},
        "additionalProperties": {"$ref": "#/$defs/selection"},
    }


def _selection() -> Schema:
    names = "|".join(sorted(modifier_mapping, key=len, reverse=True))
    known = {name: _field(field) for name, field in FIELDS.items()}
    known |= {f"pod.{path}": _value(kind) for path, kind in POD.items()}
    prefixes = "|".join(prefix.replace(".", "[.]") for prefix in (*OPEN, "pod."))
    plain = "|".join(name.replace(".", "[.]") for name in FIELDS)
    lines = {
        "type": "object",
        "properties": known,
        "patternProperties": {rf"^(({plain})|({prefixes}).+)?([|]({names}))+$": {}, rf"^({prefixes}).+$": {}},
        "additionalProperties": False,
    }
    return {"anyOf": [lines, {"type": "array"}, {"type": ["string", "number"]}]}


def _field(field: Field) -> Schema:
    return {"description": field.about, **_value(field.type, field.closed)}


def _value(kind: str, closed: tuple[str, ...] = ()) -> Schema:
    one: Schema = (
        {"enum": [*closed, None]} if closed else {"type": _TYPES.get(kind, ["string", "number", "null"])}
    )
    return {"anyOf": [one, {"type": "array", "items": one}, {"type": "string", "pattern": "[*?]"}]}


def _correlation() -> Schema:
    return {
        "type": "object",
        "required": ["type", "timespan"],
        "properties": {
            "type": {"enum": [kind.value for kind in Kind]},
            "rules": {"anyOf": [_TEXTS, {"type": "string"}]},
            "group-by": {"anyOf": [_TEXTS, {"type": "string"}]},
            "timespan": {"type": "string", "pattern": "^[1-9][0-9]*[smhdwMy]$"},
            "generate": {"type": "boolean"},
            "aliases": {"type": "object"},
            "condition": {"type": ["object", "string"]},
        },
        "additionalProperties": False,
    }


def _event() -> Schema:
    parts: Schema = {key: {} for key in sorted(KNOWN)}
    own: Schema = {
        "about": {"type": "string"},
        "audit": {"type": "object"},
        "times": {"type": "integer"},
        "every": {},
    }
    several: Schema = {"events": {"type": "array", "items": {"type": "object"}}}
    return {"type": "object", "properties": {**parts, **own, **several}, "additionalProperties": False}
