"""What the server checks of a decoded policy, in its order and its words. All errors of a file are gathered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from anomaly.policy.document import GroupResources, Level, Policy, Rule, Stage
from anomaly.policy.go_text import json_list, quoted

_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end"
    " with an alphanumeric character (e.g. 'example.com', regex used for validation is '"
    rf"{_LABEL}(\.{_LABEL})*')"
)
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True)
class Violation:
    """One failed check: where (a path the server prints) and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def validate(policy: Policy) -> tuple[Violation, ...]:
    """This will return everything wrong with the policy, each said once, in the order of the server."""
    found = _stages(policy.omit_stages, "omitStages")
    for index, rule in enumerate(policy.rules):
        found += _rule(rule, f"rules[{index}]")
    return tuple(dict.fromkeys(found))


def said(violations: tuple[Violation, ...]) -> str:
    """This will return the server's one line for all of them."""
    texts = [str(violation) for violation in violations]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _rule(rule: Rule, path: str) -> list[Violation]:
    found = _level(rule.level, f"{path}.level")
    found += _urls(rule.non_resource_urls, f"{path}.nonResourceURLs")
    for entry in rule.resources:
        found += _entry(entry, f"{path}.resources")
    found += _stages(rule.omit_stages, f"{path}.omitStages")
    if rule.non_resource_urls and (rule.resources or rule.namespaces):
        shown = json_list(rule.non_resource_urls)
        reason = "rules cannot apply to both regular resources and non-resource URLs"
        found.append(Violation(f"{path}.nonResourceURLs", f"Invalid value: {shown}: {reason}"))
    return found


def _level(level: str, path: str) -> list[Violation]:
    if level in set(Level):
        return []
    if not level:
        return [Violation(path, "Required value")]
    allowed = ", ".join(quoted(known) for known in Level)
    return [Violation(path, f"Unsupported value: {quoted(level)}: supported values: {allowed}")]


def _urls(urls: tuple[str, ...], path: str) -> list[Violation]:
    found = []
    for index, url in enumerate(urls):
        if url == "*":
            continue
        place, shown = f"{path}[{index}]", f"Invalid value: {quoted(url)}"
        if not url.startswith("/"):
            found.append(
                Violation(
                    place,
                    f"{shown}: non-resource URL rules must begin with a '/' character",
                )
            )
        if "*" in url[:-1]:
            reason = "non-resource URL wildcards '*' must be the final character of the rule"
            found.append(Violation(place, f"{shown}: {reason}"))
    return found


def _entry(entry: GroupResources, path: str) -> list[Violation]:
    found = []
    reasons = _group_reasons(entry.group)
    if reasons:
        found.append(
            Violation(
                f"{path}.group",
                f"Invalid value: {quoted(entry.group)}: {','.join(reasons)}",
            )
        )
    if entry.resource_names and not entry.resources:
        shown = json_list(entry.resource_names)
        reason = "using resourceNames requires at least one resource"
        found.append(Violation(f"{path}.resourceNames", f"Invalid value: {shown}: {reason}"))
    return found


def _group_reasons(group: str) -> list[str]:
    if group in {"", "*"}:
        return []
    too_long = len(group.encode("utf-8", "replace")) > _LONGEST
    reasons = [f"must be no more than {_LONGEST} bytes"] if too_long else []
    return reasons if _SUBDOMAIN.match(group) else [*reasons, _SUBDOMAIN_RULE]


def _stages(stages: tuple[str, ...], path: str) -> list[Violation]:
    allowed = ",".join(Stage)
    return [
        Violation(
            f"{path}[{index}]",
            f"Invalid value: {quoted(stage)}: allowed stages are {allowed}",
        )
        for index, stage in enumerate(stages)
        if stage not in set(Stage)
    ]
