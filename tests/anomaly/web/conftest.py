"""An app on a database of the test's own, driven inside the process."""

import pytest

from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.sources.webhook import Limits
from anomaly.store.writer import Writer
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.commit import GroupCommit
from anomaly.web.server import clock
from tests.anomaly.web.asking import app_on


@pytest.fixture
def commit(database):
    """Group commit with one writer, not started: what is submitted waits until `start`."""
    made = GroupCommit(
        lambda: Writer(database.dedicated, pack(), 3_600_000_000), Limits(1 << 20, 200), writers=1
    )
    yield made
    for thread in made._threads:
        if thread.ident is not None:
            made.close(10)


@pytest.fixture
def app(database, commit):
    """The whole app."""
    return app_on(
        Shared(Settings(), database, Doorkeeper(database, clock, Settings().access), Pending(1 << 24), commit)
    )
