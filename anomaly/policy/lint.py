"""Every trap in an audit policy, named with its effect: what the server refuses, drops, or takes otherwise than it looks."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules

from anomaly.policy import traps
from anomaly.policy.document import Rule
from anomaly.policy.look import OF_THE_TEXT, OF_THE_VERDICTS, Look, Surroundings
from anomaly.policy.parse import Reading, read
from anomaly.policy.refusal import refusals
from anomaly.policy.reindent import reindented
from anomaly.policy.remark import Remark, Severity, in_order
from anomaly.policy.traps.values import dead_criterion

for _module in iter_modules(traps.__path__):
    import_module(f"{traps.__name__}.{_module.name}")


def lint(data: bytes, name: str = "policy.yaml", surroundings: Surroundings | None = None) -> list[Remark]:
    """This will return all remarks on a policy file, by line.

    A refused file is examined as far as it can be read; one that lost its indentation is examined as it was meant, on the
    same lines.
    """
    reading = read(data, name)
    remarks = list(refusals(reading))
    if reading.draft is None and not reading.ours:
        repaired = reindented(data)
        mended = read(repaired, name) if repaired is not None else reading
        if mended.draft is not None:
            remarks.append(_indentation(reading))
            remarks += refusals(mended)
            reading = mended
    return in_order([*remarks, *_of_reading(reading, surroundings or Surroundings())])


def _of_reading(reading: Reading, surroundings: Surroundings) -> list[Remark]:
    if reading.draft is None:
        return []
    look = Look(reading, reading.draft, surroundings)
    found = [remark for trap in OF_THE_TEXT for remark in trap(look)]
    if reading.policy is None:
        return found
    found += [remark for trap in OF_THE_VERDICTS for remark in trap(look)]
    return [*found, *_once_alive(look, found)]


def _once_alive(look: Look, found: list[Remark]) -> list[Remark]:
    """What rules for impossible users would do if they were for everybody: a mistake hidden by another is still one."""
    rules = tuple(_for_everybody(rule) for rule in look.policy.rules)
    if rules == look.policy.rules:
        return []
    alive = Look(look.reading, replace(look.policy, rules=rules), look.surroundings)
    known = {(remark.id, remark.path) for remark in found} | {("blind-spot", ""), ("no-last-rule", "")}
    later = [remark for trap in OF_THE_VERDICTS for remark in trap(alive)]
    fresh = [remark for remark in later if (remark.id, remark.path) not in known]
    return [replace(remark, effect=f"once the rule matches: {remark.effect}") for remark in fresh]


def _for_everybody(rule: Rule) -> Rule:
    criterion = dead_criterion(rule)
    if criterion == "users":
        return replace(rule, users=())
    return replace(rule, user_groups=()) if criterion == "userGroups" else rule


def _indentation(reading: Reading) -> Remark:
    return Remark(
        "indentation-lost",
        Severity.ERROR,
        reading.line or 1,
        "the indentation is lost: fields of a rule stand where they end it",
        "the server cannot read the file and does not start; the other remarks are on the file as it was meant",
        "indent every field of a rule further than its dash, and every field of a resources entry further than that dash",
    )
