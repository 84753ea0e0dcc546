"""`anomaly cluster`: which clusters may send their events, and with which tokens."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, write_details, write_json, write_table, write_text
from anomaly.errors import SourceUnavailable, UsageError

if TYPE_CHECKING:
    from anomaly.policy.webhook import Sink
    from anomaly.settings import ServeSettings

app = App(name="cluster", help="Clusters: which ones may send their events, and with which tokens.")

Expires = Annotated[
    str | None, Parameter(show_default=False, help="Time until the token ends, as 90d; default never.")
]
Server = Annotated[
    str | None,
    Parameter(
        show_default=False,
        help="Address at which the API server reaches this service; default from the settings.",
    ),
]
Authority = Annotated[
    str | None,
    Parameter(
        name="--certificate-authority",
        show_default=False,
        help="Where the CA certificate of this service lies on the control plane's disk.",
    ),
]
Embed = Annotated[
    Path | None,
    Parameter(
        name="--embed-certificate-authority",
        show_default=False,
        help="CA certificate (PEM file here) to write into the webhook configuration itself.",
    ),
]
Write = Annotated[
    Path | None,
    Parameter(
        show_default=False,
        help="File to write the webhook configuration to, readable by you alone, instead of printing it.",
    ),
]


@app.command
def add(
    name: str,
    /,
    *,
    server: Server = None,
    certificate_authority: Authority = None,
    embed_certificate_authority: Embed = None,
    expires: Expires = None,
    write: Write = None,
    output: Output = Format.TABLE,
) -> None:
    """Add a cluster and show its token, once, with the webhook configuration and the flags of its kube-apiserver.

    Parameters
    ----------
    name
        Name of the cluster: a-z, 0-9 and -, at most 63 characters.
    """
    from anomaly.joining import join

    until = ends_at(expires)
    prepared = _prepared(name, server, certificate_authority, embed_certificate_authority)
    with current().database() as database, database.begin() as connection:
        _hand_over(join(connection, prepared, until), until, write, output, f"Cluster {name} is added.")


@app.command
def token(
    name: str,
    /,
    *,
    server: Server = None,
    certificate_authority: Authority = None,
    embed_certificate_authority: Embed = None,
    expires: Expires = None,
    write: Write = None,
    output: Output = Format.TABLE,
) -> None:
    """Make another token for a cluster and show it, once. Older ones stay valid until they are revoked.

    Parameters
    ----------
    name
        Name of the cluster.
    """
    from anomaly.store.clusters import cluster_id
    from anomaly.store.tokens import issue

    until = ends_at(expires)
    prepared = _prepared(name, server, certificate_authority, embed_certificate_authority)
    with current().database() as database, database.begin() as connection:
        made = replace(prepared, token=issue(connection, cluster_id(connection, name), until))
        _hand_over(made, until, write, output, f"Cluster {name} has another token.")
    current().say(
        f"Once it is in use everywhere, `anomaly cluster revoke {name} --keep-newest` ends the older ones."
    )


@app.command(name="list")
def list_(*, output: Output = Format.TABLE) -> None:
    """List the clusters, how many valid tokens each has and when its newest event happened."""
    from anomaly.payloads.cluster import cluster_payload
    from anomaly.store.clusters import list_clusters

    with current().database() as database, database.read() as connection:
        found = list_clusters(connection, _now())
    rows = [cluster_payload(one) for one in found]
    columns = [
        Column("name"),
        Column("created_at", "added"),
        Column("tokens", right=True),
        Column("last_event_at", "last event"),
    ]
    write_table(
        rows, columns, output=output, empty="There are no clusters yet; `anomaly cluster add NAME` makes one."
    )


@app.command
def show(name: str, /, *, output: Output = Format.TABLE) -> None:
    """Show the tokens of a cluster: their numbers, when they were made, when they end. Never the tokens themselves.

    Parameters
    ----------
    name
        Name of the cluster.
    """
    from anomaly.payloads.cluster import token_payload
    from anomaly.store.clusters import cluster_id
    from anomaly.store.tokens import list_tokens

    with current().database() as database, database.read() as connection:
        found = list_tokens(connection, cluster_id(connection, name))
    now = _now()
    rows = [token_payload(one, now) for one in found]
    columns = [
        Column("id", "token", right=True),
        Column("state"),
        Column("scope"),
        Column("created_at", "made"),
        Column("expires_at", "expires"),
        Column("revoked_at", "revoked"),
    ]
    write_table(
        rows,
        columns,
        output=output,
        empty=f"Cluster {name} has no token; `anomaly cluster token {name}` makes one.",
    )


@app.command
def revoke(
    name: str,
    /,
    *,
    token: Annotated[int | None, Parameter(show_default=False)] = None,
    keep_newest: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Revoke tokens of a cluster: all of them, or those chosen. A running service notices within 5 seconds.

    Parameters
    ----------
    name
        Name of the cluster.
    token
        Only the token of this number, as `anomaly cluster show NAME` lists them.
    keep_newest
        All but the newest valid one.
    """
    from anomaly.store.clusters import cluster_id
    from anomaly.store.tokens import list_tokens
    from anomaly.store.tokens import revoke as end

    if token is not None and keep_newest:
        raise UsageError("--token and --keep-newest cannot be used together.")
    now = _now()
    with current().database() as database, database.begin() as connection:
        cluster = cluster_id(connection, name)
        newest = next((one.id for one in list_tokens(connection, cluster) if one.state(now) == "valid"), None)
        revoked = end(connection, cluster, now, only=token, keep=newest if keep_newest else None)
    write_details({"cluster": name, "revoked": revoked}, output=output)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 -- the command line reads the clock


def ends_at(expires: str | None) -> datetime | None:
    """This will return when a token ends that lives for such a span, as `90d`; None for None. Raises UsageError."""
    from anomaly.settings.units import parse_duration

    if expires is None:
        return None
    try:
        span = parse_duration(expires)
        if not isinstance(span, timedelta) or span <= timedelta(0):
            raise ValueError("a token must live for some time")
        return _now() + span
    except (ValueError, OverflowError) as wrong:
        raise UsageError(f"--expires: {wrong}.") from wrong


def _prepared(name: str, server: str | None, authority: str | None, embed: Path | None) -> Sink:
    """Everything of the webhook configuration but the token, checked before anything is changed."""
    from anomaly.joining import sink_for

    if authority is not None and embed is not None:
        raise UsageError("--certificate-authority and --embed-certificate-authority cannot be used together.")
    address = server or _address(current().settings().serve)
    try:
        pem = embed.read_bytes() if embed is not None else None
    except OSError as unreadable:
        raise SourceUnavailable(f"{embed} cannot be read: {unreadable.strerror}.") from unreadable
    if pem is not None and b"-----BEGIN CERTIFICATE-----" not in pem:
        raise UsageError(f"{embed} holds no certificate in PEM form.")
    return sink_for(name, address, authority, pem)


def _address(options: ServeSettings) -> str:
    if options.port == 0:
        raise UsageError(
            "serve.port is 0, so the port is only known once the service runs.",
            hint="Give the address with --server.",
        )
    scheme = "https" if options.tls_cert else "http"
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"{scheme}://{host}:{options.port}"


def _hand_over(sink: Sink, until: datetime | None, write: Path | None, output: Format, said: str) -> None:
    """Print or write the token before the transaction commits: one that nobody has seen must not exist."""
    from anomaly.payloads.cluster import webhook_payload
    from anomaly.policy.webhook import AUTHORITY, FILE, FLAGS, POLICY, kubeconfig

    config = kubeconfig(sink, plain=True)
    if write is not None:
        _write_private(write, config)
    if output is Format.JSON:
        write_json(webhook_payload(sink, until, str(write) if write is not None else None))
        return
    ending = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until it is revoked"
    lines = [said, ""]
    if write is None:
        lines += [f"Its token, valid {ending} and shown only this once:", "", f"    {sink.token}", ""]
        lines += [f"1. Put this into {FILE} (mode 0600) on every control-plane node:", "", config]
    else:
        lines += [
            f"1. Its token, valid {ending}, is in {write}. Copy that file to {FILE} on every control-plane node.",
            "",
        ]
    if sink.authority == AUTHORITY and sink.authority_pem is None and not sink.is_plain:
        lines += [f"   Put the CA certificate of this service into {AUTHORITY} there.", ""]
    lines += [
        f"2. Put an audit policy into {POLICY} there; `anomaly policy generate` prints one.",
        "",
        "3. Give kube-apiserver these flags:",
        "",
    ]
    lines += [f"    {flag}" for flag in FLAGS]
    write_text("\n".join(lines))
    if sink.is_plain:
        current().say(
            "Without TLS the token crosses the network readable; see serve.tls_cert in `anomaly settings`."
        )


def _write_private(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as refused:
        raise UsageError(f"{file} cannot be written: {refused.strerror}.") from refused
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
