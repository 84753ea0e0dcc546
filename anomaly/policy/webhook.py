"""Makes the webhook kubeconfig and the API server's flags that deliver to a sink without the known ways to lose events.

Easily got wrong in silence: a `tls-client-config` is ignored, a query string in `server` is dropped, a file without
`current-context` is refused, and without truncation one list of ConfigMaps makes a body of 27 MB. Measured on v1.36.2.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from anomaly.errors import UsageError

FOLDER: Final = "/etc/kubernetes/audit"
FILE: Final = f"{FOLDER}/webhook.yaml"
POLICY: Final = f"{FOLDER}/policy.yaml"
AUTHORITY: Final = f"{FOLDER}/ca.crt"
_HINT: Final = "Write it as https://anomaly.example.org:8443."
_PLAIN: Final = re.compile(r"[A-Za-z/][A-Za-z0-9/._:+=-]*(?<!:)\Z")
_OTHER_THAN_TEXT: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})

FLAGS: Final = (
    f"--audit-policy-file={POLICY}",
    f"--audit-webhook-config-file={FILE}",
    # `blocking` would hold every request of the cluster while we are away, and `blocking-strict` refuse them.
    "--audit-webhook-mode=batch",
    "--audit-webhook-batch-max-size=400",
    "--audit-webhook-batch-max-wait=5s",
    # About 40 MB of memory, and half a minute of a very busy API server while it is told to wait.
    "--audit-webhook-batch-buffer-size=20000",
    "--audit-webhook-batch-throttle-qps=25",
    "--audit-webhook-batch-throttle-burst=50",
    # With this and our Retry-After a batch lives for about four minutes.
    "--audit-webhook-initial-backoff=10s",
    # A larger event loses its bodies, not itself; objects have at most 1.5 MiB, request and response both count.
    "--audit-webhook-truncate-enabled=true",
    "--audit-webhook-truncate-max-event-size=4194304",
    "--audit-webhook-truncate-max-batch-size=33554432",
    "--audit-webhook-version=audit.k8s.io/v1",
    # The complete record: what the webhook had to drop can be read from here.
    "--audit-log-path=/var/log/kubernetes/audit/audit.log",
    "--audit-log-maxage=30",
    "--audit-log-maxbackup=10",
    "--audit-log-maxsize=100",
)


@dataclass(frozen=True, slots=True)
class Sink:
    """Where events go and how the API server proves itself. Paths are those on the control plane's hosts.

    With a `cluster` the server is the root of `anomaly serve`, without one it is the whole address. The authority's
    certificates are named by path, or held in `authority_pem`.
    """

    server: str
    cluster: str = ""
    authority: str = AUTHORITY
    certificate: str = ""
    key: str = ""
    token: str = ""
    authority_pem: bytes | None = None

    @property
    def endpoint(self) -> str:
        """Where batches are posted. The cluster is in the path, because kube-apiserver drops a query string."""
        path = f"/v1/clusters/{quote(self.cluster, safe='')}/audit" if self.cluster else ""
        return self.server.rstrip("/") + path

    @property
    def is_plain(self) -> bool:
        """Whether nothing is encrypted on the way there."""
        return urlsplit(self.server).scheme == "http"


def kubeconfig(sink: Sink, *, plain: bool = False) -> str:
    """This will return the file for `--audit-webhook-config-file` as YAML.

    Raises UsageError when the server is no https URL (or http, if `plain`), or half a client certificate is given.
    """
    checked_server(sink.server, plain=plain)
    if bool(sink.certificate) != bool(sink.key):
        raise UsageError("A client certificate needs its key, and a key its certificate.")
    lines = ["apiVersion: v1", "kind: Config", "clusters:", "  - name: audit-sink", "    cluster:"]
    lines += [f"      server: {_said(sink.endpoint)}", *_authority(sink)]
    lines += ["users:", "  - name: kube-apiserver", *_user(sink)]
    lines += ["contexts:", "  - name: audit", "    context:"]
    lines += ["      cluster: audit-sink", "      user: kube-apiserver"]
    return "\n".join([*lines, "current-context: audit", ""])


def checked_server(text: str, *, plain: bool = False) -> str:
    """This will return the URL if a kube-apiserver can post to it, http only if `plain`, else raise UsageError."""
    parts = _split(text)
    if parts is None or parts.scheme not in ({"http", "https"} if plain else {"https"}):
        wanted = "address of a server" if plain else "https URL"
        raise UsageError(f"{text[:200]!r} is no {wanted}.", hint=_HINT)
    if parts.query or parts.fragment or parts.username or parts.password:
        raise UsageError(
            "The address of the server may hold no user, query or fragment: kube-apiserver would drop them.",
            hint=f"{_HINT} The cluster is named with --cluster.",
        )
    return text


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _authority(sink: Sink) -> list[str]:
    if sink.is_plain:
        return []
    if sink.authority_pem is not None:
        return [f"      certificate-authority-data: {b64encode(sink.authority_pem).decode()}"]
    return [f"      certificate-authority: {_said(sink.authority)}"]


def _user(sink: Sink) -> list[str]:
    given = {"client-certificate": sink.certificate, "client-key": sink.key, "token": sink.token}
    lines = [f"      {name}: {_said(value)}" for name, value in given.items() if value]
    return ["    user:", *lines] if lines else ["    user: {}"]


def _said(text: str) -> str:
    """A JSON string is a YAML string, whatever is in it."""
    plain = _PLAIN.match(text) and text.lower() not in _OTHER_THAN_TEXT
    return text if plain else json.dumps(text, ensure_ascii=True)
