"""Asking the app without a network, and its route table."""

import asyncio
import re

from fastapi.routing import APIRoute
from starlette.routing import Mount

from anomaly.web.app import make_app

_ROUTES = []


def app_on(shared):
    """`make_app`, with the routes that the first app of this process worked out: FastAPI does that anew for every app, at its first
    request, for half a second. What they need of an app they take from the request."""
    app = make_app(shared)
    if not _ROUTES:
        _ROUTES.extend(app.router.routes)
    app.router.routes[:] = _ROUTES
    return app


def ask(app, method, path, token=None, body=b"{}", scheme="http", client="127.0.0.1", raw=False, **headers):
    """Ask the app; `token` is the whole Authorization header. Returns (status, headers, body).

    Further headers by name with underscores: `cookie=`, `x_csrf_token=`, `sec_fetch_site=`.
    """
    sent = []
    path, _, query = path.partition("?")

    coming = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if not coming:
            # The client stays: whoever streams an answer waits for this beside it.
            await asyncio.Event().wait()
        return coming.pop()

    async def send(message):
        sent.append(message)

    given = {"host": "anomaly.test"} | headers | ({} if token is None else {"authorization": token})
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "scheme": scheme, "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
        "client": (client, 1), "server": ("127.0.0.1", 2),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    start = sent[0]
    answer = b"".join(part.get("body", b"") for part in sent[1:])
    found = start["status"], dict(start["headers"]), answer
    return (*found, start["headers"]) if raw else found


def routes(app, **given):
    """Every (method, pattern, path) there is; parameters are filled from `given`, else by `shop`."""
    found = []
    for route in walk(app.routes):
        for method in sorted(route.methods):
            filled = re.sub(r"{(\w+)(:\w+)?}", lambda match: str(given.get(match[1], "shop")), route.path)
            found.append((method, route.path, filled))
    return found


def mounts(app):
    """Paths below which another app answers, as static files."""
    return [route.path for route in app.routes if isinstance(route, Mount)]


def walk(listed):
    """Routes, those of included routers too; anything that is neither a route nor a mount of ours fails."""
    for route in listed:
        if isinstance(route, APIRoute):
            yield route
        elif not isinstance(route, Mount):
            yield from walk(route.original_router.routes)
