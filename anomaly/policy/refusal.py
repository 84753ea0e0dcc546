"""Why the server refuses a policy, in its words, with the line and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anomaly.policy import known
from anomaly.policy.document import Level, Stage
from anomaly.policy.parse import Reading
from anomaly.policy.remark import Remark, Severity
from anomaly.policy.validate import Violation

_STOPS = "kube-apiserver ends with exit code 1: this error is its last line"
_QUOTED = re.compile(r'value: "((?:[^"\\]|\\.)*)"')

_REMEDIES: tuple[tuple[str, str], ...] = (
    ("found character that cannot start any token", "indent with spaces: YAML allows no tabs"),
    (
        "did not find expected key",
        "check the indentation: everything of a rule stands further right than its dash",
    ),
    ("did not find expected ',' or ']'", "close the bracket"),
    ("did not find expected ',' or '}'", "close the brace"),
    ("mapping values are not allowed", "check the indentation, and quote values with a colon"),
    ("unknown group version field", "begin the file with apiVersion: audit.k8s.io/v1"),
    ("no kind", "write apiVersion: audit.k8s.io/v1 and kind: Policy"),
    ("0 rules", "give at least one rule under rules; `- level: None` alone switches auditing off"),
    ("couldn't get version/kind", "the file is one mapping that begins with apiVersion, or sound JSON"),
    ("excessive aliasing", "write the values out instead of repeating aliases"),
    ("of type []v1.GroupResources", 'write resources as a list: `- group: ""` with `resources: [...]` below'),
    (
        "of type v1.GroupResources",
        'an entry of resources is a mapping: `- group: ""` with `resources: [...]` below',
    ),
    ("of type []v1.PolicyRule", "write rules as a list: each begins with `- level:`"),
    ("of type []", "write a list, in brackets or with dashes"),
    ("cannot unmarshal number", "put quotes around it: a number is no string"),
    ("cannot unmarshal bool", "put quotes around it: y, n, yes, no, on and off are booleans in this file"),
    ("of type bool", "write true or false without quotes"),
)


def refusals(reading: Reading) -> Iterator[Remark]:
    """This will yield what makes the server refuse the file; nothing for an accepted one."""
    if reading.error is None:
        return
    if reading.ours:
        effect = "this product does not read it; whether the server would, it was not asked"
        yield Remark(
            "too-much",
            Severity.ERROR,
            reading.line or 1,
            reading.error,
            effect,
            "an audit policy is a few hundred lines",
        )
        return
    for violation in reading.violations:
        yield _of_violation(violation, reading)
    if not reading.violations:
        yield Remark(
            "refused", Severity.ERROR, reading.line or 1, reading.error, _STOPS, _remedy(reading.error)
        )


def _remedy(error: str) -> str:
    return next((remedy for sign, remedy in _REMEDIES if sign in error), "see the error")


def _of_violation(violation: Violation, reading: Reading) -> Remark:
    path = violation.path
    remedy = _violation_remedy(violation)
    line = reading.line_of(path)
    return Remark("refused", Severity.ERROR, line, str(violation), _STOPS, remedy, path)


def _violation_remedy(violation: Violation) -> str:
    match = _QUOTED.search(violation.reason)
    value = match[1] if match else ""
    if violation.path.endswith(".level"):
        near = known.close(value, Level)
        return f"did you mean {near}?" if near else f"write one of {', '.join(Level)}"
    if "omitStages" in violation.path:
        near = known.close(value, Stage) or next(
            (stage for stage in Stage if value and value.lower() in stage.lower()), None
        )
        return f"did you mean {near}?" if near else f"write one of {', '.join(Stage)}"
    if violation.path.endswith(".group"):
        return (
            f"write the group without its version: {value.partition('/')[0].lower()}"
            if "/" in value
            else "write the group's full name, in lower case"
        )
    if "resourceNames" in violation.path:
        return "add resources to the entry: names alone do not say of what"
    if "both regular" in violation.reason:
        return "make two rules, one for resources and one for nonResourceURLs"
    return "begin with / and put * only at the end"
