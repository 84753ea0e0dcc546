"""The fields of the language as text: what docs/reference/event-query.md shows. `python -m anomaly.query.reference` renews it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from anomaly.query.fields import FIELDS, Cost, Field

PAGE: Final = Path("docs") / "reference" / "event-query.md"
_BEGIN: Final = "<!-- fields: written by the program, do not edit -->\n"
_END: Final = "<!-- end of fields -->\n"
_COSTS: Final = {Cost.INDEX: "index", Cost.ROWS: "rows", Cost.RAW: "raw events"}


def field_table() -> str:
    """This will return the table of fields in Markdown."""
    return "\n".join(_lines()) + "\n"


def with_table(page: str) -> str:
    """This will return the page with the table as it is now."""
    return re.sub(
        f"{re.escape(_BEGIN)}.*?{re.escape(_END)}",
        lambda _: f"{_BEGIN}{field_table()}{_END}",
        page,
        flags=re.DOTALL,
    )


def _lines() -> Iterator[str]:
    yield "| field | also | what it is | example | answered by |"
    yield "|---|---|---|---|---|"
    for field in FIELDS.values():
        also = ", ".join(field.aliases) or "-"
        yield f"| `{field.name}` | {also} | {_about(field)} | `{field.example}` | {_COSTS[field.cost]} |"


def _about(field: Field) -> str:
    values = f" One of {', '.join(field.choices)}." if field.choices and field.name != "outcome" else ""
    return f"{field.about}{values}".replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
