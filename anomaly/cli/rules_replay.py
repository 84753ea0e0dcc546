"""`anomaly rules replay`: a new or changed rule over stored history, before it is enabled."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anomaly.cli import rules as rules_command
from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, progress, write_json, write_table, write_text

if TYPE_CHECKING:
    from anomaly.rules import RuleSet
    from anomaly.store.replay import ReplayFinding


@rules_command.app.command
def replay(
    rules: str,
    *,
    since: Annotated[str | None, Parameter(name=["--from", "--since"])] = None,
    until: Annotated[str | None, Parameter(name=["--to", "--until"])] = None,
    cluster: str | None = None,
    examples: int = 10,
    workers: int | None = None,
    output: Output = Format.TABLE,
) -> None:
    """Run rules over stored events: findings a day and examples, as if the rules had been there. Nothing is stored.

    Exceptions and pauses play no part.

    Parameters
    ----------
    rules
        A rule file, a folder of rules, or the id of a rule in use.
    since
        2026-11-23, 2026-11-23T10:30:00Z, or 30m, 6h, 7d for so long ago; until likewise.
    examples
        How many findings to show.
    workers
        Processes that decode; as many as there are processors unless said.
    """
    from anomaly.cli.moment import clock, moment
    from anomaly.store.clusters import cluster_id, list_clusters
    from anomaly.store.replay import Period
    from anomaly.store.replay import replay as replayed

    chosen = _chosen(rules)
    now = clock()
    count = workers if workers is not None else min(os.cpu_count() or 1, 8)
    with current().database() as database, progress(quiet=current().quiet) as bar:
        with database.read() as connection:
            number = cluster_id(connection, cluster) if cluster is not None else None
            names = {one.id: one.name for one in list_clusters(connection, now)}
        period = Period(moment(since, now), moment(until, now), number)
        task = bar.add_task("events", total=None)
        began = time.monotonic()
        made = replayed(
            database.dedicated,
            chosen,
            period,
            count,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        seconds = time.monotonic() - began
    days: dict[tuple[str, str], int] = {}
    for one in made.findings:
        day = (_day(one), one.rule)
        days[day] = days.get(day, 0) + 1
    by_day: list[dict[str, object]] = [
        {"day": day, "rule": rule, "findings": findings} for (day, rule), findings in sorted(days.items())
    ]
    shown = [_row(one, names) for one in made.findings[: max(0, examples)]]
    if output is Format.JSON:
        totals = {
            "events": made.events,
            "candidates": made.candidates,
            "decoded": made.decoded,
            "findings": len(made.findings),
        }
        write_json({**totals, "days": by_day, "examples": shown})
    else:
        columns = (Column("day", wrap=False), Column("rule", wrap=False), Column("findings", right=True))
        write_table(by_day, columns, empty="No findings: these rules match nothing that is stored there.")
        if shown:
            write_text("")
            names_of = ("start", "severity", "rule", "entity", "events", "why")
            write_table(shown, tuple(Column(name) for name in names_of))
    current().say(
        f"{made.events:,} events, {made.decoded:,} of them decoded, {len(made.findings):,} findings,"
        f" {seconds:.1f} s ({made.events / max(seconds, 0.001):,.0f} events/s)."
    )


def _chosen(text: str) -> RuleSet:
    """Rules at a path; otherwise the rule of the pack of that id, for a correlation with the rules it reads."""
    from anomaly.bootstrap import load_rules
    from anomaly.errors import NotFound
    from anomaly.rules import Correlation, RuleSet, load
    from anomaly.rules.problem import closest

    if Path(text).exists():
        return load(text)
    known = load_rules(current().settings())
    one = known.by_id.get(text)
    if one is None:
        hint = closest(text, known.by_id) or "`anomaly rules list`"
        raise NotFound(f"there is no file, folder or rule {text}", hint=hint)
    if not isinstance(one, Correlation):
        return RuleSet((one,))
    fed = tuple(rule for rule in known.rules if rule.id in one.rules)
    return RuleSet(fed, (one,))


def _day(one: ReplayFinding) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(one.start_us / 1e6, UTC):%Y-%m-%d}"


def _row(one: ReplayFinding, clusters: dict[int, str]) -> dict[str, object]:
    first = one.examples[0]
    return {
        "id": one.id,
        "start": first.at,
        "severity": one.severity,
        "rule": one.rule,
        "cluster": clusters.get(one.cluster_id, ""),
        "entity": first.entity,
        "group": one.group,
        "events": one.count,
        "why": first.why,
        "evidence": [example.audit_id for example in one.examples],
    }
