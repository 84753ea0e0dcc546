"""What the console shows of clusters: each as the doctor finds it, beside what came of it by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from anomaly.completeness import Account, account_of
from anomaly.doctor import examine
from anomaly.intake.diagnosis import Check, Diagnosis, Grade, Patient
from anomaly.patient import causes_of_nothing
from anomaly.store.clusters import Cluster, list_clusters
from anomaly.store.database import driver_connection
from anomaly.web.desk import Desk

DAYS: Final = 14
"""Days of the account that a page shows, today included."""
RECENT: Final = timedelta(hours=1)
"""After the last arrival the light stays on for so long, unless that is silence for this cluster."""


class Light(StrEnum):
    """Whether events come: never any yet, they did within RECENT, they should and do not, or neither."""

    NEVER = "never"
    ON = "on"
    SILENT = "silent"
    STILL = "still"


@dataclass(frozen=True, slots=True)
class Bed:
    """One cluster. `account` is of the last DAYS as known `at` that time; `causes` say why nothing comes, the likeliest first, empty once something did."""

    cluster: Cluster
    patient: Patient
    account: Account
    at: datetime
    causes: tuple[str, ...]

    @property
    def light(self) -> Light:
        """What its light shows."""
        arrives = self.patient.arrives
        if arrives.last_event is None and arrives.last_arrival is None:
            return Light.NEVER
        if any(one.name == "arrival" and one.grade is Grade.BROKEN for one in self.patient.checks):
            return Light.SILENT
        recent = arrives.last_arrival is not None and self.at - arrives.last_arrival < RECENT
        return Light.ON if recent else Light.STILL

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was looked at, the gravest first."""
        return gravest_first(self.patient.checks)

    @property
    def open_alarms(self) -> int:
        """How many alarms about its intake hold now."""
        return sum(one.ended is None for one in self.account.alarms)

    @property
    def bars(self) -> tuple[float, ...]:
        """Events kept on each day, the oldest first, as shares of the day with most."""
        kept = [one.tally.kept for one in reversed(self.account.days)]
        return tuple(one / max(max(kept), 1) for one in kept)

    @property
    def patience_over(self) -> bool:
        """Whether something should have come by now."""
        return any(one.name == "arrival" and one.grade is Grade.BROKEN for one in self.patient.checks)


@dataclass(frozen=True, slots=True)
class Ward:
    """What the doctor says, with each cluster's account beside it."""

    diagnosis: Diagnosis
    beds: tuple[Bed, ...]


def ward_of(desk: Desk, now: datetime, only: frozenset[str] | None, *, look_for_starts: bool = False) -> Ward:
    """This will look at the clusters, all or `only` those of these names, and at the installation. Starts of API servers are in the
    accounts only when they are looked for."""
    found = examine(desk.database, desk.settings, desk.wanted, now, only)
    least = desk.settings.completeness.silence_after
    beds = []
    with desk.database.read() as connection:
        known = {one.name: one for one in list_clusters(connection, now)}
        for patient in found.clusters:
            one = known[patient.cluster]
            account = account_of(
                driver_connection(connection), one.id, now, DAYS, least, look_for_starts=look_for_starts
            )
            never = patient.arrives.last_arrival is None and patient.arrives.last_event is None
            causes = tuple(causes_of_nothing(desk.settings, one.name)) if never else ()
            beds.append(Bed(one, patient, account, now, causes))
    return Ward(found, tuple(beds))


def gravest_first(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """This will return checks in the order in which one would read them."""
    return tuple(sorted(checks, key=lambda one: -one.grade.rank))
