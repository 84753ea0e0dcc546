"""`anomaly windows`: what entities did, window by window, as a table of features to look at or to work on elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, visible, write_table

if TYPE_CHECKING:
    import pandas

app = App(name="windows", help="Windows of behaviour: what an entity did, and the features made of it.")


@app.command
def show(
    entity: str,
    *,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    limit: int = 24,
    output: Output = Format.TABLE,
) -> None:
    """Show what one entity did in its latest windows.

    Parameters
    ----------
    entity
        Username, as in alice@example.com.
    since
        2026-11-23T10:30:00Z, or 6h for so long ago; until likewise.
    """
    from datetime import timedelta

    from anomaly.cli.choice import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import NotFound
    from anomaly.events.key import EPOCH
    from anomaly.store.entities import all_entities
    from anomaly.store.windows import Span, read_windows
    from anomaly.windows.dimension import Dimension

    settings = current().settings()
    now = clock()
    rows: list[dict[str, object]] = []
    with current().database(settings) as database:
        with database.begin() as session:
            clusters = {one.id: one.name for one in chosen_clusters(session, cluster, now)}
        with database.connection() as connection:
            known = [
                one
                for one in all_entities(connection)
                if one.identity.username == entity and one.cluster_id in clusters
            ]
            if not known:
                raise NotFound(
                    f"There is no entity {entity}.", hint="`anomaly events --user 'a*'` finds usernames."
                )
            for one in known:
                span = Span(moment(since, now), moment(until, now), one.cluster_id, (one.id,))
                windows = read_windows(connection, span, settings.windows.span // timedelta(microseconds=1))
                for index in range(max(0, windows.n - limit), windows.n):
                    counts = windows.histogram(index)
                    actions = {
                        text: count for (dim, text), count in counts.items() if dim is Dimension.ACTION
                    }
                    rows.append(
                        {
                            "cluster": clusters[one.cluster_id],
                            "start": EPOCH + timedelta(microseconds=int(windows.start[index])),
                            "requests": int(counts.get((Dimension.REQUESTS, ""), 0)),
                            "did": [
                                f"{text} x{int(count)}"
                                for text, count in sorted(
                                    actions.items(), key=lambda pair: (-pair[1], pair[0])
                                )
                            ],
                        }
                    )
    columns = [Column("start", wrap=False), Column("requests", right=True), Column("did")]
    write_table(rows, columns, output=output, empty="No windows in that time.")


@app.command
def export(
    *,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    form: Literal["csv", "jsonl"] = "csv",
) -> None:
    """Write the feature matrix of all windows to standard output: one row a window, one column a feature.

    Parameters
    ----------
    since
        2026-11-23T10:30:00Z, or 6h for so long ago; until likewise.
    form
        csv, or one JSON object a line.
    """
    from anomaly.cli.choice import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.reports.feature_table import feature_table

    settings = current().settings()
    now = clock()
    with current().database(settings) as database:
        with database.begin() as session:
            clusters = chosen_clusters(session, cluster, now)
        for number, one in enumerate(clusters):
            frame = feature_table(
                database, one.id, settings.windows.span, moment(since, now), moment(until, now) or now
            )
            _write(frame.assign(cluster=one.name), form, header=number == 0)


def _write(frame: pandas.DataFrame, form: str, *, header: bool) -> None:
    # Usernames are an attacker's to choose: no control character may reach a terminal or a spreadsheet's formula bar.
    safe = frame.assign(entity=frame["entity"].map(lambda name: _harmless(visible(str(name)))))
    if form == "csv":
        safe.to_csv(sys.stdout, index=False, header=header)
    else:
        safe.to_json(sys.stdout, orient="records", lines=True, date_format="iso")


def _harmless(text: str) -> str:
    """A cell that begins like a formula gets a quote in front (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text
