"""What answers to questions need beside the database, held ready for as long as the app lives: threads, judges, rules, errands."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import cached_property, partial
from threading import RLock
from typing import TYPE_CHECKING, Final, TypeVar

import psycopg
import sqlalchemy
from anyio import CapacityLimiter, to_thread
from fastapi import Request

from anomaly.errors import AnomalyError
from anomaly.settings import Settings
from anomaly.store.database import Database, driver_connection

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from anomaly.appraising import Appraiser
    from anomaly.jobs.errand import Errands
    from anomaly.policy.need import Need as PolicyNeed
    from anomaly.rules import RuleSet
    from anomaly.rules.needs import Need as RuleNeed

T = TypeVar("T")

READERS: Final = 8
"""Questions answered at a time; intake has threads and connections of its own, so that it never waits for readers."""
SCORERS: Final = 2
"""Windows appraised at a time: it is all computing, and more threads would only take turns."""


class Desk:
    """Made once for an app; what takes long to load is loaded when first asked for."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.readers = CapacityLimiter(READERS)
        self.scorers = CapacityLimiter(SCORERS)
        self._renewals: dict[int, asyncio.Future[None]] = {}
        self._loading = RLock()

    def warm(self) -> None:
        """This will load what the first visit of a page would otherwise wait for. To be run beside the service, once it listens."""
        from anomaly.web.console.language import LANGUAGES
        from anomaly.web.console.templates import compile_all

        # What every page needs before what the doctor does: the latter computes for a second, and whoever comes first would have
        # waited behind it.
        for language in LANGUAGES:
            compile_all(language)
        assert self.wanted

    @cached_property
    def appraiser(self) -> Appraiser:
        """What judges windows for whoever asks."""
        from datetime import timedelta

        from anomaly.appraising import Appraiser
        from anomaly.reigning import Reigning
        from models import Budget

        span = self.settings.windows.span
        budget = Budget(per_day=self.settings.scoring.findings_per_day)
        reigning = Reigning(self.database, span, budget, time.monotonic)
        return Appraiser(self.database, reigning, span // timedelta(microseconds=1), time.monotonic)

    def renew(self, cluster_id: int) -> None:
        """This will have a thread ask for what the appraiser should know of a cluster, unless one does already. In an event loop."""
        if cluster_id in self._renewals:
            return
        task = asyncio.ensure_future(self._renewed(cluster_id))
        self._renewals[cluster_id] = task
        task.add_done_callback(lambda _: self._renewals.pop(cluster_id, None))

    async def _renewed(self, cluster_id: int) -> None:
        # The next request that finds nothing at hand says what is wrong; here nobody waits for an answer.
        with contextlib.suppress(AnomalyError, psycopg.Error, sqlalchemy.exc.SQLAlchemyError):
            await to_thread.run_sync(self.appraiser.renew, cluster_id, limiter=self.scorers)

    @cached_property
    def rules(self) -> RuleSet:
        """The rules in use: those with which this process matches."""
        from anomaly.bootstrap import load_rules

        with self._loading:
            return load_rules(self.settings)

    @cached_property
    def every_rule(self) -> RuleSet:
        """The rules in use and those that the settings disable."""
        from anomaly.bootstrap import load_rules

        options = self.settings.rules
        if not options.disabled:
            return self.rules
        return load_rules(Settings(rules=options.model_copy(update={"disabled": ()})))

    @cached_property
    def needs(self) -> dict[str, RuleNeed]:
        """What each rule in use needs, by its id; working it out takes a second, and once is enough for all who wait."""
        from anomaly.rules.needs import needs

        with self._loading:
            if (known := self.__dict__.get("needs")) is not None:
                assert isinstance(known, dict)
                return known
            return {one.rule: one for one in needs(self.rules)}

    @cached_property
    def wanted(self) -> list[PolicyNeed]:
        """What rules and feature families need of an audit policy."""
        from anomaly.policy.families import families
        from anomaly.policy.need import of_rules

        return [*of_rules(list(self.needs.values())), *families()]

    @cached_property
    def errands(self) -> Errands:
        """Long work that somebody asked for."""
        from anomaly.jobs.errand import Errands

        return Errands(self.settings, self.database)

    def close(self, within: float) -> None:
        """This will end long work that somebody asked for, waiting at most `within` seconds."""
        begun = self.__dict__.get("errands")
        if begun is not None:
            begun.stop(within)


def desk_of(request: Request) -> Desk:
    """This will return the desk of the app of this request."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)
    return desk


async def read(request: Request, deed: Callable[[Connection], T]) -> T:
    """This will run a deed in a thread, with a read-only transaction that the query time-out binds."""
    desk = desk_of(request)

    def done() -> T:
        with desk.database.read() as connection:
            return deed(connection)

    return await to_thread.run_sync(done, limiter=desk.readers)


async def change(request: Request, deed: Callable[[Connection], T]) -> T:
    """This will run a deed in a thread, in a transaction that is committed when it is done."""
    desk = desk_of(request)

    def done() -> T:
        with desk.database.begin() as connection:
            return deed(connection)

    return await to_thread.run_sync(done, limiter=desk.readers)


async def aside(request: Request, deed: Callable[..., T], *given: object) -> T:
    """This will run a deed that takes no connection, or takes its own, in a thread."""
    return await to_thread.run_sync(partial(deed, *given), limiter=desk_of(request).readers)


async def plainly(request: Request, deed: Callable[[psycopg.Connection[tuple[object, ...]]], T]) -> T:
    """This will run a deed in a thread with a plain connection, for what the store asks of the driver itself; the query time-out
    binds it too."""
    desk = desk_of(request)

    def done() -> T:
        with desk.database.read() as connection:
            return deed(driver_connection(connection))

    return await to_thread.run_sync(done, limiter=desk.readers)
