"""`anomaly events`: the questions that people answer with grep and jq, over everything that is kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_json, write_table

app = App(name="events", help="Search stored audit events.")

Many = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)]


@app.default
def events(
    *,
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
    raw: Annotated[bool, Parameter(negative="")] = False,
    count: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show audit events, newest first. Texts may hold * for anything; an option given twice means either.

    Verbs, resources, namespaces and addresses can also be given with commas between them.

    Parameters
    ----------
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
    raw
        Print the events as received, one JSON a line.
    count
        Print only how many there are.
    """
    from anomaly.cli.choice import chosen_clusters
    from anomaly.cli.moment import clock, moment
    from anomaly.errors import UsageError
    from anomaly.store import search

    if not 1 <= limit <= 100_000:
        raise UsageError("--limit must be between 1 and 100000.")
    now = clock()
    question = search.Question(
        cluster=cluster,
        users=user,
        acting_as=acting_as,
        verbs=_parted(verb),
        resources=_parted(resource),
        namespaces=_parted(namespace),
        names=name,
        agents=agent,
        addresses=_parted(address),
        codes=code,
        outcome=outcome,
        audit_id=audit_id,
        since=moment(since, now),
        until=moment(until, now),
        final_only=not all_stages,
        limit=limit,
        newest_first=not oldest_first,
    )
    with current().database() as database, database.read() as connection:
        if cluster is not None:
            chosen_clusters(connection, cluster, now)
        if count:
            total = search.count(connection, question)
            write_json({"count": total}) if output is Format.JSON else write_table(
                [{"events": f"{total:,}"}], [Column("events", right=True)]
            )
            return
        found = search.search(connection, question)
    if raw:
        _write_raw(found)
        return
    columns = [
        Column(key) for key in ("time", "user", "verb", "resource", "namespace", "name", "code", "address")
    ]
    write_table([_row(one) for one in found], columns, output=output, empty="No event answers that question.")
    if len(found) == limit:
        current().say(f"The first {limit}; --limit shows more, --count says how many.")


def _parted(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Split at commas, which none of these can hold but the path of a request for something else than an object."""
    return tuple(
        part
        for text in texts
        for part in ([text] if not text or text.startswith("/") else text.split(","))
        if part or not text
    )


def _row(one: Any) -> dict[str, object]:
    return {
        "time": one.received_at,
        "audit_id": one.audit_id,
        "cluster": one.cluster,
        "user": one.user,
        "acting_as": one.acting_as or None,
        "verb": one.verb,
        "resource": one.resource,
        "namespace": one.namespace or None,
        "name": one.name or None,
        "code": one.code,
        "allowed": one.allowed,
        "address": one.address,
        "agent": one.agent,
        "stage": one.stage,
        "level": one.level,
    }


def _write_raw(found: list[Any]) -> None:
    import json

    from anomaly.cli.output import write_json_line

    for one in found:
        # Decoded and written again: raw bytes could hold anything, a terminal escape too.
        try:
            write_json_line(json.loads(one.raw))
        except (ValueError, RecursionError):
            # An event is kept as it came, and what nobody looked at yet may be no text at all.
            write_json_line({"raw": one.raw.decode("utf-8", "backslashreplace")})
