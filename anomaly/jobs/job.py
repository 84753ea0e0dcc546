"""What a job is, and which there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from anomaly.errors import AnomalyError
from anomaly.jobs.schedule import Schedule
from anomaly.settings import Settings
from anomaly.store.database import Database
from anomaly.store.present import Present

if TYPE_CHECKING:
    from anomaly.ranking import Ranking
    from anomaly.reigning import Reigning

Detail = Mapping[str, object]


class JobFailed(AnomalyError):
    """A job did not come to its end; `anomaly jobs history` says why."""

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, detail: Detail | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.detail = dict(detail or {})


class JobStopped(AnomalyError):
    """The program was told to stop in the middle of a job; whoever leads next takes it again."""


class Shared:
    """What runs of jobs share for as long as the program lives: the models in use, and what was heard. Made when first asked for,
    since a replica that stands by, or only folds, needs no forests."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._presents: dict[int, Present] = {}

    def present(self, cluster_id: int) -> Present:
        """What is held of a cluster by whoever judges all its windows as they change: by one job alone."""
        return self._presents.setdefault(cluster_id, Present(cluster_id, time.monotonic))

    def forget(self) -> None:
        """This will let go of what is held of clusters: somebody else may have judged meanwhile."""
        self._presents = {}

    @cached_property
    def reigning(self) -> Reigning:
        """The judges of the models in use."""
        from anomaly.reigning import Reigning
        from models import Budget

        budget = Budget(per_day=self._settings.scoring.findings_per_day)
        return Reigning(self._database, self._settings.windows.span, budget, time.monotonic)

    @cached_property
    def ranking(self) -> Ranking:
        """What ranks open findings by verdicts."""
        from anomaly.ranking import Ranking

        return Ranking(self._database, self._settings.training.verdicts_per_technique)


@dataclass(frozen=True, slots=True)
class Work:
    """What a job works with. `say` takes progress, one line a step, and raises JobStopped when the program is to stop.

    A job that looks again and again goes on until `until`, its next time; None asks for one look. `rest` waits so many seconds
    and returns whether to go on: False when the program is to stop.
    """

    settings: Settings
    database: Database
    shared: Shared
    scheduled_at: datetime
    now: datetime
    say: Callable[[str], None]
    until: datetime | None = None
    rest: Callable[[float], bool] = lambda seconds: False


@dataclass(frozen=True, slots=True)
class Job:
    """One job. `run` returns what came of it, for the history; whatever it raises makes the run a failure.

    Each run may be taken again after a crash, so `run` must not mind having been begun before. With `catch_up` a run that was
    missed while nobody led is made up for, once.
    """

    name: str
    about: str
    schedule: Callable[[Settings], Schedule]
    run: Callable[[Work], Detail]
    catch_up: bool = True


def all_jobs() -> tuple[Job, ...]:
    """This will return every job there is a file for, by name."""
    folder = Path(__file__).parent
    modules = (import_module(f"anomaly.jobs.{found.name}") for found in iter_modules([str(folder)]))
    found = [job for module in modules if isinstance(job := getattr(module, "JOB", None), Job)]
    return tuple(sorted(found, key=lambda job: job.name))
