"""The pages about the pack in docs/reference, written from the rules and from one small table. Run this file to renew them."""

import csv
from collections import Counter
from pathlib import Path

from anomaly.rules import Correlation, pack
from anomaly.rules.needs import needs

HERE = Path(__file__).parent
DOCS = HERE.parents[3] / "docs" / "reference"
SEVERITIES = ("critical", "high", "medium", "low", "info")
CLOUD = "[cloud API]"
WAYS = {
    "rule": "By a rule of the pack",
    "behaviour": "By behaviour, without a rule",
    "outside": "Not from audit events",
}


def detections():
    """The catalogue: what is detected in the field, and which rules or features here tell it."""
    with (HERE / "detections.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rules_page():
    """docs/reference/rules.md: every rule, the gravest first, then what only feeds correlations."""
    rules = pack()
    levels = {need.rule: need.level for need in needs(rules)}
    listed = sorted(rules.by_id.values(), key=lambda one: (SEVERITIES.index(one.severity), one.id))
    loud = [one for one in listed if isinstance(one, Correlation) or not one.silent]
    quiet = [one for one in listed if one not in loud]
    lines = [
        "# Rules",
        "",
        "Written from `anomaly/rules/pack/`; a test holds that it is current. `anomaly rules show RULE` tells why a rule",
        "matters, what is often harmless and what to look at first; `anomaly rules test` runs the examples beside it.",
        "",
        f"There are {len(loud)} rules that make findings: "
        + ", ".join(f"{count} {name}" for name, count in _counted(loud))
        + f". {len(quiet)} more only feed correlations.",
        "Matches of a rule with equal values of the fields under *one finding for* within its time are one finding.",
        "*Needs* is the audit level at which the rule sees all it looks for.",
        "",
        "| rule | severity | what it tells | ATT&CK | needs | one finding for |",
        "|---|---|---|---|---|---|",
        *(_row(one, levels[one.id]) for one in loud),
        "",
        "## What only feeds correlations",
        "",
        "| rule | what it takes note of | needs |",
        "|---|---|---|",
        *(f"| `{one.id}` | {one.title} | {levels[one.id]} |" for one in quiet),
    ]
    return "\n".join(lines) + "\n"


def _counted(rules):
    counts = Counter(one.severity for one in rules)
    return [(name, counts[name]) for name in SEVERITIES if counts[name]]


def _row(one, level):
    fields = one.group_by if isinstance(one, Correlation) else tuple(asked.name for asked in one.group_by)
    per = f"{', '.join(f'`{name}`' for name in fields)} in {_span(one.timeframe)}"
    return f"| `{one.id}` | {one.severity} | {one.title} | {', '.join(one.attack)} | {level} | {per} |"


def _span(seconds):
    unit, name = next(
        (size, name) for size, name in ((86400, "d"), (3600, "h"), (60, "m")) if seconds >= size
    )
    return f"{seconds // unit} {name}"


def coverage_page():
    """docs/reference/detection-coverage.md: the detections of the field, and what tells each here."""
    listed = detections()
    audit = [row for row in listed if not row["detection"].startswith(CLOUD)]
    counts = Counter(row["covered"] for row in audit)
    lines = [
        "# Detections of the field, and what tells them here",
        "",
        "Written from `tests/anomaly/rules/pack/detections.csv`; a test holds that it is current and that every rule and",
        "feature named is there.",
        "",
        f"Products for Kubernetes detect {len(audit)} different things in audit events.",
        f"{counts['rule']} of them are told by rules; {counts['behaviour']} by behaviour, with the features that carry them;",
        f"{counts['outside']} cannot be told from audit events alone.",
        f"{len(listed) - len(audit)} more are events of a cloud's own log.",
    ]
    for way, heading in WAYS.items():
        lines += ["", f"## {heading}", "", "| detection | by | note |", "|---|---|---|"]
        lines += [
            f"| {row['detection']} | {', '.join(f'`{name}`' for name in row['by'].split())} | {row['note']} |"
            for row in listed
            if row["covered"] == way
        ]
    return "\n".join(lines) + "\n"


PAGES = {"rules.md": rules_page, "detection-coverage.md": coverage_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
