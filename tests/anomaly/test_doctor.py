"""The doctor reads well: nothing there yet, an empty cluster, a healthy one, broken ones."""

from datetime import timedelta

import pytest

from anomaly.doctor import examine, wanted_by, without_database
from anomaly.errors import DatabaseUnavailable
from anomaly.events.decode import decode_lines
from anomaly.events.key import microseconds
from anomaly.intake.diagnosis import Grade
from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.store.clusters import add_cluster
from anomaly.store.intake import Sent, add_refusals
from anomaly.store.tokens import issue
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from anomaly.web.server import clock as present

HOUR_US = 3_600_000_000
WANTED = wanted_by(pack())


class Ward:
    """A database with one cluster, sent to as a webhook does."""

    def __init__(self, database, folder):
        self.database, self.settings = database, Settings(data_dir=folder)
        self.now = present()

    def add(self, token=True, **given):
        with self.database.begin() as session:
            self.cluster = add_cluster(session, "prod")
            if token:
                issue(session, self.cluster, **given)

    def send(self, *raws, late=timedelta(seconds=1)):
        writer = Writer(self.database.dedicated, pack(), HOUR_US)
        decoded = decode_lines(b"\n".join(raws))
        at = microseconds(self.now + late)
        writer.write([Arrival(self.cluster, "webhook", decoded, (Sent(len(decoded.events), 1, at),))])
        writer.close()

    def execute(self, statement, *values):
        with self.database.connection() as connection:
            connection.execute(statement, values)

    def examine(self, **given):
        return examine(self.database, self.settings, WANTED, present(), **given)

    def patient(self):
        (patient,) = self.examine().clusters
        return patient

    def check(self, name):
        found = [one for one in self.patient().checks if one.name == name]
        return found[0] if found else None


@pytest.fixture
def ward(database, tmp_path):
    return Ward(database, tmp_path)


def test_a_fresh_installation_is_no_trouble_and_says_what_to_begin_with(ward):
    found = ward.examine()
    assert found.grade is Grade.NOTE and found.clusters == ()
    assert [one.name for one in found.checks] == ["database", "schema", "clock", "disk", "jobs", "clusters"]
    assert "anomaly serve" in found.step
    assert "anomaly cluster add" in found.checks[-1].step


def test_an_empty_cluster_is_given_time_before_its_causes_are_named(ward):
    ward.add()
    assert ward.patient().grade is Grade.NOTE
    ward.execute("UPDATE anomaly.token SET created_at = now() - interval '1 hour'")
    check = ward.check("arrival")
    assert check.grade is Grade.BROKEN
    assert check.says.index("(1) The service listens on 127.0.0.1") < check.says.index(
        "(3) Its policy writes nothing"
    )
    assert "/v1/clusters/prod/audit" in check.says


def test_a_cluster_without_a_token_is_told_how_to_begin(ward):
    ward.add(token=False)
    assert "anomaly cluster token prod" in ward.patient().step
    assert ward.patient().grade is Grade.NOTE


def test_a_healthy_cluster_says_what_arrives(ward):
    ward.add()
    ward.send(*(raw_event(at=ward.now - timedelta(milliseconds=place)) for place in range(20)))
    patient = ward.patient()
    assert ward.check("arrival").grade is Grade.WELL
    assert patient.arrives.tally.kept == 20 and patient.arrives.sources == {"webhook": 20}
    assert patient.arrives.levels == {"Metadata": 1.0} and patient.arrives.stages == {"ResponseComplete": 1.0}
    assert patient.grade.rank <= Grade.NOTE.rank
    assert patient.arrives.per_minute > 0


def test_rules_that_cannot_fire_are_named_with_the_reason(ward):
    ward.add()
    ward.send(*(raw_event("pods", "create", at=ward.now, name=f"p{place}") for place in range(1_200)))
    patient = ward.patient()
    blind = {one.owner: one for one in patient.blind}
    assert blind["privileged-workload"].sees in {"blind", "always-fires"}
    assert "level Metadata" in blind["privileged-workload"].why
    assert ward.check("sight").grade is Grade.WARNING and "policy generate" in patient.step


def test_a_policy_without_the_last_stage_is_broken(ward):
    ward.add()
    ward.send(raw_event(at=ward.now, stage="RequestReceived"))
    assert ward.check("stages").grade is Grade.BROKEN
    assert "omitStages" in ward.patient().step


def test_a_silent_cluster_is_broken_and_a_quiet_one_is_not(ward):
    ward.add()
    ward.send(raw_event(at=ward.now - timedelta(hours=5)), late=timedelta(hours=-5))
    assert ward.check("arrival").grade is Grade.WELL
    ward.execute(
        "INSERT INTO anomaly.intake_hour (cluster_id, hour_at, source, lane, kept, minutes, lag)"
        " SELECT %s, date_trunc('hour', now()) - make_interval(hours => h), 'webhook', 0, 600, (1::bigint << 60) - 1,"
        " array_prepend(600::bigint, array_fill(0::bigint, ARRAY[53])) FROM generate_series(3, 30) h",
        ward.cluster,
    )
    ward.execute("UPDATE anomaly.intake_hour SET minutes = 0 WHERE lane <> 0")
    check = ward.check("arrival")
    assert check.grade is Grade.BROKEN and "usual" in check.says and "anomaly ingest" in check.step


def test_refused_late_and_quarantined_deliveries_are_told(ward):
    ward.add()
    ward.send(raw_event(at=ward.now), b"{]")
    with ward.database.connection() as connection:
        add_refusals(connection, {ward.cluster: 7}, "webhook")
    assert "7 bodies" in ward.check("refused").says
    assert ward.check("quarantine").grade is Grade.WARNING
    assert ward.check("lag") is None and ward.check("clock") is None
    ward.send(raw_event(at=ward.now, name="x"), late=timedelta(minutes=-1))
    assert ward.check("clock").grade is Grade.WARNING


def test_tokens_that_end_are_told_before(ward):
    ward.add(expires_at=present() + timedelta(days=3))
    assert ward.check("token").grade is Grade.WARNING
    ward.execute("UPDATE anomaly.token SET expires_at = now() - interval '1 minute'")
    assert ward.check("token").grade is Grade.BROKEN
    with ward.database.begin() as session:
        issue(session, ward.cluster)
    assert ward.check("token") is None


def test_why_there_is_no_model_is_what_the_training_said(ward):
    ward.add()
    ward.send(raw_event(at=ward.now))
    assert "none was trained yet" in ward.check("model").says
    ward.execute(
        "INSERT INTO anomaly.job_run (job, scheduled_at, outcome, finished_at, detail) VALUES ('training', now(), 'ok', now(),"
        ' \'{"prod": {"trained": false, "reason": "only 3 windows"}}\')'
    )
    assert "only 3 windows" in ward.check("model").says


def test_only_what_one_may_see_is_looked_at(ward):
    ward.add()
    with ward.database.begin() as session:
        add_cluster(session, "secret")
    assert [one.cluster for one in ward.examine(only=frozenset({"prod"})).clusters] == ["prod"]
    assert ward.examine(only=frozenset()).clusters == ()


def test_without_a_database_the_rest_is_looked_at(tmp_path):
    found = without_database(
        Settings(data_dir=tmp_path), DatabaseUnavailable("It is away.", hint="Start it."), present()
    )
    assert found.grade is Grade.BROKEN and found.step == "Start it."
    assert [one.name for one in found.checks] == ["database", "disk"]
