"""`anomaly models`: what was trained, what is in use, and putting another in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import (
    Column,
    Format,
    Output,
    visible,
    write_details,
    write_json,
    write_table,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anomaly.payloads.model import DayPayload
    from anomaly.store.models import Kept

app = App(name="models", help="Trained models: list, look at one, compare two, put one in use, go back.")


@app.command(name="list")
def listed(*, cluster: str | None = None, limit: int = 50, output: Output = Format.TABLE) -> None:
    """List models, the newest first."""
    from anomaly.cli.moment import clock
    from anomaly.errors import UsageError
    from anomaly.payloads.model import model_payload
    from anomaly.store.clusters import cluster_id, list_clusters
    from anomaly.store.models import list_models

    if not 1 <= limit <= 10_000:
        raise UsageError("--limit must be between 1 and 10000.")
    with current().database() as database, database.read() as session:
        names = {one.id: one.name for one in list_clusters(session, clock())}
        number = cluster_id(session, cluster) if cluster is not None else None
        found = list_models(session, number, limit)
    rows = [model_payload(one, names[one.cluster_id]) for one in found]
    columns = [
        Column("id", right=True),
        Column("cluster"),
        Column("state"),
        Column("trained_until", "trained until", wrap=False),
        Column("windows", right=True),
        Column("recall", "plants found", right=True),
        Column("promoted_at", "put in use", wrap=False),
        Column("reason"),
    ]
    write_table(rows, columns, output=output, empty="No model yet; `anomaly train` makes one.")


@app.command
def show(model: int, *, output: Output = Format.TABLE) -> None:
    """Show one model's card: what it was made from, how well it does, what has drifted, what verdicts did."""
    from anomaly.payloads.model import model_card_payload
    from models.card import Card

    with current().database() as database, database.read() as session:
        kept, name = _find(session, model)
    row = model_card_payload(kept, name)
    if output is Format.JSON:
        write_json(row)
        return
    write_details(
        {
            key: value
            for key, value in row.items()
            if key in {"id", "cluster", "state", "trained_until", "created_at", "promoted_at", "sha256"}
        }
    )
    write_text("")
    write_text(visible(Card.from_dict(kept.card).text(), keep_lines=True))
    shifted = kept.card.get("drift", {}).get("shifted") or []
    if shifted:
        write_text(
            "\nMost shifted against the model before it (population stability index, over 0.25 is another)"
        )
        write_table(
            [{"kind": kind, "feature": feature, "index": index} for kind, feature, index in shifted[:10]],
            [Column("kind"), Column("feature"), Column("index", right=True)],
        )
    verdicts = kept.context.get("verdicts") or {}
    if verdicts.get("findings"):
        write_text(visible(f"\nVerdicts on {verdicts['findings']} findings heard. {verdicts['reason']}"))


@app.command
def promote(model: int, *, output: Output = Format.TABLE) -> None:
    """Put a model in use; the one before is retired. Running scorers take it up within seconds."""
    from anomaly.payloads.model import promoted_payload
    from anomaly.store.models import find_model, promote_model

    with current().database() as database, database.begin() as session:
        promote_model(session, model)
        kept = find_model(session, model)
    write_details(promoted_payload(kept), output=output)


@app.command
def rollback(*, cluster: str | None = None, output: Output = Format.TABLE) -> None:
    """Put the champion before the present one in use again. Without --cluster there must be one cluster only."""
    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock
    from anomaly.errors import UsageError
    from anomaly.payloads.model import promoted_payload
    from anomaly.store.models import roll_back

    with current().database() as database, database.begin() as session:
        clusters = chosen_clusters(session, cluster, clock())
        if len(clusters) != 1:
            raise UsageError(
                "Say which cluster goes back.",
                hint="--cluster takes one of " + ", ".join(one.name for one in clusters),
            )
        kept = roll_back(session, clusters[0].id)
    write_details(promoted_payload(kept), output=output)


@app.command
def diff(one: int, other: int, *, days: float = 7, output: Output = Format.TABLE) -> None:
    """Compare two models: cards, threshold, drift of features, and what each finds in the last days.

    Parameters
    ----------
    days
        How far back both judge the stored windows; nothing is kept.
    """
    from datetime import timedelta

    from anomaly.asked import Desk, diff_models
    from anomaly.cli.moment import clock
    from anomaly.errors import UsageError

    if not 0 < days <= 400:
        raise UsageError("--days takes at most 400.")
    settings = current().settings()
    now = clock()
    with current().database(settings) as database:
        shown = diff_models(
            Desk(settings, database, current().say), one, other, now - timedelta(days=days), now
        )
    if output is Format.JSON:
        write_json(shown)
        return
    write_table(
        shown["facts"], [Column("fact"), Column("one", f"model {one}"), Column("other", f"model {other}")]
    )
    write_text("\nFeatures distributed otherwise in training (population stability index from 0.25)")
    write_table(
        shown["drift"][:20],
        [Column("kind"), Column("feature"), Column("index", right=True)],
        empty="None, or not comparable.",
    )
    write_text(f"\nFindings of the last {days:g} days that only one of them makes")
    write_table(
        list(_changes(shown["days"], one, other)),
        [Column(key) for key in ("model", "start", "entity", "name", "reason")],
        empty="None: both find the same.",
    )


def _changes(days: Iterable[DayPayload], one: int, other: int) -> Iterator[dict[str, object]]:
    for day in days:
        for number, found in ((one, day["gained"]), (other, day["lost"])):
            for each in found:
                yield {"model": number, **each}


def _find(session: object, number: int) -> tuple[Kept, str]:
    from sqlalchemy import Connection

    from anomaly.cli.moment import clock
    from anomaly.store.clusters import list_clusters
    from anomaly.store.models import find_model

    assert isinstance(session, Connection)
    kept = find_model(session, number)
    names = {one.id: one.name for one in list_clusters(session, clock())}
    return kept, names[kept.cluster_id]
