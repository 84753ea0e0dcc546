"""`anomaly ready` asks the service on this machine, and its exit code is the answer."""

import pytest

from tests.anomaly.cli.running import run
from tests.anomaly.web.running import Service
from tests.conftest import url_of


def test_a_service_that_can_work_is_ready_and_one_that_is_gone_is_not(database, tmp_path):
    with Service(url_of(database), tmp_path, ANOMALY_JOBS__ENABLED="false") as service:
        asked = run("ready", home=tmp_path, ANOMALY_SERVE__PORT=str(service.port))
        assert (asked.returncode, "ready" in asked.stdout) == (0, True)
        with database.connection() as connection:
            connection.execute("DELETE FROM anomaly.schema_revision")
        asked = run("ready", home=tmp_path, ANOMALY_SERVE__PORT=str(service.port))
        assert (asked.returncode, "not ready" in asked.stdout) == (1, True)
    asked = run("ready", home=tmp_path, ANOMALY_SERVE__PORT=str(service.port))
    assert (asked.returncode, "does not answer" in asked.stdout) == (1, True)


@pytest.mark.parametrize("within", ["0", "-1", "601"])
def test_a_time_that_makes_no_sense_is_refused(within, tmp_path):
    assert run("ready", "--within", within, home=tmp_path).returncode == 2
