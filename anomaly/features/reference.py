"""The page of the documentation that lists all features, written from their docstrings."""

from __future__ import annotations

import importlib
from itertools import groupby

from anomaly.features import families
from anomaly.features.registry import definitions


def page() -> str:
    """This will return the Markdown of `docs/reference/features.md`, a section a family."""
    found = definitions()
    lines = [
        "# Features",
        "",
        "Generated from the docstrings in `anomaly/features/families/`; a test holds that it is current.",
        f"There are {len(found)} features in {len({each.feature.family for each in found})} families.",
        "Novelty and rarity are judged against what is usual for the kind of entity, since they look back by themselves;",
        "all others against what is usual for the entity itself and its peers.",
        "",
    ]
    for family, members in groupby(found, key=lambda each: each.feature.family):
        said = (importlib.import_module(f"{families.__name__}.{family}").__doc__ or "").strip()
        lines += [f"## {family}", "", said, "", "| feature | unit | what and why |", "|---|---|---|"]
        lines += [
            f"| `{each.feature.name}` | {each.feature.unit} | {_reason(each.feature.reason)} |"
            for each in members
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _reason(said: str) -> str:
    said = said.removeprefix("This will return ").replace("|", "\\|")
    return said[0].upper() + said[1:]
