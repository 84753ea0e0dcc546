"""What clouds and log shippers post comes in by the same door, whatever it is wrapped in and however the token is shown."""

import base64
import gzip
import json
from pathlib import Path

import pytest

from anomaly.settings import Settings
from anomaly.store.clusters import add_cluster
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.clock import clock
from tests.anomaly.web.asking import app_on, ask
from tests.anomaly.web.people import a_token
from tests.anomaly.web.running import Sender, Service, fresh_event
from tests.conftest import url_of

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path for path in GOLDEN.glob("*/*.json") if ".expected" not in path.name)
AUDIT = "/v1/clusters/shop/audit"
FIREHOSE = {"x_amz_firehose_request_id": "ed4acda5-034f-9f42"}


def packed(data):
    return base64.b64encode(data).decode()


def firehose(*records):
    return json.dumps(
        {"requestId": "r", "timestamp": 1, "records": [{"data": one} for one in records]}
    ).encode()


def logged(*events):
    """A CloudWatch subscription's record."""
    messages = [{"id": str(n), "timestamp": 1, "message": one.decode()} for n, one in enumerate(events)]
    record = {"messageType": "DATA_MESSAGE", "logStream": "kube-apiserver-audit-1", "logEvents": messages}
    return packed(gzip.compress(json.dumps(record).encode()))


def test_a_running_service_takes_every_recorded_shape_once(database, tmp_path):
    with Service(url_of(database), tmp_path) as service:
        for number, path in enumerate(CASES):
            sender = Sender(database, service, f"c{number}")
            wanted = len(json.loads(path.with_suffix(".expected.json").read_text()))
            counts = sender.send(path.read_bytes())
            assert (counts["kept"], counts["quarantined"]) == (wanted, 0), path
            again = sender.send(gzip.compress(path.read_bytes()))
            assert (again["kept"], again["duplicates"]) == (0, wanted), path
            assert sender.kept() == wanted and sender.windows_agree()


@pytest.fixture
def shop(database):
    with database.begin() as connection:
        return add_cluster(connection, "shop")


@pytest.fixture
def door(app, commit, database, shop):
    """Ask the app with a started writer; headers by name with underscores."""
    commit.start()

    def post(body, path=AUDIT, **headers):
        status, answered, text = ask(app, "POST", path, headers.pop("token", None), body, **headers)
        return status, json.loads(text), answered

    return post


@pytest.fixture
def token(database, shop):
    return a_token(database, "ingest", clusters=[shop]).removeprefix("Bearer ")


def test_firehose_shows_its_key_and_hears_its_request_id(door, token):
    status, said, headers = door(
        firehose(logged(fresh_event(), fresh_event(at=1))), x_amz_firehose_access_key=token, **FIREHOSE
    )
    assert status == 200 and headers[b"content-type"] == b"application/json"
    assert said.keys() == {"requestId", "timestamp"} and said["requestId"] == "ed4acda5-034f-9f42"
    assert said["timestamp"] > 1_700_000_000_000


def test_firehose_is_refused_in_its_own_form(door, token):
    status, said, headers = door(firehose(), x_amz_firehose_access_key=token[:-1], **FIREHOSE)
    assert (status, said["errorMessage"]) == (401, "answered 401: A valid token or session is needed")
    assert said["requestId"] == "ed4acda5-034f-9f42" and headers[b"content-type"] == b"application/json"
    status, said, _ = door(firehose(), "/v1/clusters/bank/audit", x_amz_firehose_access_key=token, **FIREHOSE)
    assert status == 404 and said["requestId"]


def test_firehose_hears_when_to_come_back(database, commit, shop, token):
    full = Shared(Settings(), database, Doorkeeper(database, clock), Pending(10), commit)
    headers = {"x_amz_firehose_access_key": token, "content_length": "5000", **FIREHOSE}
    status, answered, text = ask(app_on(full), "POST", AUDIT, None, b" " * 5000, **headers)
    assert status == 503 and 5 <= int(answered[b"retry-after"]) <= 15
    assert json.loads(text)["errorMessage"] == "answered 503: Too busy"


def test_a_password_may_be_the_token(door, token):
    basic = f"Basic {packed(f'anything:{token}'.encode())}"
    assert door(fresh_event(), token=basic)[1]["kept"] == 1
    assert door(fresh_event(), token=f"Basic {packed(b'anything:wrong')}")[0] == 401
    assert door(fresh_event(), token="Basic ???")[0] == 401


def test_an_address_may_hold_a_token_that_only_sends(door, database, token):
    envelope = {
        "message": {"data": packed(fresh_event()), "messageId": "1"},
        "subscription": "projects/p/subscriptions/s",
    }
    body = json.dumps(envelope).encode()
    # Pub/Sub shows a token of Google's own beside it.
    assert door(body, f"{AUDIT}?token={token}", token="Bearer eyJhbGciOi.e30.x")[1]["kept"] == 1
    admin = a_token(database, "admin").removeprefix("Bearer ")
    assert door(body, f"{AUDIT}?token={admin}")[0] == 403
    assert door(body, f"{AUDIT}?token={token}x")[0] == 401
    other = a_token(database, "ingest").removeprefix("Bearer ")
    assert door(body, f"{AUDIT}?token={other}")[1]["duplicates"] == 1


def test_these_ways_open_the_intake_alone(app, database):
    reader = a_token(database, "read").removeprefix("Bearer ")
    for headers in (
        {"x_amz_firehose_access_key": reader},
        {"token": f"Basic {packed(f'a:{reader}'.encode())}"},
    ):
        assert ask(app, "GET", "/v1/clusters", **headers)[0] == 401
    assert ask(app, "GET", f"/v1/clusters?token={reader}")[0] == 401


def test_event_grid_is_told_that_its_events_are_wanted(door, token):
    asked = [
        {
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "data": {"validationCode": "512d38b6"},
        }
    ]
    body = json.dumps(asked).encode()
    assert door(body, f"{AUDIT}?token={token}", aeg_event_type="SubscriptionValidation")[:2] == (
        200,
        {"validationResponse": "512d38b6"},
    )
    assert door(body, AUDIT, aeg_event_type="SubscriptionValidation")[0] == 401
    # Whatever else says that it asks is kept like any other body.
    assert (
        door(b"[1]", f"{AUDIT}?token={token}", aeg_event_type="SubscriptionValidation")[1]["quarantined"] == 1
    )


def diagnostic(event):
    return {"category": "kube-audit", "time": "2026-03-02T09:00:00Z", "properties": {"log": event.decode()}}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda e: json.dumps([json.loads(one) for one in e]).encode(), id="an array of events"),
        pytest.param(lambda e: b"\n".join(e), id="lines"),
        pytest.param(lambda e: b"".join(e), id="events one behind the other"),
        pytest.param(lambda e: json.dumps([{"date": 1.5, "log": one.decode()} for one in e]).encode(), id="Fluent Bit, an array"),
        pytest.param(lambda e: b"\n".join(json.dumps({"message": one.decode()}).encode() for one in e), id="Vector, lines"),
        pytest.param(lambda e: b"\r\n".join(json.dumps(["kube.audit", 1, json.loads(one)]).encode() for one in e), id="Fluentd, tagged"),
        pytest.param(lambda e: json.dumps({"records": [diagnostic(one) for one in e]}).encode(), id="Event Hubs"),
        pytest.param(lambda e: json.dumps([{"records": [diagnostic(one)]} for one in e]).encode(), id="Event Hubs, several messages"),
        pytest.param(lambda e: json.dumps([{"id": "1", "eventType": "x", "eventTime": "t", "data": {"records": [diagnostic(one)]}} for one in e]).encode(), id="Event Grid"),
        pytest.param(lambda e: json.dumps([{"specversion": "1.0", "data_base64": packed(json.dumps(diagnostic(one)).encode())} for one in e]).encode(), id="CloudEvents"),
        pytest.param(lambda e: firehose(*(logged(one) for one in e)), id="Firehose"),
        pytest.param(lambda e: firehose(packed(b"\n".join(e))), id="Firehose, messages taken out"),
        pytest.param(lambda e: firehose(packed(b"".join(e))), id="Firehose, messages without ends"),
        pytest.param(lambda e: firehose(packed(b"".join(gzip.compress(one + b"\n") for one in e))), id="Firehose, several members"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("poison", [False, True], ids=["", "with poison"])
def test_events_come_out_of_whatever_wraps_them(door, token, body, poison):
    events = [fresh_event(at=place) for place in range(3)]
    if poison:
        events[1] = events[1].replace(b'"auditID"', b'"auditId"')
    status, counts, _ = door(body(events), token=f"Bearer {token}")
    assert status == 200
    assert (counts["kept"], counts["quarantined"]) == ((2, 1) if poison else (3, 0))


@pytest.mark.parametrize(
    "record",
    [
        pytest.param("%%%", id="no base64"),
        pytest.param(packed(b"\x1f\x8b damaged"), id="damaged gzip"),
        pytest.param(packed(gzip.compress(b" " * (40 << 20))), id="a bomb"),
        pytest.param(packed(b'{"records":' * 5000), id="depth"),
        pytest.param(packed(b"{" * 100_000), id="brackets"),
    ],
)
def test_a_poisoned_record_does_not_take_the_others_with_it(door, token, record):
    body = firehose(logged(fresh_event()), record, logged(fresh_event(at=1)))
    status, counts, _ = door(body, token=f"Bearer {token}")
    assert (status, counts["kept"], counts["quarantined"]) == (200, 2, 1)
    assert door(firehose(record), token=f"Bearer {token}")[1]["quarantined"] == 1


def test_a_body_of_another_stream_is_nothing_and_taken(door, token):
    other = {"messageType": "CONTROL_MESSAGE", "logEvents": [{"message": "CWL CONTROL MESSAGE"}]}
    status, counts, _ = door(
        firehose(packed(gzip.compress(json.dumps(other).encode()))), token=f"Bearer {token}"
    )
    assert (status, counts["kept"], counts["quarantined"]) == (200, 0, 0)
