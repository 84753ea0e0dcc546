"""The OpenAPI document without a running service: for `anomaly api describe` and for the copy in the documentation."""

from __future__ import annotations

import json

from fastapi import FastAPI

from anomaly.web import routes
from anomaly.web.app import include
from anomaly.web.openapi import document_of


def document() -> str:
    """This will return the document as JSON, the same for the same release."""
    app = FastAPI(title="anomaly")
    include(app, routes)
    made = document_of(app)
    made["info"].pop("x-release", None)
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
