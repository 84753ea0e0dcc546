"""`anomaly policy set|show|clear|dropped`: the audit policy at our own door, for clusters whose own cannot be changed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, visible, write_json, write_table, write_text
from anomaly.cli.policy_input import read_bytes, read_policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anomaly.payloads.door import DoorForecastPayload

NOT_SET = 1
_SHOWN = 10


def set_(
    policy: Path,
    *,
    cluster: str,
    yes: Annotated[bool, Parameter(negative="", name=["--yes", "-y"])] = False,
    since: str = "1d",
    output: Output = Format.TABLE,
) -> int:
    """Apply an audit policy at our door to what comes of a cluster; first say what it would have dropped, and who goes blind.

    Nothing is set without --yes; then it ends with 1.

    Parameters
    ----------
    cluster
        Whose events.
    yes
        Set it. Every replica heeds it within 5 seconds.
    since
        Forecast on the events stored since then, as 2026-11-23 or 7d.
    """
    import getpass

    from anomaly.asked import Desk, weigh_policy
    from anomaly.bootstrap import load_rules
    from anomaly.cli.moment import clock, moment
    from anomaly.doctor import wanted_by
    from anomaly.store.clusters import cluster_id
    from anomaly.store.door import set_policy

    settings = current().settings()
    parsed, text = read_policy(policy), read_bytes(policy).decode("utf-8", "replace")
    now = clock()
    with current().database(settings) as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        wanted = wanted_by(load_rules(settings))
        found = weigh_policy(
            Desk(settings, database), parsed, number, moment(since, now) or now - timedelta(days=1), wanted
        )
        if yes:
            with database.connection() as connection:
                set_policy(connection, number, text, getpass.getuser())
    if output is Format.JSON:
        write_json({"set": yes, "forecast": found})
    else:
        write_text("\n".join(_page(found)))
    current().say(
        f"Set for {cluster}; `anomaly policy dropped --cluster {cluster}` shows what it drops."
        if yes
        else "Nothing is set yet: --yes sets it."
    )
    return 0 if yes else NOT_SET


def show(*, cluster: str, output: Output = Format.TABLE) -> None:
    """Show the audit policy that is applied at our door to what comes of a cluster."""
    from anomaly.payloads.door import door_policy_payload
    from anomaly.store.clusters import cluster_id
    from anomaly.store.door import in_force

    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        with database.connection() as connection:
            found = in_force(connection, number)
    payload = door_policy_payload(cluster, found[0] if found else None)
    if output is Format.JSON:
        write_json(payload)
    elif not found:
        current().say(f"No policy is applied to what comes of {cluster}: everything is kept.")
    else:
        current().say(f"Set by {visible(found[0].set_by)} at {found[0].set_at:%Y-%m-%d %H:%M:%S} UTC.")
        write_text(visible(found[0].policy, keep_lines=True).rstrip("\n"))


def clear(*, cluster: str) -> None:
    """Apply no audit policy at our door any more to what comes of a cluster. The ledger stays."""
    import getpass

    from anomaly.store.clusters import cluster_id
    from anomaly.store.door import clear_policy

    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        with database.connection() as connection:
            was = clear_policy(connection, number, getpass.getuser())
    current().say(
        f"Everything that comes of {cluster} is kept from now on."
        if was
        else f"There was no policy for {cluster}."
    )


def dropped(*, cluster: str, days: int = 7, limit: int = 100, output: Output = Format.TABLE) -> None:
    """Show the ledger of what policies at our door dropped and lowered, by day, rule, user and action.

    Parameters
    ----------
    days
        How many days, today included.
    limit
        How many lines at most.
    """
    from anomaly.cli.moment import clock
    from anomaly.errors import UsageError
    from anomaly.payloads.door import ledger_payload
    from anomaly.store.clusters import cluster_id
    from anomaly.store.door import ledger

    if not (1 <= days <= 400 and 1 <= limit <= 100_000):
        raise UsageError("--days must be between 1 and 400, --limit between 1 and 100000.")
    since = clock().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days - 1)
    with current().database() as database:
        with database.read() as session:
            number = cluster_id(session, cluster)
        with database.connection() as connection:
            found = ledger(connection, number, since, limit)
    payload = ledger_payload(cluster, found)
    if output is Format.JSON:
        write_json(payload)
        return
    rows: list[dict[str, object]] = [dict(line) for line in payload["lines"]]
    columns = [
        Column("day", wrap=False),
        Column("rule", wrap=False),
        Column("deed", wrap=False),
        Column("user"),
        Column("action"),
        Column("events", right=True),
        Column("bytes", right=True),
    ]
    write_table(rows, columns, empty="Nothing was dropped or lowered.")


def _page(found: DoorForecastPayload) -> Iterator[str]:
    if not found["events"]:
        yield "No events are stored of that time: what it would drop cannot be told."
    else:
        yield (
            f"Would have dropped {found['dropped']:,} of {found['events']:,} events since"
            f" {found['since']:%Y-%m-%d %H:%M} UTC, and kept {found['lowered']:,} without bodies or parts of them:"
            f" {found['bytes_before'] - found['bytes_after']:,} of {found['bytes_before']:,} bytes less."
        )
    for line in found["most"][:_SHOWN]:
        yield f"  {line['events']:>9,} {line['deed']:7}  {visible(line['action'])} by {visible(line['user'])} ({line['rule']})"
    if not found["goes_blind"]:
        yield "No detection goes blind by it."
        return
    yield f"{len(found['goes_blind'])} detections would see less:"
    for one in found["goes_blind"]:
        yield f"  {one['sees']:12}  {one['owner']}: {visible(one['why'])}"
