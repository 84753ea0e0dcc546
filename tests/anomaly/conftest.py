"""A town that is there for every test that wants one: its hour is taken in once and its first model trained once."""

import pytest

from anomaly.nightly import load_judge, train
from models import Budget
from tests.anomaly import town as build


class Town:
    """A database of its own with the town's hour in it. `now` is the minute after it."""

    def __init__(self, database, now, cluster_id):
        self.database, self.now, self.cluster_id = database, now, cluster_id

    def judge(self, model_id=None):
        return load_judge(self.database, self.cluster_id, build.MINUTE, Budget(per_day=10), model_id)

    def train(self, until=None, **more):
        until = until or self.now
        since = self.now - build.PAST * build.MINUTE
        return train(
            self.database, self.cluster_id, build.MINUTE, since, until, time_scale=build.SCALE, **more
        )

    def keep(self, *events, fold=True):
        return build.keep(self.database, events, fold)


@pytest.fixture(scope="session")
def town_built(postgres):
    now = build.this_minute()
    clone = postgres.clone()
    with clone as database:
        cluster_id = build.keep(database, build.team(now - build.PAST * build.MINUTE, build.PAST))
        Town(database, now, cluster_id).train()
        # A template may have no connections.
        database.close()
        yield clone._name, now, cluster_id


@pytest.fixture
def town(postgres, town_built):
    name, now, cluster_id = town_built
    with postgres.clone(name) as database:
        yield Town(database, now, cluster_id)
