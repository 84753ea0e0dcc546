"""`anomaly train`: learn from the stored windows what is usual, and put the model in use when it earned it."""

from __future__ import annotations

from collections.abc import Callable
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
    from anomaly.cli.choice import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.nightly import train as run
    from anomaly.nightly import tuned
    from models import NotEnoughData
    from training import RECIPES

    settings = current().settings()
    now = clock()
    end = moment(until, now) or now
    begin = moment(since, now) or end - settings.training.lookback
    chosen = RECIPES[recipe] if recipe is not None else None
    rows: list[dict[str, object]] = []
    with current().database(settings) as database:
        with database.begin() as session:
            clusters = chosen_clusters(session, cluster, now)
        for one in clusters:
            try:
                trained = run(
                    database,
                    one.id,
                    settings.windows.span,
                    begin,
                    end,
                    chosen,
                    _say(one.name),
                    time_scale,
                    lambda made: tuned(made, settings.training, settings.scoring.findings_per_day),
                    settings.training.verdicts_per_technique,
                )
            except NotEnoughData as error:
                rows.append({"cluster": one.name, "model": None, "promoted": False, "decision": str(error)})
                continue
            card = trained.candidate.card
            rows.append(
                {
                    "cluster": one.name,
                    "model": trained.id,
                    "promoted": trained.promoted,
                    "decision": trained.reason,
                    "verdicts": trained.heard.to_dict(),
                    "windows": card.windows,
                    "sha256": trained.candidate.model.digest,
                    "card": card.to_dict(),
                    "text": card.text(),
                }
            )
    if output is Format.JSON:
        write_json([{key: value for key, value in row.items() if key != "text"} for row in rows])
        return
    if not rows:
        current().say("There is no cluster yet; `anomaly ingest` or `anomaly cluster add` makes one.")
    for row in rows:
        state = (
            "in use" if row["promoted"] else "kept beside the one in use" if row["model"] else "not trained"
        )
        write_text(visible(f"{row['cluster']}: model {row['model'] or '-'}, {state}. {row['decision']}"))
        if row.get("text"):
            write_text(visible(str(row["text"]), keep_lines=True))
        verdicts = row.get("verdicts")
        if isinstance(verdicts, dict) and verdicts["findings"]:
            write_text(visible(str(verdicts["reason"])))
            if verdicts["vanished"]:
                write_text("Vanish by verdicts: " + ", ".join(str(one)[:8] for one in verdicts["vanished"]))


def _say(cluster: str) -> Callable[[str], None]:
    return lambda said: current().say(f"{cluster}: {said}")
