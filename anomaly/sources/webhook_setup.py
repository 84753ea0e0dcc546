"""What a kube-apiserver needs to send its audit events here: the webhook's kubeconfig and the flags.

Both are easily got wrong in silence: a `tls-client-config` is ignored, a query string in `server` is dropped, a file without
`current-context` is refused, and the default initial size of events lets one list of ConfigMaps make a body of 27 MB.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from io import StringIO
from typing import Final
from urllib.parse import SplitResult, urlsplit

from anomaly.errors import UsageError

FILE: Final = "/etc/kubernetes/anomaly-webhook.yaml"
AUTHORITY: Final = "/etc/kubernetes/anomaly-ca.crt"

FLAGS: Final = (
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
)


@dataclass(frozen=True, slots=True)
class Setup:
    """One cluster's way here. `authority` is a path on the control plane's disk, `authority_pem` the certificates themselves."""

    cluster: str
    server: str
    token: str
    authority: str | None = None
    authority_pem: bytes | None = None

    @property
    def endpoint(self) -> str:
        """Where batches are posted. The cluster is in the path, because kube-apiserver drops a query string."""
        return f"{self.server.rstrip('/')}/v1/clusters/{self.cluster}/audit"

    def kubeconfig(self) -> str:
        """This will return the file for `--audit-webhook-config-file` as YAML."""
        from ruamel.yaml import YAML

        target: dict[str, str] = {"server": self.endpoint}
        if self.authority_pem is not None:
            target["certificate-authority-data"] = b64encode(self.authority_pem).decode()
        elif self.authority is not None:
            target["certificate-authority"] = self.authority
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "anomaly", "cluster": target}],
            "users": [{"name": self.cluster, "user": {"token": self.token}}],
            "contexts": [{"name": "audit", "context": {"cluster": "anomaly", "user": self.cluster}}],
            "current-context": "audit",
        }
        yaml, written = YAML(), StringIO()
        yaml.width = 1 << 20
        yaml.dump(document, written)
        return written.getvalue()

    def flags(self, file: str = FILE) -> list[str]:
        """This will return the flags of kube-apiserver for this webhook."""
        return [f"--audit-webhook-config-file={file}", *FLAGS]


def checked_server(text: str) -> str:
    """This will return the URL if a kube-apiserver can use it as the root of a webhook, else raise UsageError."""
    parts = _split(text)
    if parts is None:
        raise UsageError(
            f"{text[:200]!r} is no address of a server.", hint="Write it as https://anomaly.example.org:8443."
        )
    if parts.query or parts.fragment or parts.username or parts.password:
        raise UsageError(
            "The address of the server may hold no user, query or fragment: kube-apiserver would drop them.",
            hint="Write it as https://anomaly.example.org:8443.",
        )
    return text


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None
