"""`anomaly replay`: what another model would have found, before it is put in use."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_json, write_table, write_text

app = App(
    name="replay", help="Score history with another model; shows findings gained and lost, keeps nothing."
)


@app.default
def replay(
    *,
    model: int,
    since: Annotated[str, Parameter(name=["--from", "--since"])] = "7d",
    until: Annotated[str | None, Parameter(name=["--to", "--until"])] = None,
    against: int | None = None,
    output: Output = Format.TABLE,
) -> None:
    """Judge stored windows by one model and by the one in use: the findings each would have shown, day by day.

    "No room" counts what lay over the line on a day whose room graver findings took, for the one model and for the other.

    Parameters
    ----------
    model
        Number of the model to try; `anomaly models list` shows them.
    since
        2026-11-23, 2026-11-23T10:30:00Z, or 7d for so long ago; until likewise, now unless said.
    against
        Number of the model to compare with; the one in use unless said.
    """
    from anomaly.asked import Desk, replay_model
    from anomaly.cli.moment import clock, moment

    settings = current().settings()
    now = clock()
    begin, end = moment(since, now) or now, moment(until, now) or now
    with current().database(settings) as database:
        shown = replay_model(Desk(settings, database, current().say), model, against, begin, end)
    if output is Format.JSON:
        write_json(shown)
        return
    columns = [Column("day")] + [
        Column(key, heading, right=True)
        for key, heading in (
            ("windows", "windows"),
            ("tried", f"model {model}"),
            ("compared", f"model {shown['against']}"),
            ("tried_below", f"no room, {model}"),
            ("compared_below", f"no room, {shown['against']}"),
            ("gained", "gained"),
            ("lost", "lost"),
        )
    ]
    rows = [
        {
            "day": f"{day['day']:%Y-%m-%d}",
            "windows": day["windows"],
            "tried": day["tried"],
            "compared": day["compared"],
            "tried_below": day["tried_below"],
            "compared_below": day["compared_below"],
            "gained": len(day["gained"]),
            "lost": len(day["lost"]),
        }
        for day in shown["days"]
    ]
    write_table(rows, columns, empty="There are no windows in that time.")
    changes: list[dict[str, object]] = [
        {"change": change, **one}
        for day in shown["days"]
        for change, found in (("gained", day["gained"]), ("lost", day["lost"]))
        for one in found
    ]
    if changes:
        write_text("")
        write_table(changes, [Column(key) for key in ("change", "start", "entity", "name", "reason")])
