"""`anomaly budget`: day by day, what the alert budget promised and what came."""

from __future__ import annotations

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_json, write_table

app = App(name="budget", help="What the alert budget promised of each day, and what came.")


@app.default
def budget(
    *,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 30,
    output: Output = Format.TABLE,
) -> None:
    """List the reports that were made each night, the latest day first, with today as far as it has come.

    Parameters
    ----------
    since
        2026-11-23, or 30d for so long ago; until likewise.
    limit
        Days that have ended, of all clusters together.
    """
    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import NoModel, UsageError
    from anomaly.events.key import EPOCH
    from anomaly.nightly import load_judge
    from anomaly.payloads.promise import promise_payload
    from anomaly.promising import DAY, report
    from anomaly.store.promises import list_promises
    from models import Budget

    if not 1 <= limit <= 10_000:
        raise UsageError("--limit must be between 1 and 10000.")
    settings = current().settings()
    now = clock()
    begin, end = moment(since, now), moment(until, now)
    today = EPOCH + (now - EPOCH) // DAY * DAY
    with current().database(settings) as database:
        with database.begin() as session:
            chosen = chosen_clusters(session, cluster, now)
            number = chosen[0].id if cluster is not None else None
            told = list_promises(session, number, begin, end, limit)
        names = {one.id: one.name for one in chosen}
        rows = [promise_payload(names[one.cluster_id], one) for one in told if one.cluster_id in names]
        wanted = Budget(per_day=settings.scoring.findings_per_day)
        for one in chosen if end is None or end > today else ():
            current().say(f"{one.name}: looking at today")
            try:
                judge = load_judge(database, one.id, settings.windows.span, wanted)
            except NoModel:
                continue
            rows.insert(0, promise_payload(one.name, report(database, judge, today)))
    if output is Format.JSON:
        write_json([dict(row) for row in rows])
        return
    write_table(
        [
            {
                "cluster": row["cluster"],
                "day": f"{row['day']}{' so far' if row['day'] == today.date() else ''}",
                "promised": f"{row['promised']['expected']:.1f} ({row['promised']['low']:.0f}-{row['promised']['high']:.0f})",
                "shown": row["came"]["shown"],
                "firm": row["came"]["firm"],
                "no_room": row["came"]["no_room"],
                "hidden": row["came"]["hidden"],
                "below": row["came"]["below_the_line"],
                "outcome": row["reason"],
            }
            for row in rows
        ],
        [
            Column("cluster"),
            Column("day", wrap=False),
            Column("promised", wrap=False),
            Column("shown", right=True),
            Column("firm", right=True),
            Column("no_room", "no room", right=True),
            Column("hidden", right=True),
            Column("below", "windows below", right=True),
            Column("outcome"),
        ],
        output=output,
        empty="Nothing promised yet; `anomaly train` makes a model, and each night compares its promise with what came.",
    )
