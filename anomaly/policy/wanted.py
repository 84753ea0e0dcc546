"""The needs of rules and feature families by their names: what a policy is held against."""

from __future__ import annotations

from collections.abc import Collection

from anomaly.errors import UsageError
from anomaly.policy.families import families
from anomaly.policy.known import close
from anomaly.policy.need import Need, of_rules
from anomaly.rules import RuleSet
from anomaly.rules.needs import needs


def needs_of(rules: RuleSet, keep: Collection[str] | None = None) -> list[Need]:
    """This will return the needs of rules and families, of the named ones only when `keep` names some.

    Raises UsageError for a name that is neither a rule's nor a family's.
    """
    return kept([*of_rules(needs(rules)), *families()], keep)


def kept(found: list[Need], keep: Collection[str] | None) -> list[Need]:
    """This will return the needs of the named rules and families, all when none is named. Raises UsageError as `needs_of`."""
    if not keep:
        return found
    owners = {need.owner for need in found}
    for name in keep:
        if name not in owners:
            near = close(name, owners)
            raise UsageError(
                f"there is no rule or family {name}",
                hint=f"did you mean {near}?" if near else "`anomaly rules list`",
            )
    return [need for need in found if need.owner in keep]
