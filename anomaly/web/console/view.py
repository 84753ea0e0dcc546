"""What every page knows of whoever looks at it: who, in which language, zone and colours, at which cluster and time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from sqlalchemy import Connection
from starlette.requests import Request

from anomaly.rights import Principal
from anomaly.store.clusters import cluster_names
from anomaly.store.extents import came_since
from anomaly.web.clock import clock
from anomaly.web.console import moments
from anomaly.web.console.language import LANGUAGES, Language, language_of
from anomaly.web.console.menu import Entry, entries
from anomaly.web.console.scope import ALL, Scope, scope_of
from anomaly.web.csrf import csrf_token

THEME_COOKIE: Final = "anomaly_theme"
THEMES: Final = ("auto", "light", "dark")
EVERYWHERE: Final = Scope()


@dataclass(frozen=True, slots=True)
class View:
    """One look at the console. `who` is None before signing in; `clusters` are those in sight, by name."""

    who: Principal | None
    language: Language
    zone: tzinfo
    theme: str
    now: datetime
    path: str
    csrf: str
    scope: Scope = EVERYWHERE
    clusters: tuple[str, ...] = ()

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages there are."""
        return LANGUAGES

    @property
    def menu(self) -> tuple[Entry, ...]:
        """The entries that whoever looks may use."""
        return tuple(one for one in entries() if self.who is not None and self.who.may(one.right))

    def here(self, entry: Entry) -> bool:
        """This will say whether the page belongs to an entry of the menu: its own path or one below it."""
        homes = ("/findings",) if entry.path == "/" else ()
        below = tuple(f"{one}/" for one in (entry.path.rstrip("/"), *homes) if one)
        return self.path == entry.path or self.path.startswith(below)


def view_of(request: Request, who: Principal, connection: Connection, default: str = ALL) -> View:
    """This will return the view of a page; `default` is the span of time when the URL names none. If nothing came in it, as in a
    demonstration or after a pause, it is all time: a page that is empty at first sight teaches nothing.

    Raises NotFound for a cluster that is not in sight, UsageError for a time that cannot be read.
    """
    now = clock()
    names = cluster_names(connection)
    clusters = tuple(sorted(filter(who.may_see, names.values())))
    scope = scope_of(request, who, clusters, now, default)
    if scope.since is not None and not scope.chosen:
        shown = (scope.cluster,) if scope.cluster else clusters
        if not came_since(
            connection, [number for number, name in names.items() if name in shown], scope.since
        ):
            scope = Scope(scope.cluster)
    return _view(request, who, now, scope, clusters)


def bare_view(request: Request) -> View:
    """This will return the view of a page that says nothing of what is kept: login and problems."""
    return _view(request, None, clock(), EVERYWHERE, ())


def _view(
    request: Request, who: Principal | None, now: datetime, scope: Scope, clusters: tuple[str, ...]
) -> View:
    chosen = request.cookies.get(THEME_COOKIE, "")
    theme: str = chosen if chosen in THEMES else THEMES[0]
    return View(
        who,
        language_of(request),
        moments.zone_of(request),
        theme,
        now,
        request.url.path,
        csrf_token(request),
        scope,
        clusters,
    )
