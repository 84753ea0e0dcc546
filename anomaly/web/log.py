"""What the service writes about itself: one line an event on standard error, JSON or text, never a token or a body.

Paths, user agents and error texts come from outside: control characters are escaped, so nobody writes lines of their own.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from anomaly.settings import LogSettings
from anomaly.web import request_id

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_USUAL: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "color_message",
    "taskName",
}
_LONGEST: Final = 2_000


def start_logging(options: LogSettings) -> None:
    """This will send all log records of the process to standard error in the form that is set."""
    structured = options.format == "json" or (options.format == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Structured() if structured else Plain())
    handler.addFilter(_name_the_request)
    logging.basicConfig(level=options.level.upper(), handlers=[handler], force=True)
    # Its lines repeat ours, in another form and with whatever the path holds.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # Two lines every ten seconds about jobs that run as they should would carry everything else off the screen.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


def _name_the_request(record: logging.LogRecord) -> bool:
    """Whatever is logged on behalf of a request says which."""
    if (name := request_id.present()) and "request_id" not in record.__dict__:
        record.request_id = name
    return True


class Structured(logging.Formatter):
    """One JSON object a line; JSON itself escapes control characters, and ASCII everything that only looks like a letter."""

    def format(self, record: logging.LogRecord) -> str:
        """This will return the record as JSON."""
        return json.dumps(
            {
                "time": _moment(record),
                "level": record.levelname.lower(),
                "message": record.getMessage()[:_LONGEST],
                **_extras(record),
                **({"trace": self.formatException(record.exc_info)} if record.exc_info else {}),
            },
            default=str,
        )


class Plain(logging.Formatter):
    """One line for people: time, level, message, name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """This will return the record as text with control characters escaped."""
        extras = "".join(f" {name}={value}" for name, value in _extras(record).items())
        line = f"{_moment(record)} {record.levelname.lower():7} {record.getMessage()[:_LONGEST]}{extras}"
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _moment(record: logging.LogRecord) -> str:
    return (
        datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _extras(record: logging.LogRecord) -> dict[str, object]:
    found = {name: value for name, value in record.__dict__.items() if name not in _USUAL}
    return {name: value[:_LONGEST] if isinstance(value, str) else value for name, value in found.items()}


def shown_path(path: str) -> str:
    """This will return a path as it may be written: the code of an invite opens an account by itself."""
    return "/invite/..." if path.startswith("/invite/") else path


class AccessLog:
    """An ASGI layer that names each request and writes one line for it, once it is answered.

    The name goes out as X-Request-Id. Health checks are only written at level debug.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = logging.getLogger("anomaly.access")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This will pass the request on and log how it was answered; status 0 or 499 means that the sender went away."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = request_id.new_request_id()
        request_id.begin(name)
        started, status, received = time.perf_counter(), 0, 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {
                    **message,
                    "headers": [*message.get("headers", ()), (request_id.HEADER, name.encode())],
                }
            await send(message)

        try:
            await self._app(scope, counted, noted)
        finally:
            quiet = scope["path"] in {"/healthz", "/readyz"} and status == 200
            self._log.log(
                logging.DEBUG if quiet else logging.INFO if status < 500 else logging.WARNING,
                "request",
                extra={
                    "method": scope["method"],
                    "path": shown_path(scope["path"]),
                    "status": status,
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                    "bytes": received,
                    "client": (scope.get("client") or ("",))[0],
                    "cluster": scope.get("anomaly.cluster", ""),
                    "request_id": name,
                    **(
                        {"claimed_request_id": claim}
                        if (claim := request_id.claimed(scope["headers"]))
                        else {}
                    ),
                },
            )
