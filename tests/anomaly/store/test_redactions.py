"""Nothing secret reaches the database, and what was kept before redaction was switched on is recognised."""

from contextlib import closing

import zstandard

from anomaly.events.decode import decode_lines
from anomaly.redaction import Kind, Redactor
from anomaly.rules import pack
from anomaly.store.clusters import ensure_cluster
from anomaly.store.redactions import list_redactions
from anomaly.store.writer import Arrival, Writer
from anomaly.testing import raw_event
from tests.anomaly.store.state import HOUR_US, counted_windows, state_of, stored_windows

JWT = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
SECRET = "aHVudGVyMi1odW50ZXIy"
RAWS = [
    raw_event(),
    raw_event("secrets", "create", by="eve@example.com", body={"kind": "Secret", "data": {"a": SECRET}}),
    raw_event("pods", "list", uri=f"/api/v1/pods?access_token={JWT}", at=1),
    raw_event("/proxy", uri=f"/proxy/{JWT}", at=2),
    raw_event("pods", agent=f"tool {JWT}", at=3),
    raw_event("configmaps", "create", code=201, at=4, body={"data": {"a": f"password = {SECRET}"}}),
    b'{"kind":"Secret","data":{"a":"' + SECRET.encode() + b'"}}',
]


def write(database, redactor=None):
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "prod")
    with closing(Writer(database.dedicated, pack(), HOUR_US, redactor)) as writer:
        (receipt,) = writer.write([Arrival(cluster, "test", decode_lines(b"\n".join(RAWS)))])
    return cluster, receipt


def everything(database):
    """Every value of every table as bytes, compressed ones as what they hold."""
    found = b""
    with database.dedicated() as connection:
        asked = "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'anomaly' AND relkind = 'r'"
        for (table,) in connection.execute(asked).fetchall():
            for row in connection.execute(f'SELECT * FROM anomaly."{table}"').fetchall():
                for value in row:
                    if isinstance(value, bytes) and value.startswith(b"\x28\xb5\x2f\xfd"):
                        value = zstandard.ZstdDecompressor().decompress(value, 1 << 26)
                    found += value if isinstance(value, bytes) else str(value).encode()
    return found


def test_no_secret_is_in_any_table_and_what_was_replaced_is_counted_once(database):
    cluster, receipt = write(database)
    assert (receipt.kept, receipt.quarantined) == (6, 1) and receipt.matches
    held = everything(database)
    assert b"REDACTED" in held and SECRET.encode() not in held and JWT.encode() not in held
    assert write(database)[1].duplicates == 6
    with database.dedicated() as connection:
        counted = {(one.day.year, one.kind): one.replaced for one in list_redactions(connection, cluster)}
        times = connection.execute("SELECT times FROM anomaly.quarantine").fetchall()
    assert (
        counted[2026, Kind.TOKEN] == 1 and counted[2026, Kind.JWT] == 2 and counted[2026, Kind.PASSWORD] == 1
    )
    assert times == [(2,)]


def test_what_was_kept_before_redaction_is_not_kept_twice(database):
    _, before = write(database, Redactor(enabled=False))
    assert SECRET.encode() in everything(database)
    cluster, after = write(database)
    assert (before.kept, after.kept, after.duplicates) == (6, 0, 6)
    with database.dedicated() as connection:
        assert connection.execute("SELECT count(*), max(times) FROM anomaly.quarantine").fetchone() == (1, 2)
        assert sum(one.replaced for one in list_redactions(connection, cluster)) == 1  # the reject


def test_windows_are_the_fold_over_what_is_stored(database):
    cluster, _ = write(database)
    decoded = decode_lines(b"\n".join(RAWS))
    redacted = Redactor().redact(decoded).decoded
    with database.dedicated() as connection:
        assert stored_windows(connection, cluster) == counted_windows(redacted)
    raws = {value[-1] for value in state_of(database).events.values()}
    assert raws == set(redacted.raws)


def test_an_event_that_redaction_undoes_is_quarantined_and_the_others_are_kept_under_their_own_keys(database):
    posing = {"kind": "Secret", "data": {"a": SECRET}, "code": 200}
    raws = [raw_event(), raw_event(responseStatus=posing, at=1), raw_event(agent=f"tool {JWT}", at=2)]
    with database.begin() as connection:
        cluster = ensure_cluster(connection, "prod")
    with closing(Writer(database.dedicated, pack(), HOUR_US)) as writer:
        (first,) = writer.write([Arrival(cluster, "test", decode_lines(b"\n".join(raws)))])
        (again,) = writer.write([Arrival(cluster, "test", decode_lines(raws[2]))])
    assert (first.kept, first.quarantined) == (2, 1) and (again.kept, again.duplicates) == (0, 1)
    assert SECRET.encode() not in everything(database)
