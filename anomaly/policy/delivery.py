"""Whether a kubeconfig's cluster and user deliver: to the right place, over a trusted connection, as somebody."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from anomaly.policy.kubeconfig_tree import field_of, text_of
from anomaly.policy.node import Node
from anomaly.policy.remark import Remark, Severity

STOPS: Final = "kube-apiserver ends with exit code 1"
_API_HOSTS: Final = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")


def delivery(cluster: Node | None, user: Node | None) -> Iterator[Remark]:
    """This will yield the remarks on the cluster and user in force."""
    if cluster is not None:
        yield from _server(cluster)
        yield from _trust(cluster)
        yield from _placeholders(cluster)
    if user is not None:
        yield from _credentials(user)
        yield from _placeholders(user)
    elif cluster is not None:
        yield _nobody(1)


def _server(cluster: Node) -> Iterator[Remark]:
    field = field_of(cluster, "server")
    if field is None:
        return
    line = field.line
    try:
        url = urlsplit(text_of(cluster, "server"))
    except ValueError:
        url = urlsplit("")
    if url.scheme not in {"http", "https"} or not url.hostname:
        says = f"server {field.node.text!r} is no URL"
        yield Remark(
            "server-url",
            Severity.ERROR,
            line,
            says,
            "no batch can be delivered",
            "write https://HOST:PORT/PATH",
        )
        return
    if url.query:
        effect = f"the query is dropped: batches go to {url.path or '/'}?timeout=30s, so the cluster's name in it is lost"
        yield Remark(
            "query-dropped",
            Severity.ERROR,
            line,
            "server has a query",
            effect,
            "put the cluster's name into the path",
        )
    if url.scheme == "http":
        effect = "every audit event crosses the network in plain text, and anybody can post false ones"
        yield Remark(
            "plain-http",
            Severity.ERROR,
            line,
            "server is http",
            effect,
            "use https with certificate-authority",
        )
    if url.username or url.password:
        yield Remark(
            "password-in-url",
            Severity.ERROR,
            line,
            "server holds a password",
            "it ends in logs and errors",
            "use token or a client certificate",
        )
    if (
        url.hostname in _API_HOSTS
        or url.hostname.startswith("kubernetes.default.svc.")
        or ("/services/" in url.path and url.path.rstrip("/").partition("/proxy")[1])
    ):
        effect = "each delivered batch is itself an audited request, which makes the next batch: a loop without end"
        yield Remark(
            "delivery-loop",
            Severity.ERROR,
            line,
            "server leads through the API server",
            effect,
            "give the sink's own address",
        )
    if url.hostname.endswith((".svc", ".cluster.local")):
        effect = "a control plane on host network usually does not resolve names of the cluster: batches fail, or wait for its DNS"
        yield Remark(
            "cluster-name",
            Severity.WARNING,
            line,
            "server is a name inside of the cluster",
            effect,
            "use an address the control plane's hosts resolve",
        )


def _trust(cluster: Node) -> Iterator[Remark]:
    skip = field_of(cluster, "insecure-skip-tls-verify")
    authority = field_of(cluster, "certificate-authority") or field_of(cluster, "certificate-authority-data")
    server = field_of(cluster, "server")
    if skip is not None and skip.node.text == "true":
        effect = "anybody on the way can read the audit log and swallow it unnoticed"
        yield Remark(
            "no-verification",
            Severity.ERROR,
            skip.line,
            "the sink's certificate is not checked",
            effect,
            "use certificate-authority",
        )
    elif authority is None and server is not None and text_of(cluster, "server").startswith("https"):
        effect = "only authorities of the host are trusted; a sink with a certificate of your own is refused and all events are lost"
        yield Remark(
            "no-authority",
            Severity.WARNING,
            server.line,
            "no certificate-authority is given",
            effect,
            "add certificate-authority: FILE",
        )
    for name in ("certificate-authority-data",):
        yield from _encoded(cluster, name)


def _credentials(user: Node) -> Iterator[Remark]:
    given = {field.name for field in user.fields}
    for certificate, key in (("client-certificate", "client-key"), ("client-key", "client-certificate")):
        if given & {certificate, f"{certificate}-data"} and not given & {key, f"{key}-data"}:
            line = next(field.line for field in user.fields if field.name.startswith(certificate))
            says = f"{certificate} stands without {key}"
            yield Remark("half-a-credential", Severity.ERROR, line, says, STOPS, f"add {key}")
    if not given & {
        "client-certificate",
        "client-certificate-data",
        "token",
        "tokenFile",
        "exec",
        "username",
        "auth-provider",
    }:
        yield _nobody(user.line)
    token = field_of(user, "token")
    if token is not None:
        effect = "whoever reads the file can post false events"
        yield Remark(
            "token-in-file",
            Severity.INFO,
            token.line,
            "the token stands in the file",
            effect,
            "keep the file at mode 0600, or use a client certificate",
        )
    for name in ("client-certificate-data", "client-key-data"):
        yield from _encoded(user, name)


def _nobody(line: int) -> Remark:
    effect = "the sink cannot tell this API server from anybody else who posts events"
    return Remark(
        "no-credentials",
        Severity.WARNING,
        line,
        "no credentials are given",
        effect,
        "add client-certificate and client-key, or a token",
    )


def _encoded(node: Node, name: str) -> Iterator[Remark]:
    field = field_of(node, name)
    if field is None:
        return
    try:
        text = base64.b64decode(field.node.text, validate=True)
    except (binascii.Error, ValueError):
        text = b""
    if b"-----BEGIN" not in text:
        yield Remark(
            "not-encoded",
            Severity.ERROR,
            field.line,
            f"{name} is no base64 of a PEM file",
            STOPS,
            f"encode the file, or use {name.removesuffix('-data')}: FILE",
        )


def _placeholders(node: Node) -> Iterator[Remark]:
    for field in node.fields:
        text = field.node.text
        if "/path/to/" in text or "your-" in text or "example.com" in text or "<" in text:
            effect = "the server does not start when a file is missing, and no batch arrives at a host that is not there"
            yield Remark(
                "placeholder",
                Severity.ERROR,
                field.line,
                f"{field.name} is still the example's {text!r}",
                effect,
                "give your own value",
            )
        elif field.name in {
            "certificate-authority",
            "client-certificate",
            "client-key",
            "tokenFile",
        } and not text.startswith("/"):
            effect = "the path counts from the folder of this file, not from where the server was started"
            yield Remark(
                "relative-path",
                Severity.INFO,
                field.line,
                f"{field.name} is a relative path",
                effect,
                "write the whole path",
            )
