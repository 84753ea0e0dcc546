"""The app: what its routes share, and the routes, found because they are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.telemetry import TelemetryConfig

from anomaly.settings import Settings
from anomaly.store.database import Database
from anomaly.web import pages, problem, routes
from anomaly.web.access import Doorkeeper
from anomaly.web.body import Pending
from anomaly.web.bounds import Bounds
from anomaly.web.commit import GroupCommit
from anomaly.web.desk import Desk
from anomaly.web.metrics import Meter
from anomaly.web.openapi import describe
from anomaly.web.record import Recorded
from anomaly.web.refusals import Refusals
from anomaly.web.tracing import untraced

OPEN: Final = frozenset(
    {
        "/healthz",
        "/readyz",
        "/static/{tree}/{name:path}",
        "/login",
        "/logout",
        "/invite/{code}",
        "/oidc/start",
        "/oidc/callback",
    }
)
"""Paths that answer without a token or session: they say nothing but yes or no, or let people in, or are the same files
for everybody."""

OFTEN: Final = frozenset({"audit", "score"})
"""Modules whose routes are asked by the hundred a second. A request is held against one router after the other, twice: what stood
after twenty others paid a quarter of a millisecond for it."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What every route may use."""

    settings: Settings
    database: Database
    doorkeeper: Doorkeeper
    pending: Pending
    commit: GroupCommit
    refusals: Refusals = field(default_factory=Refusals)
    meter: Meter = field(default_factory=Meter)
    telemetry: TelemetryConfig = field(default_factory=untraced)
    """What FastAPI is told of tracing."""


def make_app(shared: Shared) -> FastAPI:
    """This will put the app together: every module of `routes/` and `pages/` with its `router`, every failure as a problem."""
    app = FastAPI(
        title="anomaly", docs_url=None, redoc_url=None, openapi_url=None, telemetry=shared.telemetry
    )
    app.state.shared = shared
    app.state.desk = Desk(shared.settings, shared.database)
    app.add_middleware(Recorded, record=shared.doorkeeper.record)
    for room in (routes, pages):
        include(app, room)
    app.add_middleware(Bounds)
    problem.install(app)
    describe(app)
    return app


def include(app: FastAPI, room: ModuleType) -> None:
    """This will give the app every module of a room with its `router`."""
    for router in routers(room):
        app.include_router(router)


def routers(room: ModuleType) -> list[APIRouter]:
    """This will load every module of a room, by name, and return their routers; those that are asked most come first."""
    found = []
    for module in sorted(
        iter_modules(room.__path__), key=lambda found: (found.name not in OFTEN, found.name)
    ):
        router = import_module(f"{room.__name__}.{module.name}").router
        assert isinstance(router, APIRouter)
        found.append(router)
    return found


def load() -> None:
    """This will load all that an app is made of. To be called before threads begin that load the same: two that load modules
    which need each other can see one half loaded."""
    for room in (routes, pages):
        routers(room)


def shared_of(request: Request) -> Shared:
    """This will return what the app of this request shares."""
    shared = request.app.state.shared
    assert isinstance(shared, Shared)
    return shared
