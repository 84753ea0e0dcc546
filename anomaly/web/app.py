"""The app: what its routes share, and the routes, found because they are there."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from fastapi import APIRouter, FastAPI, Request

from anomaly.settings import Settings
from anomaly.store.database import Database
from anomaly.web import problem, routes
from anomaly.web.access import Doorkeeper
from anomaly.web.body import Pending
from anomaly.web.commit import GroupCommit

OPEN: Final = frozenset({"/healthz", "/readyz"})
"""Paths that answer without a token; they say nothing but yes or no."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What every route may use."""

    settings: Settings
    database: Database
    doorkeeper: Doorkeeper
    pending: Pending
    commit: GroupCommit


def make_app(shared: Shared) -> FastAPI:
    """This will put the app together: every module of `routes/` that exposes `router`, every failure as a problem."""
    app = FastAPI(title="anomaly", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.shared = shared
    for module in sorted(iter_modules(routes.__path__), key=lambda found: found.name):
        router = import_module(f"{routes.__name__}.{module.name}").router
        assert isinstance(router, APIRouter)
        app.include_router(router)
    problem.install(app)
    return app


def shared_of(request: Request) -> Shared:
    """This will return what the app of this request shares."""
    shared = request.app.state.shared
    assert isinstance(shared, Shared)
    return shared
