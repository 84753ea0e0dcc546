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
    """Judge stored windows by one model and by the one in use, day by day.

    Parameters
    ----------
    model
        Number of the model to try; `anomaly models list` shows them.
    since
        2026-11-23, 2026-11-23T10:30:00Z, or 7d for so long ago; until likewise, now unless said.
    against
        Number of the model to compare with; the one in use unless said.
    """
    from dataclasses import asdict

    from anomaly.cli.moment import clock, moment
    from anomaly.nightly import load_judge
    from anomaly.replay import replay as run
    from anomaly.store.models import find_model
    from models import Budget

    settings = current().settings()
    now = clock()
    begin, end = moment(since, now) or now, moment(until, now) or now
    budget = Budget(per_day=settings.scoring.findings_per_day)
    with current().database(settings) as database:
        with database.begin() as session:
            cluster_id = find_model(session, model).cluster_id
        span = settings.windows.span
        tried = load_judge(database, cluster_id, span, budget, model)
        compared = load_judge(database, cluster_id, span, budget, against)
        days = list(run(database, tried, compared, begin, end, current().say))
    if output is Format.JSON:
        write_json({"model": model, "against": compared.kept.id, "days": [asdict(day) for day in days]})
        return
    columns = [Column("day")] + [
        Column(key, heading, right=True)
        for key, heading in (
            ("windows", "windows"),
            ("tried", f"model {model}"),
            ("compared", f"model {compared.kept.id}"),
            ("gained", "gained"),
            ("lost", "lost"),
        )
    ]
    rows = [
        {
            "day": f"{day.day:%Y-%m-%d}",
            "windows": day.windows,
            "tried": day.tried,
            "compared": day.compared,
            "gained": len(day.gained),
            "lost": len(day.lost),
        }
        for day in days
    ]
    write_table(rows, columns, empty="There are no windows in that time.")
    changes = [
        {"change": change, "start": one.start, "entity": one.entity, "name": one.name, "reason": one.reason}
        for day in days
        for change, found in (("gained", day.gained), ("lost", day.lost))
        for one in found
    ]
    if changes:
        write_text("")
        write_table(changes, [Column(key) for key in ("change", "start", "entity", "name", "reason")])
