"""Makes the webhook kubeconfig and the API server's flags that deliver to a sink without the known ways to lose events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from anomaly.errors import UsageError


@dataclass(frozen=True, slots=True)
class Sink:
    """Where events go and how the API server proves itself. Paths are those on the control plane's hosts."""

    server: str
    cluster: str = ""
    authority: str = "/etc/kubernetes/audit/ca.crt"
    certificate: str = ""
    key: str = ""
    token: str = ""
    folder: str = "/etc/kubernetes/audit"


def kubeconfig(sink: Sink) -> str:
    """This will return the webhook's kubeconfig. The cluster's name goes into the path, as a query would be dropped.

    Raises UsageError when the server is no https URL, or half a client certificate is given.
    """
    try:
        url = urlsplit(sink.server)
    except ValueError:
        url = urlsplit("")
    if url.scheme != "https" or not url.hostname:
        raise UsageError(f"{sink.server!r} is no https URL", hint="write https://HOST:PORT/PATH")
    if url.query or url.fragment:
        raise UsageError("the API server drops the query of the URL", hint="name the cluster with --cluster")
    if bool(sink.certificate) != bool(sink.key):
        raise UsageError("a client certificate needs its key, and a key its certificate")
    server = sink.server.rstrip("/") + (f"/{quote(sink.cluster, safe='')}" if sink.cluster else "")
    lines = ["apiVersion: v1", "kind: Config", "clusters:", "  - name: audit-sink", "    cluster:"]
    lines += [f"      server: {_said(server)}", f"      certificate-authority: {_said(sink.authority)}"]
    lines += ["users:", "  - name: kube-apiserver", *_user(sink)]
    lines += [
        "contexts:",
        "  - name: audit",
        "    context:",
        "      cluster: audit-sink",
        "      user: kube-apiserver",
    ]
    return "\n".join([*lines, "current-context: audit", ""])


def _user(sink: Sink) -> list[str]:
    if sink.certificate:
        lines = ["    user:", f"      client-certificate: {_said(sink.certificate)}"]
        return [*lines, f"      client-key: {_said(sink.key)}"]
    if sink.token:
        return ["    user:", f"      token: {_said(sink.token)}"]
    return ["    user: {}"]


def flags(sink: Sink) -> list[str]:
    """This will return the API server's flags: webhook in batches that live long, and the file as the complete record."""
    return [
        f"--audit-policy-file={sink.folder}/policy.yaml",
        f"--audit-webhook-config-file={sink.folder}/webhook.yaml",
        "--audit-webhook-mode=batch",
        "--audit-webhook-initial-backoff=10s",
        "--audit-webhook-batch-max-wait=5s",
        "--audit-webhook-batch-buffer-size=20000",
        "--audit-log-path=/var/log/kubernetes/audit/audit.log",
        "--audit-log-maxage=30",
        "--audit-log-maxbackup=10",
        "--audit-log-maxsize=100",
    ]


def _said(text: str) -> str:
    """A JSON string is a YAML string, whatever is in it."""
    plain = text and all(letter.isalnum() or letter in "/._-:" for letter in text) and not text.endswith(":")
    return text if plain and not text[0].isdigit() else json.dumps(text, ensure_ascii=False)
