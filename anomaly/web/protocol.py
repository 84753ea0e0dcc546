"""uvicorn's HTTP/1.1 protocol with the patience it lacks: a connection must say what it wants within a time.

uvicorn bounds only the pause between requests. A client that sends headers a byte a minute, nothing at all, or the endless
rest of a body that was answered already would hold its connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from anomaly.web.tls import ClientCertificate, client_certificate

PATIENCE_SECONDS: Final = 30.0


class PatientProtocol(HttpToolsProtocol):
    """Closes the connection when headers, or the rest of an answered body, take longer than `PATIENCE_SECONDS`."""

    _patience: asyncio.TimerHandle | None = None
    _whole = True
    _certificate: ClientCertificate | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """This will start the clock for the first headers."""
        super().connection_made(transport)
        # The handshake is over by now; no server hands the certificate on to the app by itself.
        self._certificate = client_certificate(transport.get_extra_info("peercert"))
        self._be_patient()

    def connection_lost(self, exc: Exception | None) -> None:
        """This will stop the clock."""
        self._relax()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """This will start the clock for the headers of a request."""
        self._whole = False
        self._be_patient()
        super().on_message_begin()
        # Our own key, not one of the standard: nothing that a client sends can end up here.
        self.scope["anomaly.certificate"] = self._certificate  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        """This will stop the clock: reading the body has a time limit of its own."""
        self._relax()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """This will stop the clock of a body that nobody reads any more."""
        self._whole = True
        self._relax()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """This will start the clock for what is still to come of an answered request."""
        super().on_response_complete()
        if not self._whole and not self.transport.is_closing():
            self._be_patient()

    def _be_patient(self) -> None:
        self._relax()
        self._patience = self.loop.call_later(PATIENCE_SECONDS, self._lose_patience)

    def _relax(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
