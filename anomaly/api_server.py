"""Asking an API server: its metrics page, and requests whose events we then expect. Only where the settings name one.

Where to ask comes from the settings of the service and from nobody else: no user, token or event can send it anywhere. TLS is
checked, redirects are not followed, proxies of the environment are not used, and time and size have limits.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from anomaly.errors import SettingsInvalid, SourceUnavailable
from anomaly.settings import CompletenessSettings

MOST_BYTES: Final = 32 << 20
"""A metrics page of a large kube-apiserver has about 10 MB."""


@dataclass(frozen=True, slots=True)
class ApiServer:
    """One API server of the settings: of which cluster, which of several ("" when it is alone), where, and with what."""

    cluster: str
    instance: str
    url: str
    token_file: Path | None
    ca_file: Path | None
    timeout: float


def api_servers(settings: CompletenessSettings) -> Iterator[ApiServer]:
    """This will yield the API servers of the settings. Raises SettingsInvalid for an address that is not https."""
    for name, url in settings.api_servers.items():
        cluster, _, instance = name.partition("/")
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(parts.hostname or "")):
            raise SettingsInvalid(
                f"completeness.api_servers names {name} at {url[:100]!r}, which is not https.",
                hint="Write https://host:6443; a token must not cross the network readable.",
            )
        token, authority = settings.api_tokens.get(name), settings.api_cas.get(name)
        yield ApiServer(
            cluster,
            instance,
            url.rstrip("/"),
            Path(token) if token else None,
            Path(authority) if authority else None,
            settings.api_timeout.total_seconds(),
        )


def ask(one: ApiServer, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """This will GET a path and return status and body. Raises SourceUnavailable when there is no whole answer in time."""
    import httpx

    given = dict(headers or {})
    try:
        if one.token_file is not None:
            # Read each time: bound tokens are renewed in place every hour.
            given["Authorization"] = f"Bearer {one.token_file.read_text().strip()}"
        verify: ssl.SSLContext | bool = (
            ssl.create_default_context(cafile=str(one.ca_file)) if one.ca_file is not None else True
        )
        deadline = monotonic() + one.timeout
        with (
            httpx.Client(
                verify=verify, timeout=one.timeout, trust_env=False, follow_redirects=False
            ) as client,
            client.stream("GET", f"{one.url}{path}", headers=given) as answer,
        ):
            body = bytearray()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise SourceUnavailable(
                        f"The API server {one.url} answers more than {MOST_BYTES >> 20} MiB."
                    )
                if monotonic() > deadline:
                    raise SourceUnavailable(f"The API server {one.url} took longer than {one.timeout:g} s.")
            return answer.status_code, bytes(body)
    except (httpx.HTTPError, OSError, ValueError) as failure:
        # Never the words of a failure about headers: they would hold the token.
        reason = (
            failure.strerror if isinstance(failure, OSError) and failure.strerror else type(failure).__name__
        )
        raise SourceUnavailable(f"The API server {one.url} cannot be asked: {reason}.") from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
