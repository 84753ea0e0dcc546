"""`anomaly rules replay`: a new or changed rule over stored history, before it is enabled."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anomaly.cli import rules as rules_command
from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, progress, write_json, write_table, write_text

if TYPE_CHECKING:
    from anomaly.rules import RuleSet


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
    from anomaly.asked import Desk, replay_rules
    from anomaly.cli.moment import clock, moment

    chosen = _chosen(rules)
    settings = current().settings()
    now = clock()
    with current().database(settings) as database, progress(quiet=current().quiet) as bar:
        task = bar.add_task("events", total=None)
        began = time.monotonic()
        shown = replay_rules(
            Desk(settings, database),
            chosen,
            moment(since, now),
            moment(until, now),
            cluster,
            examples,
            workers,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        seconds = time.monotonic() - began
    if output is Format.JSON:
        write_json(shown)
    else:
        columns = (Column("day", wrap=False), Column("rule", wrap=False), Column("findings", right=True))
        write_table(
            shown["days"], columns, empty="No findings: these rules match nothing that is stored there."
        )
        if shown["examples"]:
            write_text("")
            names_of = ("start", "severity", "rule", "entity", "events", "why")
            write_table(shown["examples"], tuple(Column(name) for name in names_of))
    current().say(
        f"{shown['events']:,} events, {shown['decoded']:,} of them decoded, {shown['findings']:,} findings,"
        f" {seconds:.1f} s ({shown['events'] / max(seconds, 0.001):,.0f} events/s)."
    )


def _chosen(text: str) -> RuleSet:
    """Rules at a path; otherwise the rule of the pack of that id, for a correlation with the rules it reads."""
    from anomaly.asked import chosen_rule
    from anomaly.bootstrap import load_rules
    from anomaly.rules import load

    if Path(text).exists():
        return load(text)
    return chosen_rule(load_rules(current().settings()), text)
