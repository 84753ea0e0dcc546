"""`anomaly train`: learn from the stored windows what is usual, and put the model in use when it earned it."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, visible, write_json, write_text

app = App(name="train", help="Train models of what is usual from the stored windows.")


@app.default
def train(
    *,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    recipe: Literal["small", "nightly", "thorough"] | None = None,
    time_scale: Annotated[float, Parameter(show=False)] = 1.0,
    output: Output = Format.TABLE,
) -> None:
    """Train a model for each cluster. A candidate replaces the model in use only when it is judged better or steadier.

    Parameters
    ----------
    cluster
        Only this cluster.
    since
        Where the training windows begin; training.lookback before the end unless said.
    until
        Nothing later is looked at; now unless said. 2026-11-23T10:30:00Z, or 6h for so long ago.
    recipe
        Chosen by the length of the history unless said.
    """
    from anomaly.asked import Desk, chosen_clusters, train_now
    from anomaly.cli.moment import clock, moment
    from models.card import Card
    from training import RECIPES

    settings = current().settings()
    now = clock()
    end = moment(until, now) or now
    begin = moment(since, now) or end - settings.training.lookback
    chosen = RECIPES[recipe] if recipe is not None else None
    with current().database(settings) as database:
        with database.begin() as session:
            clusters = chosen_clusters(session, cluster, now)
        rows = train_now(Desk(settings, database, current().say), clusters, begin, end, chosen, time_scale)
    if output is Format.JSON:
        write_json(rows)
        return
    if not rows:
        current().say("There is no cluster yet; `anomaly ingest` or `anomaly cluster add` makes one.")
    for row in rows:
        state = (
            "in use" if row["promoted"] else "kept beside the one in use" if row["model"] else "not trained"
        )
        write_text(visible(f"{row['cluster']}: model {row['model'] or '-'}, {state}. {row['decision']}"))
        if row["card"]:
            write_text(visible(Card.from_dict(row["card"]).text(), keep_lines=True))
        verdicts = row["verdicts"]
        if isinstance(verdicts, dict) and verdicts["findings"]:
            write_text(visible(str(verdicts["reason"])))
            if verdicts["vanished"]:
                write_text("Vanish by verdicts: " + ", ".join(str(one)[:8] for one in verdicts["vanished"]))
