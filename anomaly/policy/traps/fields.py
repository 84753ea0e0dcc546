"""Fields the server drops in silence or reads otherwise than they look: misspelt, misplaced, doubled, empty, or in a second document."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anomaly.policy import known
from anomaly.policy.decode import Complaint
from anomaly.policy.document import GroupResources, Rule
from anomaly.policy.look import Look, in_text
from anomaly.policy.remark import Remark, Severity
from anomaly.policy.schema import GROUP_RESOURCES, POLICY, RULE, Struct

_RULE_PATH = re.compile(r"rules\[(\d+)\]")
_ENTRY_PATH = re.compile(r"rules\[\d+\]\.resources\[\d+\]\.[^.]+\Z")
_CRITERIA = {
    "users": "every user, and requests answered 401",
    "userGroups": "every user, and requests answered 401",
    "verbs": "every verb",
    "resources": "everything the other criteria leave",
    "namespaces": "every namespace and everything outside of namespaces",
    "nonResourceURLs": "everything the other criteria leave",
}
_HOUSES: tuple[tuple[str, Struct], ...] = (
    ("the policy itself", POLICY),
    ("the rule", RULE),
    ("an entry of resources", GROUP_RESOURCES),
)


@in_text
def unknown_fields(look: Look) -> Iterator[Remark]:
    """This will name every field the server drops, what the rule is without it, and what was meant."""
    for complaint in look.reading.complaints:
        if complaint.text.startswith("unknown field"):
            yield look.remark(
                "unknown-field",
                Severity.ERROR,
                complaint.path,
                f"there is no field {complaint.path}",
                f"the server warns once and drops it; {_left(look, complaint)}",
                _meant(complaint),
                complaint.line,
            )


def _left(look: Look, complaint: Complaint) -> str:
    match = _RULE_PATH.match(complaint.path)
    if match is None or int(match[1]) >= len(look.policy.rules):
        return "what it says is not in force"
    index = int(match[1])
    rule = look.policy.rules[index]
    if not rule.restricts:
        return f"rules[{index}] has no criterion left and matches every request, at level {rule.level or 'unset'}"
    if (
        rule.resources
        and all(entry == GroupResources(entry.group) for entry in rule.resources)
        and _ENTRY_PATH.match(complaint.path)
    ):
        return f"the entry names its group only, so rules[{index}] matches all of that group"
    return f"rules[{index}] matches without it, that is more than it says"


def _meant(complaint: Complaint) -> str:
    name = complaint.path.rpartition(".")[2]
    home = 2 if _ENTRY_PATH.match(complaint.path) else 1 if _RULE_PATH.match(complaint.path) else 0
    house, struct = _HOUSES[home]
    for other, fields in _HOUSES:
        if name in fields.fields and other != house:
            return f"{name} belongs to {other}: move it there"
    near = known.close(name, struct.fields)
    if near:
        return f"did you mean {near}?"
    elsewhere = next((found for _, other in _HOUSES if (found := known.close(name, other.fields))), None)
    return (
        f"did you mean {elsewhere}, which stands elsewhere?"
        if elsewhere
        else f"{house} knows {', '.join(struct.fields)}"
    )


@in_text
def doubled_keys(look: Look) -> Iterator[Remark]:
    """This will name every key given twice; the later value is the one in force."""
    doubled = [
        (complaint.path, complaint.line)
        for complaint in look.reading.complaints
        if complaint.text.startswith("duplicate")
    ]
    doubled += [
        (text.partition("key ")[2].partition(" already")[0].strip('"'), line)
        for text, line in look.reading.doubles
    ]
    for name, line in doubled:
        effect = "the server warns once and takes the later value; the earlier one is not in force"
        yield look.remark(
            "duplicate-key", Severity.ERROR, name, f"{name} is given twice", effect, "keep one of them", line
        )


@in_text
def ignored_rest(look: Look) -> Iterator[Remark]:
    """This will say that the server reads only the first document of the file."""
    if look.reading.rest is not None:
        yield look.remark(
            "ignored-document",
            Severity.ERROR,
            "",
            "the file goes on after its first document",
            "the server reads only the first document and ignores the rest in silence, broken or not",
            "put all rules into one document",
            look.reading.rest,
        )


@in_text
def empty_criteria(look: Look) -> Iterator[Remark]:
    """This will name criteria that are there but empty: they restrict nothing."""
    for index, rule in look.rules:
        for name, reach in _CRITERIA.items():
            path = f"rules[{index}].{name}"
            if look.given(path) and not _values(rule, name):
                effect = f"an empty list restricts nothing: the rule matches {reach}"
                yield look.remark(
                    "empty-list",
                    Severity.WARNING,
                    path,
                    f"{name} is empty",
                    effect,
                    f"remove {name} to say so, or fill it",
                )


@in_text
def empty_entries(look: Look) -> Iterator[Remark]:
    """This will say that an entry whose resources are empty means the whole group."""
    for index, rule in look.rules:
        for number, entry in enumerate(rule.resources):
            path = f"rules[{index}].resources[{number}].resources"
            if look.given(path) and not entry.resources:
                effect = f"the entry matches the whole group {entry.group!r}, subresources too"
                yield look.remark(
                    "empty-list",
                    Severity.WARNING,
                    path,
                    "resources of an entry is empty",
                    effect,
                    "remove it to say so, or fill it",
                )


def _values(rule: Rule, name: str) -> object:
    values = {
        "users": rule.users,
        "userGroups": rule.user_groups,
        "verbs": rule.verbs,
        "resources": rule.resources,
        "namespaces": rule.namespaces,
        "nonResourceURLs": rule.non_resource_urls,
    }
    return values[name]


@in_text
def fields_without_effect(look: Look) -> Iterator[Remark]:
    """This will name fields that look like an exception and are none."""
    for index, rule in look.rules:
        stages, managed = f"rules[{index}].omitStages", f"rules[{index}].omitManagedFields"
        if look.policy.omit_stages and look.given(stages) and not rule.omit_stages:
            effect = "the stages the policy omits stay omitted: both lists are added up"
            yield look.remark(
                "omit-stages-restores-nothing",
                Severity.WARNING,
                stages,
                "omitStages is empty",
                effect,
                "remove the stage from the policy's omitStages",
            )
        if look.given(managed) and rule.omit_managed_fields is None:
            effect = (
                f"null counts as not given: the policy's {str(look.policy.omit_managed_fields).lower()} holds"
            )
            yield look.remark(
                "null-means-not-given",
                Severity.WARNING,
                managed,
                "omitManagedFields is null",
                effect,
                "write true or false",
            )


@in_text
def users_and_groups(look: Look) -> Iterator[Remark]:
    """This will say that users and userGroups are both asked of a request."""
    for index, rule in look.rules:
        if rule.users and rule.user_groups:
            effect = "both must hold: a listed user outside of the groups is not matched, nor a member who is not listed"
            yield look.remark(
                "users-and-groups",
                Severity.INFO,
                f"rules[{index}].userGroups",
                "users and userGroups are both given",
                effect,
                "make two rules to mean either",
            )
