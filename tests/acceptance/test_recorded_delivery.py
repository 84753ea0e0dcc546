"""A recorded delivery of a real kube-apiserver, replayed with its timing by a sender that retries as it does, is stored once.

The excerpt in `tests/data/webhook` unless `REPLAY_DELIVERIES` names another recording in the same
form, `REPLAY_TIMES` how many times faster than life it is sent (600 here: a minute is a tenth of a second).
"""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest
import zstandard

from tests.acceptance.faults.apiserver import Apiserver, Batch, Flags
from tests.acceptance.test_webhook_faults import certificates  # noqa: F401 -- a fixture
from tests.anomaly.web.running import Sender, Service, trusting
from tests.conftest import url_of

TIMES = float(os.environ.get("REPLAY_TIMES", "600"))


@pytest.fixture(scope="module")
def deliveries(data):
    path = Path(os.environ.get("REPLAY_DELIVERIES", data / "webhook/deliveries.jsonl.zst"))
    text = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert hashlib.sha256(one["body"].encode()).hexdigest() == one["sha256"]
    return found


async def replay(stub, deliveries):
    """Send each body when it was sent, counted from the first; each is tried again as kube-apiserver would."""
    began, loop = deliveries[0]["t"], asyncio.get_running_loop()
    start, tasks = loop.time(), []
    for number, one in enumerate(deliveries):
        await asyncio.sleep(max(0.0, start + (one["t"] - began) / TIMES - loop.time()))
        ids = tuple(item["auditID"] + item["stage"] for item in json.loads(one["body"])["items"])
        batch = Batch(number, ids, one["body"].encode())
        stub.batches.append(batch)
        tasks.append(asyncio.create_task(stub._deliver(batch)))
    await asyncio.gather(*tasks)
    await stub.close()


def stored_once(sender, stub, deliveries):
    """Everything was acknowledged, nothing is missing, nothing is there twice, and the windows count what is stored."""
    assert [batch.tries for batch in stub.batches if batch.outcome != "acknowledged"] == []
    assert stub.tries() > len(stub.batches), "no body came twice"
    assert sender.kept() == sum(one["items"] for one in deliveries) == len(stub.acknowledged())
    assert sender.quarantined() == []
    assert sender.windows_agree()


def test_with_a_bearer_token(database, tmp_path, deliveries):
    with Service(url_of(database), tmp_path) as service:
        sender = Sender(database, service, "live")
        stub = Apiserver(
            [("127.0.0.1", service.port)], "/v1/clusters/live/audit", sender.token,
            flags=Flags(), impatience=0.2, pace=0.3,
        )  # fmt: skip

        asyncio.run(replay(stub, deliveries))
        stored_once(sender, stub, deliveries)


def test_with_mutual_tls(database, tmp_path, deliveries, certificates):  # noqa: F811
    files = {
        "ANOMALY_SERVE__TLS_CERT": str(certificates / "server.crt"),
        "ANOMALY_SERVE__TLS_KEY": str(certificates / "server.key"),
        "ANOMALY_SERVE__TLS_CLIENT_CA": str(certificates / "ca.crt"),
    }
    with Service(url_of(database), tmp_path, **files) as service:
        sender = Sender(database, service, "mutual")
        context = trusting(certificates / "ca.crt", certificates / "client.crt", certificates / "client.key")
        stub = Apiserver(
            [("127.0.0.1", service.port)], "/v1/clusters/mutual/audit", sender.token,
            tls=context, flags=Flags(), impatience=0.2, pace=0.3,
        )  # fmt: skip
        asyncio.run(replay(stub, deliveries))
        stored_once(sender, stub, deliveries)
