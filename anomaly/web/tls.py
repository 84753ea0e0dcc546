"""The TLS side of the service: its certificate, those of clients, and both read again when their files change.

A client need not show a certificate: people and programs with a token have none. One that shows one must show one that
`serve.tls_client_ca` signed, or the handshake ends. Sessions are not resumed, since a resumed one would bring along a client
certificate that nobody looked at again.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from anomaly.errors import SettingsInvalid
from anomaly.settings import ServeSettings

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
"""How often the files are looked at: one stat each."""

_Seen = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate that an authority of ours signed: its names, the common name first, and until when it is valid."""

    names: tuple[str, ...]
    until: datetime


def client_certificate(shown: Mapping[str, Any] | None) -> ClientCertificate | None:
    """This will read what `ssl` says of the peer's certificate; None when the peer showed none."""
    if not shown:
        return None
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
    return ClientCertificate(tuple(dict.fromkeys(_names(shown))), ends)


def tls_context(options: ServeSettings) -> ssl.SSLContext:
    """This will make the TLS side of the service, from version 1.2 on. Raises SettingsInvalid when a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    setting, file = "serve.tls_cert or serve.tls_key", options.tls_cert
    try:
        assert options.tls_cert is not None
        # Without a password given, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(options.tls_cert, options.tls_key, password="")
        if options.tls_client_ca is not None:
            setting, file = "serve.tls_client_ca", options.tls_client_ca
            context.load_verify_locations(options.tls_client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (ssl.SSLError, OSError, ValueError) as unusable:
        raise SettingsInvalid(
            f"{setting} ({file}) cannot be used: {getattr(unusable, 'strerror', None) or unusable}.",
            hint="All three are PEM files; the certificate comes with its chain, the key without a password.",
        ) from unusable
    return context


class Certificates:
    """The context that the server listens with; each handshake takes the files as they were read last."""

    def __init__(self, options: ServeSettings) -> None:
        self._options = options
        self._seen = self._look()
        self._current = tls_context(options)
        self._looked_at = time.monotonic()
        self.context = tls_context(options)
        self.context.sni_callback = self._choose

    def renew(self) -> None:
        """This will read the files again if they changed since. Files that cannot be used are said, and the old ones stay in use."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        seen = self._look()
        if seen == self._seen:
            return
        try:
            self._current = tls_context(self._options)
        except SettingsInvalid as unusable:
            # Certificate and key are seldom replaced in the same instant: tried again with the next look.
            log.warning(
                "new TLS files cannot be used yet; the old ones stay", extra={"reason": str(unusable)}
            )
            return
        self._seen = seen
        log.info("TLS files were read again", extra={"certificate": str(self._options.tls_cert)})

    def _choose(self, session: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        # Called for every handshake, with or without a name (SNI); the context brings certificate and authorities along.
        session.context = self._current

    def _look(self) -> _Seen:
        files = (self._options.tls_cert, self._options.tls_key, self._options.tls_client_ca)
        return tuple(_stat(file) for file in files if file is not None)


def _stat(file: Path) -> tuple[int, int, int]:
    """Follows links: secrets of Kubernetes are replaced by changing where a link points."""
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _names(shown: Mapping[str, Any]) -> Iterator[str]:
    for parts in shown.get("subject", ()):
        for kind, value in parts:
            if kind == "commonName":
                yield str(value)
    for kind, value in shown.get("subjectAltName", ()):
        if kind in {"DNS", "URI", "email"}:
            yield str(value)
