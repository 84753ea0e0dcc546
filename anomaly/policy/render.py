"""A policy as a YAML file with a comment above each rule that says what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from textwrap import wrap

from anomaly.policy.document import GroupResources, Rule

Remarked = tuple[str, Rule]
"""A rule with the comment that goes above it."""


def render(rules: Iterable[Remarked], *, heading: str = "", omit_managed_fields: bool = True) -> str:
    """This will return the file. Names are always quoted, so that no word of YAML changes its meaning."""
    lines = _comment(heading, 0)
    lines += ["apiVersion: audit.k8s.io/v1", "kind: Policy"]
    lines += ["omitManagedFields: true"] if omit_managed_fields else []
    lines += ["rules:"]
    for comment, rule in rules:
        lines += _comment(comment, 2)
        lines += _rule(rule)
    return "\n".join([*lines, ""])


def _comment(text: str, indent: int) -> list[str]:
    return [f"{' ' * indent}# {line}" for line in wrap(text, 100 - indent)]


def _rule(rule: Rule) -> list[str]:
    lines = [f"  - level: {rule.level}"]
    lists = (
        ("users", rule.users),
        ("userGroups", rule.user_groups),
        ("verbs", rule.verbs),
        ("namespaces", rule.namespaces),
        ("nonResourceURLs", rule.non_resource_urls),
        ("omitStages", rule.omit_stages),
    )
    lines += [f"    {name}: {_list(values)}" for name, values in lists if values]
    if rule.resources:
        lines.append("    resources:")
        for entry in rule.resources:
            lines += _entry(entry)
    return lines


def _entry(entry: GroupResources) -> list[str]:
    lines = [f"      - group: {_quoted(entry.group)}"]
    lines += [f"        resources: {_list(entry.resources)}"] if entry.resources else []
    return lines + ([f"        resourceNames: {_list(entry.resource_names)}"] if entry.resource_names else [])


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, values))}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
