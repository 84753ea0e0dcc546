"""A service with a life behind it, to measure on: 1,000,000 events, a model, 10,000 findings in many states, weeks of windows.

Events, windows, findings and the model are made by the product's own commands from realistic events. What they make is then
repeated inside PostgreSQL, earlier in time and by other entities: windows, so that there are weeks before the events, and findings,
whose evidence stays the events that are there. A folder that was filled is used again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.realistic import SAMPLE, make

EVENTS: Final = 1_000_000
FINDINGS: Final = 10_000
CLUSTER: Final = "bench"
PERSON: Final = "bench"
CROWD: Final = 12
"""Sets of entities over which what is repeated is spread."""
ROUNDS: Final = 20
"""How often windows are repeated: weeks of them."""
_TRAINED: Final = 0.6
"""Part of the log that the model is trained on."""


def command(folder: Path, *words: str) -> None:
    """This will run the program on a data directory, its progress on standard error."""
    environment = os.environ | {"ANOMALY_DATA_DIR": str(folder)}
    subprocess.run(
        [sys.executable, "-P", "-m", "anomaly", *words], env=environment, check=True, stdout=sys.stderr
    )


def fill(folder: Path, events: int = EVENTS, findings: int = FINDINGS) -> None:
    """This will fill a data directory, unless it is filled already."""
    if (folder / "filled").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "events.jsonl"
    make(SAMPLE, log, 1 << 42, events_wanted=events)
    command(folder, "cluster", "add", CLUSTER)
    command(folder, "ingest", str(log), "--cluster", CLUSTER)
    log.unlink()
    with connected(folder) as connection:
        first, last = _one(connection, "SELECT min(received_at), max(received_at) FROM anomaly.event")
    until = first + (last - first) * _TRAINED
    command(folder, "train", "--cluster", CLUSTER, "--until", until.isoformat())
    command(folder, "score", "--cluster", CLUSTER)
    # Another, so that there is one to compare with.
    command(folder, "train", "--cluster", CLUSTER)
    with connected(folder) as connection:
        _repeat(connection, last - first, findings)
    (folder / "filled").touch()


@contextmanager
def connected(folder: Path) -> Iterator[psycopg.Connection]:
    """A plain connection to the database of a data directory, which is started if need be."""
    from anomaly.settings import Settings
    from anomaly.store.database import open_database

    with open_database(Settings(data_dir=folder)) as database, database.dedicated() as connection:
        yield connection


def _one(connection: psycopg.Connection, question: str) -> tuple:
    return connection.execute(question).fetchone()


def _repeat(connection: psycopg.Connection, length: timedelta, wanted: int) -> None:
    connection.execute(
        "INSERT INTO anomaly.entity (cluster_id, username)"
        " SELECT cluster_id, username || '-' || k FROM anomaly.entity, generate_series(1, %s) k",
        [CROWD],
    )
    connection.execute(
        "CREATE TEMP TABLE double AS SELECT a.id AS old, k, b.id AS new FROM anomaly.entity a, generate_series(1, %s) k,"
        " anomaly.entity b WHERE b.cluster_id = a.cluster_id AND b.username = a.username || '-' || k",
        [CROWD],
    )
    for name in ("entity_window", "finding", "evidence"):
        connection.execute(f"CREATE TEMP TABLE first_{name} AS SELECT * FROM anomaly.{name}")
    hours = -(-length // timedelta(hours=1)) * timedelta(hours=1)
    made = _one(connection, "SELECT count(*) FROM anomaly.finding")[0]
    for number in range(1, max(ROUNDS, -(-wanted // made))):
        given = {
            "n": str(number),
            "k": number % CROWD + 1,
            # However many rounds there are, all of them within the weeks that pages look back over.
            "by": hours * (number % ROUNDS) + timedelta(minutes=number // ROUNDS),
        }
        if number < ROUNDS:
            _more_windows(connection, given)
        _more_findings(connection, given)
    _handled(connection)
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")


def _more_windows(connection: psycopg.Connection, given: dict[str, object]) -> None:
    """For those who act in the log itself, and for one of the crowds."""
    connection.execute(
        "INSERT INTO anomaly.entity_window (start_at, scored_at, entity_id, cluster_id, histogram)"
        " SELECT w.start_at - %(by)s, w.scored_at, whose.id, w.cluster_id, w.histogram FROM first_entity_window w"
        " CROSS JOIN LATERAL (SELECT w.entity_id AS id UNION ALL"
        "  SELECT d.new FROM double d WHERE d.old = w.entity_id AND d.k = %(k)s) whose"
        " ON CONFLICT DO NOTHING",
        given,
    )


def _more_findings(connection: psycopg.Connection, given: dict[str, object]) -> None:
    columns = [row[0] for row in connection.execute("SELECT * FROM anomaly.finding LIMIT 0").description]
    changed = {
        "id": "md5(f.id::text || %(n)s)::uuid",
        "entity_id": "d.new",
        "start_at": "f.start_at - %(by)s",
        "end_at": "f.end_at - %(by)s",
        "created_at": "f.created_at - %(by)s",
    }
    listed = ", ".join(changed.get(name, f"f.{name}") for name in columns)
    connection.execute(
        f"INSERT INTO anomaly.finding ({', '.join(columns)}) SELECT {listed} FROM first_finding f"
        " JOIN double d ON d.old = f.entity_id AND d.k = %(k)s",
        given,
    )
    connection.execute(
        "INSERT INTO anomaly.evidence (received_at, finding_id, event_key)"
        " SELECT e.received_at, md5(e.finding_id::text || %(n)s)::uuid, e.event_key FROM first_evidence e",
        given,
    )


def _handled(connection: psycopg.Connection) -> None:
    """Of each sixteen findings two are in somebody's hands and three closed with a verdict, as after weeks of review."""
    sixteenth = "get_byte(uuid_send(id), 0) & 15"
    connection.execute(
        "INSERT INTO anomaly.triage (finding_id, version, assignee, verdict, closed_at)"
        f" SELECT id, 1, CASE WHEN {sixteenth} < 2 THEN %s END,"
        f" CASE WHEN {sixteenth} >= 2 THEN (ARRAY['true', 'benign', 'false_alarm'])[({sixteenth}) - 1] END,"
        f" CASE WHEN {sixteenth} >= 2 THEN end_at END"
        f" FROM anomaly.finding WHERE state = 'open' AND {sixteenth} < 5",
        [PERSON],
    )
    connection.execute(
        "UPDATE anomaly.finding f SET state = CASE WHEN t.closed_at IS NULL THEN 'taken' ELSE 'closed' END"
        " FROM anomaly.triage t WHERE t.finding_id = f.id"
    )


def session(folder: Path) -> str:
    """This will return the secret of a session of an admin, made once."""
    from anomaly.rights import Role
    from anomaly.settings import Settings
    from anomaly.store.database import open_database
    from anomaly.store.people import Reach, add_person
    from anomaly.store.sessions import Lifetime, begin_session
    from anomaly.web.clock import clock

    kept = folder / "session"
    if not kept.exists():
        year = timedelta(days=365)
        with open_database(Settings(data_dir=folder)) as database, database.begin() as connection:
            number = add_person(connection, PERSON, Reach(Role.ADMIN, None), "bench")
            kept.write_text(
                begin_session(connection, number, clock(), Lifetime(year, year), "127.0.0.1", "bench")
            )
    return kept.read_text()


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """The service without its jobs, on a port; the database is stopped with it."""
    environment = os.environ | {
        "ANOMALY_DATA_DIR": str(folder),
        "ANOMALY_LOG__FORMAT": "json",
        "ANOMALY_JOBS__ENABLED": "false",
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "anomaly", "serve", "--port", "0"],
        env=environment,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            said = json.loads(line) if line.startswith(b"{") else {}
            if said.get("message") == "listening":
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield int(said["url"].rpartition(":")[2])
                return
        raise SystemExit("the service did not start")
    finally:
        process.terminate()
        process.wait(20)
        command(folder, "db", "stop")
