"""`anomaly score`: judge stored windows by the model in use; what deviates becomes findings."""

from __future__ import annotations

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_table

app = App(name="score", help="Judge windows by the model in use; deviations become findings.")


@app.default
def score(
    *,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    budget: float | None = None,
    below: int = 0,
    output: Output = Format.TABLE,
) -> None:
    """Judge the windows of a span, all of them unless said. Judging again renews findings and doubles none.

    Parameters
    ----------
    since
        2026-11-23T10:30:00Z, or 6h for so long ago; until likewise.
    budget
        Findings a day that people have time to read; scoring.findings_per_day unless said.
    below
        Keep nothing; list so many of the strangest windows that stay under the line, each with its reason.
    """
    from anomaly.asked import Desk, chosen_clusters, judge_now
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import UsageError
    from anomaly.nightly import load_judge, strangest_below
    from anomaly.payloads.judging import below_payload
    from anomaly.store.windows import Span
    from models import Budget

    if not 0 <= below <= 10_000:
        raise UsageError("--below must be between 0 and 10000.")
    if budget is not None and not 0 < budget <= 100_000:
        raise UsageError(
            "--budget must be more than 0 and at most 100000.",
            hint="It counts findings a day, as in --budget 10.",
        )
    settings = current().settings()
    now = clock()
    span = Span(moment(since, now), moment(until, now))
    wanted = Budget(per_day=settings.scoring.findings_per_day if budget is None else budget)
    rows: list[dict[str, object]] = []
    with current().database(settings) as database:
        with database.begin() as session:
            clusters = chosen_clusters(session, cluster, now)
        for one in clusters:
            if below:
                judging = load_judge(database, one.id, settings.windows.span, wanted)
                found = strangest_below(database, judging, span, below)
                rows.extend(dict(below_payload(one.name, each)) for each in found)
        if not below:
            desk = Desk(settings, database, current().say)
            rows.extend(map(dict, judge_now(desk, clusters, span.since, span.until, now, budget)))
    if below:
        columns = [Column(name) for name in ("start", "p_value", "entity", "reason")]
        write_table(rows, columns, output=output, empty="No window stays under the line.")
        return
    columns = [
        Column("cluster"),
        Column("model", right=True),
        Column("windows", right=True),
        Column("findings", right=True),
        Column("new", right=True),
        Column("no_room", "no room", right=True),
        Column("below_the_line", "below the line", right=True),
        Column("line", "line (p-value)", right=True),
        Column("expected_a_quiet_day", "expected a quiet day", right=True),
    ]
    write_table(rows, columns, output=output, empty="There is no cluster yet; `anomaly ingest` makes one.")
    for row in rows:
        if row["over_the_budget"]:
            current().say(
                f"{row['cluster']}: {row['over_the_budget']} of them are shown over their day's budget, as they are critical."
            )
