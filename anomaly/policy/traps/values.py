"""Values that match nothing: wildcards where there are none, other people's verbs, kinds for resources, groups for users."""

from __future__ import annotations

from collections.abc import Iterator

from anomaly.policy import doubt
from anomaly.policy.document import Level, Rule
from anomaly.policy.doubt import Doubt
from anomaly.policy.look import Look, in_text
from anomaly.policy.remark import Remark, Severity


def doubts(rule: Rule) -> Iterator[tuple[str, str, Doubt | None]]:
    """This will yield every value of a rule with its path inside the rule and what is doubtful about it."""
    for index, value in enumerate(rule.users):
        yield f"users[{index}]", value, doubt.of_user(value)
    for index, value in enumerate(rule.user_groups):
        yield f"userGroups[{index}]", value, doubt.of_group(value)
    for index, value in enumerate(rule.verbs):
        yield f"verbs[{index}]", value, doubt.of_verb(value, rule)
    for index, value in enumerate(rule.namespaces):
        yield f"namespaces[{index}]", value, doubt.of_namespace(value)
    for index, value in enumerate(rule.non_resource_urls):
        yield f"nonResourceURLs[{index}]", value, doubt.of_url(value)
    for number, entry in enumerate(rule.resources):
        place = f"resources[{number}]"
        wrong_group = doubt.of_api_group(entry.group)
        yield f"{place}.group", entry.group, wrong_group
        for index, value in enumerate(entry.resources):
            dead_with_group = wrong_group is not None and wrong_group.dead
            yield (
                f"{place}.resources[{index}]",
                value,
                None if dead_with_group else doubt.of_resource(value, entry),
            )
        for index, value in enumerate(entry.resource_names):
            yield f"{place}.resourceNames[{index}]", value, doubt.of_object_name(value)


def dead_criterion(rule: Rule) -> str | None:
    """This will return the criterion of which no value can match, so that the rule never does; None when each has a living one."""
    alive: dict[str, bool] = {}
    entries: dict[str, dict[str, bool]] = {}
    for path, _, found in doubts(rule):
        dead = found is not None and found.dead
        if path.startswith("resources["):
            number, _, part = path.partition("].")
            parts = entries.setdefault(number, {})
            name = part.partition("[")[0]
            parts[name] = parts.get(name, False) or not dead
        else:
            name = path.partition("[")[0]
            alive[name] = alive.get(name, False) or not dead
    if entries:
        alive["resources"] = any(all(parts.values()) for parts in entries.values())
    return next((name for name, lives in alive.items() if not lives), None)


@in_text
def values_that_match_nothing(look: Look) -> Iterator[Remark]:
    """This will name every value that no request can have, or hardly any."""
    for index, rule in look.rules:
        for path, value, found in doubts(rule):
            if found is None:
                continue
            where = f"rules[{index}].{path}"
            effect = f"{found.why}, so this value matches {'nothing' if found.dead else 'hardly anything'}"
            field = path.split(".")[-1].partition("[")[0]
            says = f"{field} has {value!r}" if value else f"{field} has an empty name"
            yield look.remark(found.id, found.severity, where, says, effect, found.remedy)


@in_text
def rules_that_match_nothing(look: Look) -> Iterator[Remark]:
    """This will name every rule that cannot match because one of its criteria cannot."""
    for index, rule in look.rules:
        criterion = dead_criterion(rule)
        if criterion is None:
            continue
        aim = (
            "what it means to leave out is written all the same"
            if rule.level == Level.NONE
            else f"nothing is ever written at {rule.level} because of it"
        )
        yield look.remark(
            "rule-matches-nothing",
            Severity.ERROR,
            f"rules[{index}]",
            f"rules[{index}] can never match: no value of its {criterion} can",
            aim,
            f"correct {criterion}, or leave it away to match all",
        )
