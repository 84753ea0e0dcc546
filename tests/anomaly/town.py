"""A small team at work, kept in a database: an hour of minutes, so that a minute stands for an hour. No chance in it but seeded."""

from datetime import timedelta

import numpy as np

from anomaly.cli.moment import clock
from anomaly.events.decode import decode_lines
from anomaly.rules import RuleSet
from anomaly.settings import DatabaseSettings, JobSettings, Settings, TrainingSettings, WindowSettings
from anomaly.store.clusters import ensure_cluster
from anomaly.store.windows import fold_all
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from tests.conftest import url_of

MINUTE = timedelta(minutes=1)
PAST = 60
PEOPLE = ("amy", "bob", "cleo", "dan", "eli", "fay")
TEAM = ("payments", "system:authenticated")
SCALE = 60.0
CLUSTER = "town"


def work(who, begin, minutes, seed=0):
    """Lists and reads pods, now and then patches a deployment."""
    random = np.random.default_rng([seed, *who.encode()])
    for step in range(minutes):
        at = begin + step * MINUTE
        for number in range(int(random.integers(3, 9))):
            yield raw_event("pods", "list", by=who, groups=TEAM, at=at + timedelta(seconds=number))
        name = f"web-{random.integers(4)}"
        yield raw_event("pods", "get", name=name, by=who, groups=TEAM, at=at + timedelta(seconds=20))
        if random.random() < 0.4:
            again = at + timedelta(seconds=30)
            yield raw_event("apps/deployments", "patch", name="web", by=who, groups=TEAM, at=again)


def team(begin, minutes, seed=0):
    return [event for who in PEOPLE for event in work(who, begin, minutes, seed)]


def theft(who, at, count=20, namespace="db", groups=TEAM):
    """Reads many secrets within a minute."""
    return [
        raw_event(
            "secrets",
            "get",
            name=f"s{n}",
            namespace=namespace,
            by=who,
            groups=groups,
            at=at + timedelta(seconds=n),
        )
        for n in range(count)
    ]


def keep(database, events, fold=True):
    """Keep events of the town as the service would."""
    with database.begin() as session:
        cluster_id = ensure_cluster(session, CLUSTER)
    writer = Writer(database.dedicated, RuleSet(()), 60_000_000)
    try:
        writer.write([Arrival(cluster_id, "test", decode_lines(b"\n".join(events)))])
    finally:
        writer.close()
    if fold:
        with database.dedicated(autocommit=True) as connection:
            fold_all(connection)
    return cluster_id


def this_minute():
    return clock().replace(second=0, microsecond=0)


def settings_for(database, **jobs):
    """The settings under which a town lives: windows of a minute, jobs that come every second."""
    quick = {
        "score_every": timedelta(seconds=1),
        "fold_every": timedelta(seconds=1),
        "lead_every": timedelta(milliseconds=100),
    }
    return Settings(
        database=DatabaseSettings(url=url_of(database), pool_size=4),
        windows=WindowSettings(span=MINUTE, settle=timedelta(0)),
        training=TrainingSettings(trees=50),
        jobs=JobSettings(**(quick | {"suppress_every": timedelta(seconds=1)} | jobs)),
    )
