"""What the API says of itself: OpenAPI 3.1 of every route under `/v1`, with the problems that each may answer."""

from __future__ import annotations

import inspect
import re
from importlib import metadata
from typing import Any, Final, NotRequired

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from typing_extensions import TypedDict

from anomaly.web.problem import MEDIA_TYPE

VERSION: Final = "v1"


class Problem(TypedDict):
    """Why a request was refused (RFC 9457). `hint` says what to do, `detail` what was wrong."""

    type: str
    title: str
    status: int
    detail: NotRequired[str]
    hint: NotRequired[str]


_SAID: Final = {
    400: "The request cannot be read, or its rules or policy cannot be used.",
    401: "No valid token or session.",
    403: "The right for this is missing.",
    404: "There is no such thing, or not within the scope of who asks.",
    408: "The body did not arrive in time.",
    409: "Not in this state.",
    412: "Somebody was faster: the finding is of another version than If-Match says.",
    413: "The body is too long.",
    422: "A parameter or the body is not what it must be.",
    429: "Too much long work is asked for at once; Retry-After says when to come back.",
    503: "The database does not answer in time, or too much is asked at once; Retry-After says when to come back.",
}
ALWAYS: Final = (400, 401, 403, 404, 408, 413, 422, 503)
"""What every route may answer: parameters and bodies have limits, clusters are looked up, and any database can be slow."""


def problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """This will return the problems that a route declares: those of every route, and more."""
    return {
        status: {
            "description": _SAID[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*ALWAYS, *more})
    }


NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "It is as If-None-Match says.", "headers": {"ETag": {"schema": {"type": "string"}}}}
}


def describe(app: FastAPI) -> None:
    """This will have the app describe itself as `document_of` says."""
    app.openapi = lambda: document_of(app)  # type: ignore[method-assign]


def document_of(app: FastAPI) -> dict[str, Any]:
    """This will return the OpenAPI document of the routes under `/v1`, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="anomaly",
            version=VERSION,
            openapi_version="3.1.0",
            summary="Behaviour analytics for the Kubernetes API: audit events in, explained findings out.",
            description=inspect.cleandoc(
                """
                Every route takes a bearer token or the session of somebody who signed in, and needs one right.
                Whoever may see only some clusters sees only what is of these; anything else is 404.
                Lists come in pages: `next` is the `cursor` of what follows. Refusals are problems (RFC 9457).
                Work that takes long answers 202 with a run to look at again: `/v1/runs/{run}`.
                """
            ),
            routes=app.routes,
        )
        paths = document["paths"]
        document["paths"] = {path: said for path, said in paths.items() if path.startswith("/v1/")}
        document["info"]["x-release"] = _release()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        from pydantic import TypeAdapter

        schemas["Problem"] = TypeAdapter(Problem).json_schema()
        for operations in document["paths"].values():
            for operation in operations.values():
                _with_problems(operation)
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
    return app.openapi_schema


def methods_of(app: FastAPI, path: str) -> list[str]:
    """This will return the methods that a path under `/v1` takes, whichever routes they are of; the least general path decides."""
    templates = sorted(document_of(app)["paths"], key=lambda template: template.count("{"))
    for template in templates:
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]*\})", template)
        )
        if re.fullmatch(pattern, path):
            return sorted(method.upper() for method in document_of(app)["paths"][template])
    return []


def _with_problems(operation: dict[str, Any]) -> None:
    """Routes that declare none have the usual ones; the framework's own shape of a 422 is never sent."""
    responses = operation["responses"]
    if responses.get("422", {}).get("content", {}).get("application/json"):
        del responses["422"]
    for status, said in problems().items():
        responses.setdefault(str(status), said)


def _release() -> str:
    try:
        return metadata.version("anomaly")
    except metadata.PackageNotFoundError:
        return "unknown"
