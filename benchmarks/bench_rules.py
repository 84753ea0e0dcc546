"""Rules: events a second on one core, planned per shape, beside the same rules as plain predicates and as one function.

Bar: 100 rules at 300,000 events/s or more with the plans at hand, as in a running service; making them is shown beside it. Run: python -m benchmarks.bench_rules [LOG]
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from anomaly.events.decode import Decoded, decode_lines
from anomaly.events.shape import Shape
from anomaly.rules import Plan, Rule, RuleFileInvalid, RuleSet, pack
from anomaly.rules.check import check_documents
from anomaly.rules.compile import generate
from anomaly.rules.document import read_text
from anomaly.rules.parse import parse_document
from anomaly.sources.files import open_source
from anomaly.sources.unwrap import normalise
from benchmarks.realistic import SAMPLE

RULES = 100
BAR = 300_000
PLAIN_EVENTS = 5_000
RESOURCES = (
    "secrets",
    "configmaps",
    "apps/deployments",
    "batch/cronjobs",
    "services",
    "nodes",
    "pods/log",
    "events",
)
SHAPES = (
    "    verb: [create, update, patch]\n    resource: {resource}\n    responseStatus.code|lt: 300",
    "    verb: get\n    resource: {resource}\n    objectRef.name|startswith: [admin, root{number}]",
    "    verb: [delete, deletecollection]\n    objectRef.namespace: team-{number}\n    allowed: true",
    "    user.username|contains: mallory{number}\n    userAgent|re: '(?i)scan(ner)?/{number}'",
    "    pod.containers[].image|startswith: registry{number}.example.com/\n    resource: pods",
    "    pod.volumes[].hostPath.path|startswith: [/etc{number}, /var/run]\n    verb: create",
    "    requestObject.roleRef.name: role-{number}\n    objectRef.apiGroup: rbac.authorization.k8s.io",
    "    sourceIPs|cidr: 198.51.{number}.0/24\n    interactive: true",
    "    requestURI|contains: limit={number}000\n    verb: list",
)


def rules(count: int) -> RuleSet:
    """The pack, filled up to `count` with rules of every sort: names, bodies, addresses, expressions."""
    made = list(pack().rules[:count])
    for number in range(count - len(made)):
        lines = SHAPES[number % len(SHAPES)].format(
            number=number, resource=RESOURCES[number % len(RESOURCES)]
        )
        text = f"title: made {number}\ndetection:\n  selection:\n{lines}\n  condition: selection\n"
        rule = parse_document(read_text(text)[0], f"made-{number}")
        assert isinstance(rule, Rule)
        made.append(rule)
    return RuleSet(tuple(made))


def events(log: Path) -> Decoded:
    """All events of a log, decoded before the clock starts."""
    every = Decoded()
    with open_source(log) as file:
        for block in file.blocks():
            decoded = decode_lines(normalise(block.data)) if hasattr(block, "data") else Decoded()
            every.events += decoded.events
            every.shapes += decoded.shapes
    return every


def planned(ruleset: RuleSet, held: Decoded, plans: dict[Shape, Plan]) -> int:
    """As the pipeline does it: a plan looked up, its certain rules taken, its check asked if there is one."""
    found = 0
    for event, shape in zip(held.events, held.shapes, strict=True):
        plan = plans.get(shape)
        if plan is None:
            plan = plans[shape] = ruleset.plan(shape)
        found += len(plan.certain)
        if plan.check is not None:
            found += len(plan.check(event, shape))
    return found


def rate(run: Callable[[], int], count: int) -> tuple[float, int]:
    """Events a second of CPU time in one run, and what it found."""
    began = time.process_time()
    found = run()
    return count / (time.process_time() - began), found


def lines(log: Path) -> Iterator[str]:
    """Measure and yield one line a figure."""
    began = time.process_time()
    ruleset = rules(RULES)
    loading = time.process_time() - began
    held = events(log)
    count = len(held.events)
    gc.collect()
    gc.freeze()  # the log held in memory is the benchmark's own; nobody else makes the collector walk through it
    plans: dict[Shape, Plan] = {}
    cold, found = rate(lambda: planned(ruleset, held, plans), count)
    warm, again = rate(lambda: planned(ruleset, held, plans), count)
    assert found == again
    few = Decoded(held.events[:PLAIN_EVENTS], held.shapes[:PLAIN_EVENTS])
    expected = planned(ruleset, few, plans)
    alone = [
        (rule, generate(((index, rule.condition),), ruleset.rules))
        for index, rule in enumerate(ruleset.rules)
    ]
    together = generate(
        tuple((index, rule.condition) for index, rule in enumerate(ruleset.rules)), ruleset.rules
    )
    pairs = list(zip(few.events, few.shapes, strict=True))

    def by_rule() -> int:
        return sum(len(check(e, s)) for e, s in pairs for rule, check in alone if rule.sees(s))

    def in_one() -> int:
        return sum(rule.sees(s) for e, s in pairs for rule in together(e, s))

    single, found_single = rate(by_rule, len(pairs))
    one, found_one = rate(in_one, len(pairs))
    assert found_single == found_one == expected, (found_single, found_one, expected)
    yield f"rules: {RULES} rules loaded in {loading * 1000:,.0f} ms"
    yield f"rules: planned per shape, plans made on the way ({len(plans):,} shapes)  {cold:>12,.0f} events/s"
    yield f"rules: planned per shape, plans at hand                     {warm:>12,.0f} events/s (bar {BAR:,})"
    yield f"rules: one generated function for all rules                {one:>12,.0f} events/s  ({warm / one:.0f}x slower)"
    yield f"rules: a plain predicate for each rule                     {single:>12,.0f} events/s  ({warm / single:.0f}x slower)"
    yield f"rules: {'kept' if warm >= BAR else 'MISSED'}: {warm / BAR:.1f} times the bar; {found:,} matches in {count:,} events"


HOSTILE = {
    "250 expressions": "re: [" + ", ".join(f"'(a{number}|b+)*c'" for number in range(250)) + "]",
    "95 dashed values": "windash|contains: ["
    + ", ".join(f"' -a -b -c{number}'" for number in range(95))
    + "]",
    "4,900 values": "contains: [" + ", ".join(f"x{number}" for number in range(4_900)) + "]",
    "100,000 expressions": "re: [" + ", ".join(["'a*'"] * 100_000) + "]",
}


def hostile_lines() -> Iterator[str]:
    """How long rule files take that are made to be slow: a second is the bar."""
    for name, value in HOSTILE.items():
        text = f"title: t\ndetection: {{s: {{'userAgent|{value.split(':')[0]}':{value.partition(':')[2]}}}, condition: s}}"
        began = time.process_time()
        try:
            said = f"{len(check_documents(read_text(text))[1])} remarks"
        except RuleFileInvalid as error:
            said = error.problems[0].message
        taken = time.process_time() - began
        yield f"rules: hostile file, {name:<22} {taken:>6.2f} s (bar 1 s{'' if taken < 1 else ', MISSED'}): {said[:60]}"


def main() -> None:
    """Print the figures for a log, by default the one packed in the repository."""
    for line in lines(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE):
        print(line)
    for line in hostile_lines():
        print(line)


if __name__ == "__main__":
    main()
