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
    output: Output = Format.TABLE,
) -> None:
    """Judge the windows of a span, all of them unless said. Judging again renews findings and doubles none.

    Parameters
    ----------
    since
        2026-11-23T10:30:00Z, or 6h for so long ago; until likewise.
    budget
        Findings a day that people have time to read; scoring.findings_per_day unless said.
    """
    from anomaly.cli.choice import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.nightly import judge, load_judge
    from anomaly.store.windows import Span
    from models import Budget

    settings = current().settings()
    now = clock()
    span = Span(moment(since, now), moment(until, now))
    wanted = Budget(per_day=budget or settings.scoring.findings_per_day)
    rows: list[dict[str, object]] = []
    with current().database(settings) as database:
        with database.begin() as session:
            clusters = chosen_clusters(session, cluster, now)
        for one in clusters:
            judged = judge(
                database, load_judge(database, one.id, settings.windows.span, wanted), span, current().say
            )
            rows.append(
                {
                    "cluster": one.name,
                    "model": judged.model_id,
                    "windows": judged.windows,
                    "findings": judged.findings,
                    "new": judged.new,
                    "below_the_line": judged.below,
                    "line": judged.threshold.p_value,
                    "expected_a_quiet_day": judged.threshold.expected,
                }
            )
    columns = [
        Column("cluster"),
        Column("model", right=True),
        Column("windows", right=True),
        Column("findings", right=True),
        Column("new", right=True),
        Column("below_the_line", "below the line", right=True),
        Column("line", "line (p-value)", right=True),
        Column("expected_a_quiet_day", "expected a quiet day", right=True),
    ]
    write_table(rows, columns, output=output, empty="There is no cluster yet; `anomaly ingest` makes one.")
