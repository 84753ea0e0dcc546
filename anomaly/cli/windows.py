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

    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import NotFound
    from anomaly.payloads.window import WindowPayload, window_payload
    from anomaly.store.entities import all_entities
    from anomaly.store.windows import Span, read_windows

    settings = current().settings()
    now = clock()
    rows: list[WindowPayload] = []
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
                latest = range(max(0, windows.n - limit), windows.n)
                rows += [window_payload(clusters[one.cluster_id], windows, index) for index in latest]
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
    from anomaly.asked import chosen_clusters
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
    from anomaly.payloads.sheet import harmless

    safe = frame.assign(entity=frame["entity"].map(lambda name: harmless(visible(str(name)))))
    if form == "csv":
        safe.to_csv(sys.stdout, index=False, header=header)
    else:
        safe.to_json(sys.stdout, orient="records", lines=True, date_format="iso")
