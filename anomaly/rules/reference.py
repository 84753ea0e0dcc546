"""The field table and the modifiers as text: what docs/reference/rule-language.md and `anomaly rules fields` show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from anomaly.rules.fields import FIELDS, LEVELS, OPEN, field_of
from anomaly.rules.podschema import CONTAINERS, POD

BEGIN: Final = "<!-- fields: written by the program, do not edit -->"
END: Final = "<!-- end of fields -->"


def field_rows() -> list[dict[str, object]]:
    """This will return a row for each field: name, type, level needed, meaning with closed values."""
    return list(_rows())


def _rows() -> Iterator[dict[str, object]]:
    for field in FIELDS.values():
        closed = f": {', '.join(field.closed)}" if field.closed else ""
        yield {
            "field": field.name,
            "type": field.type,
            "level": field.level,
            "about": f"{field.about}{closed}",
        }
    for prefix, about in OPEN.items():
        example = field_of(f"{prefix}x")
        level = example.level if example else LEVELS[0]
        yield {
            "field": f"{prefix}*",
            "type": example.type if example else "any",
            "level": level,
            "about": about,
        }
    for path, kind in POD.items():
        if path.startswith(tuple(f"{group}[]" for group in CONTAINERS[1:])):
            continue
        about = (
            "in init and ephemeral containers too"
            if path.startswith(CONTAINERS[0])
            else "of any workload written"
        )
        yield {"field": f"pod.{path}", "type": kind, "level": "Request", "about": about}


def field_table() -> str:
    """This will return the table in Markdown, between its marks."""
    lines = ["| field | type | audit level | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{row['field']}` | {row['type']} | {row['level']} | {row['about']} |" for row in field_rows()
    ]
    return "\n".join([BEGIN, *lines, END])


def with_table(text: str) -> str:
    """This will return a page with its field table renewed. Raises ValueError when the marks are missing."""
    head, _, rest = text.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError("the page has no place for the field table")
    return f"{head}{field_table()}{tail}"
