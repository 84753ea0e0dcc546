"""`anomaly events`: the questions that people answer with grep and jq, over everything that is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_json, write_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from anomaly.query import Node
    from anomaly.store.search import Asked, Found

_MOST_COUNTED: Final = 1_000_000
_WORTH_SAYING: Final = 5_000_000
"""Rows below which comparing them all is done before anybody notices."""

app = App(name="events", help="Search stored audit events.")

Many = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)]


@app.default
def events(
    *query: str,
    user: Many = (),
    verb: Many = (),
    resource: Many = (),
    namespace: Many = (),
    name: Many = (),
    outcome: Literal["ok", "allowed", "refused", "failed"] | None = None,
    code: Annotated[tuple[int, ...], Parameter(negative="", consume_multiple=False)] = (),
    agent: Many = (),
    address: Many = (),
    acting_as: Many = (),
    audit_id: str | None = None,
    cluster: str | None = None,
    since: str | None = None,
    until: str | None = None,
    all_stages: Annotated[bool, Parameter(negative="")] = False,
    oldest_first: Annotated[bool, Parameter(negative="")] = False,
    limit: int = 100,
    cursor: str | None = None,
    raw: Annotated[bool, Parameter(negative="")] = False,
    count: Annotated[bool, Parameter(negative="")] = False,
    over_time: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show audit events, newest first. Texts may hold * for anything; an option given twice means either.

    A QUERY says all of it in one: anomaly events 'verb:create,patch resource:pods/exec not user:alice* time:-7d'.
    Verbs, resources, namespaces and addresses can also be given with commas between them.

    Parameters
    ----------
    query
        field:value, ranges (code:>=400, time:-2h), wildcards, and, or, not, parentheses, bare words:
        docs/reference/event-query.md. Options narrow it further.
    user
        Username, as in alice@example.com or system:serviceaccount:ci:*.
    verb
        get, list, watch, create, update, patch, delete, deletecollection, or a method in small letters.
    resource
        group/resource/subresource, as in pods/exec, apps/deployments, secrets; a path for other requests.
    namespace
        Namespace of the object; '' for what is in none, as nodes and cluster roles are.
    address
        First address of the client, or a network, as in 10.1.0.0/16.
    outcome
        ok: allowed and below 400; refused: 401, 403 or forbidden; failed: allowed but 400 or above.
    acting_as
        The user impersonated.
    since
        2026-11-23, 2026-11-23T10:30:00Z, or 30m, 6h, 7d for so long ago; until likewise.
    all_stages
        Also stages that do not end a request (RequestReceived, ResponseStarted).
    cursor
        Go on where the answer before stopped.
    raw
        Print the events as received, one JSON a line.
    count
        Print only how many there are.
    over_time
        Print how many there are over time.
    """
    from anomaly.asked import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import UsageError
    from anomaly.payloads.event import event_payload
    from anomaly.query import read
    from anomaly.query.tree import Amount, Pattern, Span, Text, all_of
    from anomaly.store.search import Asked, count_events, search_events

    if not 1 <= limit <= 100_000:
        raise UsageError("--limit must be between 1 and 100000.")
    now = clock()
    texts = {
        "user": user,
        "as": acting_as,
        "verb": _parted(verb),
        "resource": _parted(resource),
        "namespace": _parted(namespace),
        "name": name,
        "agent": agent,
        "address": _networks(_parted(address)),
        "outcome": (outcome,) if outcome else (),
    }
    nodes: list[Node] = [read(" ".join(query))]
    nodes += [Text(field, tuple(map(Pattern.of, said))) for field, said in texts.items() if said]
    if audit_id is not None:
        nodes.append(Text("audit", (Pattern((audit_id,)),)))
    if cluster is not None:
        nodes.append(Text("cluster", (Pattern((cluster,)),)))
    if code:
        nodes.append(Amount("code", tuple(Span(one, one) for one in code)))
    nodes += _within(moment(since, now), moment(until, now))
    # An option never looks at other stages than the query asks for: an audit id alone is of all of them.
    asked = Asked(all_of(nodes), now, None, all_stages or audit_id is not None, oldest_first)
    with current().database() as database, database.read() as connection:
        if cluster is not None:
            chosen_clusters(connection, cluster, now)
        if over_time:
            _write_over_time(connection, asked, output)
            return
        if count:
            total, whole = count_events(connection, asked, _MOST_COUNTED)
            write_json({"count": total, "complete": whole}) if output is Format.JSON else write_table(
                [{"events": f"{total:,}"}], [Column("events", right=True)]
            )
            if not whole:
                current().say(
                    f"Of the first {_MOST_COUNTED:,} events that may answer; the rest was not read."
                )
            return
        page = search_events(connection, asked, cursor, limit, raw=True)
        _say_reading(connection, asked)
    if raw:
        _write_raw(page.found)
    else:
        columns = [
            Column(key)
            for key in ("time", "user", "verb", "resource", "namespace", "name", "code", "address")
        ]
        empty = "No event answers that question." + "".join(
            f" There never was a {field} {text!r}." for field, text in page.missing
        )
        write_table([event_payload(one) for one in page.found], columns, output=output, empty=empty)
    if page.cut:
        current().say(f"Stopped after reading {page.read:,} events; go on with --cursor {page.cursor}.")
    elif page.cursor is not None:
        current().say(
            f"The first {limit}; --limit shows more, --count says how many, --cursor {page.cursor} goes on."
        )


def _within(since: datetime | None, until: datetime | None) -> list[Node]:
    from anomaly.events.key import microseconds
    from anomaly.query.tree import Edge, Period, When

    if since is None and until is None:
        return []
    low = None if since is None else Edge(microseconds(since))
    high = None if until is None else Edge(microseconds(until) - 1)
    return [When((Period(low, high),))]


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    from ipaddress import ip_network

    from anomaly.errors import UsageError

    for text in texts:
        try:
            if "/" in text and "*" not in text:
                ip_network(text, strict=False)
        except ValueError:
            raise UsageError(f"{text} is no network.", hint="Write it as 10.1.0.0/16 or fd00::/8.") from None
    return texts


def _say_reading(connection: Connection, asked: Asked) -> None:
    from anomaly.store.reading import weigh

    reading = weigh(connection, asked)
    if reading.raw or reading.rows >= _WORTH_SAYING:
        current().say(reading.words())


def _write_over_time(connection: Connection, asked: Asked, output: Format) -> None:
    from anomaly.store.histogram import histogram

    counted = histogram(connection, asked, 40)
    rows: list[dict[str, object]] = []
    if counted is not None:
        most = max(counted.counts) or 1
        for place, events in enumerate(counted.counts):
            start, end = counted.bucket(place)
            share = round(40 * events / most) or bool(events)
            rows.append({"from": start, "until": end, "events": events, "share": "#" * share})
        if not counted.exact:
            current().say("Counted are all events that may answer: raw events were not read for this.")
    columns = [Column("from", wrap=False), Column("events", right=True), Column("share", " ")]
    kept = (
        rows if output is Format.TABLE else [{k: v for k, v in row.items() if k != "share"} for row in rows]
    )
    write_table(kept, columns, output=output, empty="No event answers that question.")


def _parted(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Split at commas, which none of these can hold but the path of a request for something else than an object."""
    return tuple(
        part
        for text in texts
        for part in ([text] if not text or text.startswith("/") else text.split(","))
        if part or not text
    )


def _write_raw(found: list[Found]) -> None:
    from anomaly.cli.output import write_json_line
    from anomaly.payloads.event import raw_payload

    for one in found:
        write_json_line(raw_payload(one.raw))
