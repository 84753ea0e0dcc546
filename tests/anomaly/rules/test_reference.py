"""The schema and the page say what the program does."""

from pathlib import Path

import pytest

import anomaly.rules
from anomaly.rules.document import read_file
from anomaly.rules.fields import FIELDS, field_of
from anomaly.rules.parse import OWN_KEYS
from anomaly.rules.podschema import POD
from anomaly.rules.reference import field_rows, field_table, with_table
from anomaly.rules.schema import json_schema

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "rule-language.md"
PACK = sorted((Path(anomaly.rules.__file__).parent / "pack").glob("*.yml"))


def test_the_page_holds_the_field_table_of_the_program():
    text = PAGE.read_text(encoding="utf-8")
    assert with_table(text) == text, (
        "renew it: python -m anomaly rules fields --page docs/reference/rule-language.md"
    )


def test_the_page_names_every_key_and_modifier():
    from sigma.modifiers import modifier_mapping

    text = PAGE.read_text(encoding="utf-8")
    for word in (*OWN_KEYS, *modifier_mapping, "event_count", "value_count", "temporal", "temporal_ordered"):
        assert f"`{word}`" in text, word


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="no place"):
        with_table("# A page\n")


@pytest.mark.parametrize("name", [*FIELDS, *(f"pod.{path}" for path in POD)])
def test_every_field_of_the_table_can_be_asked_for(name):
    field = field_of(name)
    assert field is not None
    assert (field.of_shape is None) is not (field.of_view is None)
    assert field.level in {"Metadata", "Request", "RequestResponse"}
    assert field.about


def test_the_table_has_a_row_for_each_field():
    assert {row["field"] for row in field_rows()} >= set(FIELDS)
    assert field_table().count("\n| `") == len(field_rows())


def conforms(value, schema, root):
    """Enough of JSON Schema for ours: type, enum, const, properties, patterns, anyOf, oneOf, items, $ref."""
    import re

    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    names = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        type(None): "null",
        list: "array",
        dict: "object",
    }
    if "type" in schema:
        allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        kind = names[type(value)]
        if kind not in allowed and not (kind == "integer" and "number" in allowed):
            return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "anyOf" in schema and not any(conforms(value, one, root) for one in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(conforms(value, one, root) for one in schema["oneOf"]) != 1:
        return False
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, list) and "items" in schema:
        return all(conforms(one, schema["items"], root) for one in value)
    if isinstance(value, dict):
        if not set(schema.get("required", ())) <= set(value):
            return False
        for key, inner in value.items():
            own = schema.get("properties", {}).get(key)
            rest = [
                one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, key)
            ]
            extra = schema.get("additionalProperties", True)
            if own is None and not rest and extra is False:
                return False
            told = [one for one in (own, *rest) if one is not None] or (
                [extra] if isinstance(extra, dict) else []
            )
            if not all(conforms(inner, one, root) for one in told):
                return False
    return True


@pytest.mark.parametrize("file", PACK, ids=lambda file: file.stem)
def test_every_rule_of_the_pack_conforms_to_the_schema(file):
    schema = json_schema()
    assert conforms(read_file(file)[0].data, schema, schema)


@pytest.mark.parametrize(
    "data",
    [
        {"title": "t"},
        {"title": "t", "detection": {"a": {"verb": "get"}}},
        {"title": "t", "detection": {"a": {"nosuch": "get"}, "condition": "a"}},
        {"title": "t", "detection": {"a": {"verb": "exec"}, "condition": "a"}},
        {"title": "t", "level": "urgent", "detection": {"a": {"verb": "get"}, "condition": "a"}},
        {"title": "t", "stages": ["late"], "detection": {"a": {"verb": "get"}, "condition": "a"}},
        {"title": "t", "correlation": {"type": "sum", "timespan": "1m"}},
    ],
)
def test_what_the_check_refuses_the_schema_refuses_too(data):
    schema = json_schema()
    assert not conforms(data, schema, schema)
