"""What the policy commands read from the database: stored events of a time and a cluster, and the requests behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anomaly.cli.invocation import current
from anomaly.cli.policy_input import read_events
from anomaly.errors import UsageError

if TYPE_CHECKING:
    from anomaly.events.event import Event
    from anomaly.policy.need import Need


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class StoredEvents:
    """Which stored events to take."""

    stored: Annotated[bool, Parameter(negative="", help="Take events of the database.")] = False
    since: Annotated[
        str | None, Parameter(show_default=False, help="With --stored: 2026-11-23, or 7d for so long ago.")
    ] = None
    until: Annotated[str | None, Parameter(show_default=False, help="With --stored: likewise.")] = None
    cluster: Annotated[
        str | None, Parameter(show_default=False, help="With --stored: of one cluster only.")
    ] = None


Stored = StoredEvents | None


@contextmanager
def observed(source: str | None, stored: StoredEvents | None) -> Iterator[Iterator[tuple[Event, bytes]]]:
    """This will lend the observed events with their raw bytes, of a log or of the database.

    Raises UsageError unless it is exactly one of them, NotFound for a cluster there is not.
    """
    chosen = stored or StoredEvents()
    if (source is None) is not chosen.stored:
        raise UsageError("Give either a log or --stored.")
    if source is not None:
        if chosen != StoredEvents():
            raise UsageError("--since, --until and --cluster go with --stored.")
        yield read_events(source)
        return
    from anomaly.cli.moment import clock, moment
    from anomaly.store.clusters import cluster_id
    from anomaly.store.replay import Period, stored_events

    now = clock()
    with current().database() as database, database.dedicated() as connection:
        number = None
        if chosen.cluster is not None:
            with database.read() as read:
                number = cluster_id(read, chosen.cluster)
        yield stored_events(connection, Period(moment(chosen.since, now), moment(chosen.until, now), number))


def stored_needs(needs: list[Need], stored: StoredEvents) -> list[Need]:
    """This will return the needs that stored requests are about, asked about these; says which are about none."""
    import msgspec

    from anomaly.policy.observed import request_of
    from anomaly.policy.observed_need import asked_of, distinct
    from anomaly.policy.request import Request

    def requests(events: Iterator[tuple[Event, bytes]]) -> Iterator[Request]:
        for event, _ in events:
            try:
                yield request_of(event)
            except (msgspec.DecodeError, RecursionError):
                continue

    with observed(None, stored) as events:
        made = distinct(requests(events))
    found = asked_of(needs, made)
    missing = len({need.owner for need in needs} - {need.owner for need in found})
    current().say(
        f"{len(made):,} different requests are stored; {missing} rules and families look at none of them."
    )
    return found
