"""`anomaly rules paused|resume`: rules that exploded, what they hold back, and letting them go on."""

from __future__ import annotations

from anomaly.cli import rules as rules_command
from anomaly.cli.exceptions import HELD
from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table


@rules_command.app.command
def paused(rule: str | None = None, *, limit: int = 50, output: Output = Format.TABLE) -> None:
    """List the rules that are paused because they made too many findings; with a rule, what it holds back.

    Parameters
    ----------
    rule
        Id of a paused rule: list the findings there would be.
    """
    from anomaly.payloads.exception import held_payload, pause_payload
    from anomaly.store.pauses import list_held, list_pauses

    held = []

    with current().database() as database, database.read() as connection:
        found = list_pauses(connection)
        if rule is not None:
            held = [
                one
                for pause in found
                if pause.rule == rule
                for one in list_held(connection, "pause", pause.id, limit)
            ]
    if rule is not None:
        write_table(
            [held_payload(one) for one in held], HELD, output=output, empty=f"{rule} holds nothing back."
        )
        return
    names = ("rule", "cluster", "hour", "found", "usual", "paused_at", "held", "held_events")
    rows = [pause_payload(one) for one in found]
    numbers = {"found", "usual", "held", "held_events"}
    columns = tuple(Column(name, name.replace("_", " "), right=name in numbers) for name in names)
    write_table(rows, columns, output=output, empty="No rule is paused.")


@rules_command.app.command
def resume(rule: str, *, cluster: str | None = None) -> None:
    """Let a paused rule make findings again. What was held back stays counted and listed, and is not made up for.

    Parameters
    ----------
    cluster
        Only in this cluster; default is all where it is paused.
    """
    from anomaly.cli.moment import clock
    from anomaly.errors import NotFound
    from anomaly.store.pauses import resume as resumed

    with current().database() as database, database.begin() as connection:
        count = resumed(connection, rule, cluster, clock())
    if not count:
        raise NotFound(f"The rule {rule} is not paused.", hint="`anomaly rules paused` shows those that are.")
    current().say(f"{rule} makes findings again in {count} cluster{'s' if count > 1 else ''}.")
