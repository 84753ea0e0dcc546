"""The needles of `bench_load`: events planted into a load that must become findings, and how long that took as a reader sees it.

They are of many rules in turn: a rule that brings more than `findings.pausing.MOST_AN_HOUR` findings in an hour is paused, as it
should be, and what it then holds back would be looked for in vain.
"""

from __future__ import annotations

import http.client
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

from anomaly.testing import raw_event

PATH: Final = "/v1/clusters/bench/audit"
_POLL: Final = 0.1
_HITS: Final = {
    "exec-into-pod": {"resource": "pods/exec", "verb": "create", "name": "web-1", "code": 101},
    "port-forward-opened": {"resource": "pods/portforward", "verb": "create", "name": "db-0", "code": 101},
    "ephemeral-container-added": {"resource": "pods/ephemeralcontainers", "verb": "patch", "name": "web-1"},
    "secret-changed-by-person": {"resource": "secrets", "verb": "patch", "name": "key"},
    "service-account-token-made": {
        "resource": "serviceaccounts/token", "verb": "create", "name": "deployer", "code": 201,
    },
    "namespace-deleted": {"resource": "namespaces", "verb": "delete", "namespace": "", "name": "staging"},
    "events-deleted": {"resource": "events", "verb": "deletecollection"},
    "pod-deleted-in-kube-system": {
        "resource": "pods", "verb": "delete", "namespace": "kube-system", "name": "coredns-1",
    },
}  # fmt: skip
"""One event for each rule that must fire on it; of all, each person's first makes a finding."""


def rule_hit(number: int, who: str, at: float) -> bytes:
    """This will return the event of needle `number`, received `at` (seconds since 1970): each is of the next rule."""
    fields = list(_HITS.values())[number % len(_HITS)]
    return raw_event(**fields, by=who, at=datetime.fromtimestamp(at, UTC))  # type: ignore[arg-type]


class Needles:
    """Plants events that must become findings, and looks, as a reader would, when they are there."""

    def __init__(self, port: int, token: str, database, tribe: str = "first") -> None:
        """`tribe` is in the names of the people, who must be new each time."""
        self._port, self._token, self._database, self._tribe = port, token, database, tribe
        self._sent: dict[tuple[str, str], float] = {}
        self.seconds: dict[str, list[float]] = {"rule": [], "behaviour": []}
        self._number = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._plant, self._look)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def held_back(self) -> dict[str, int]:
        """This will return which paused rules hold back needles that are missing, and how many each: a fault of the run."""
        with self._database.dedicated(autocommit=True) as connection:
            rows = connection.execute(
                "SELECT h.rule, count(*) FROM anomaly.held_finding h JOIN anomaly.entity e ON e.id = h.entity_id"
                " WHERE e.username = ANY(%s) GROUP BY 1 ORDER BY 1",
                [[who for _, who in self.missing]],
            ).fetchall()
        return {str(rule): int(str(number)) for rule, number in rows}

    @property
    def missing(self) -> list[tuple[str, str]]:
        """What was planted and is not found yet."""
        return sorted(self._sent)

    def _plant(self) -> None:
        while not self._over.wait(1.0):
            self._number += 1
            self._post("rule", [rule_hit(self._number, self._who("rule"), time.time())])
            if self._number % 5 == 0:
                self._post("behaviour", self._deviation())
        self._planted = True

    def _who(self, kind: str) -> str:
        return f"{kind}-{self._tribe}-{self._number}@example.com"

    def _deviation(self) -> list[bytes]:
        """Somebody nobody knows reads every secret of many namespaces within a second: no single event of it is a rule's."""
        now, who = datetime.fromtimestamp(time.time(), UTC), self._who("behaviour")
        return [
            raw_event(
                "secrets", verb, by=who, namespace=f"team-{place % 12}", name=f"key-{place}" * (verb == "get"),
                at=now + timedelta(milliseconds=place), address="198.51.100.77", agent="python-requests/2.33.0",
            )
            for place in range(48)
            for verb in (("list", "get") if place % 4 == 0 else ("get",))
        ]  # fmt: skip

    def _post(self, kind: str, events: list[bytes]) -> None:
        body = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[' + b",".join(events) + b"]}"
        began = time.monotonic()
        self._sent[kind, self._who(kind)] = began
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
                connection.request("POST", PATH, body, {"Authorization": f"Bearer {self._token}"})
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(1)

    def _look(self) -> None:
        since = datetime.fromtimestamp(time.time(), UTC) - timedelta(seconds=5)
        with self._database.dedicated(autocommit=True) as connection:
            deadline = None
            while deadline is None or (self._sent and time.monotonic() < deadline):
                if self._over.is_set() and deadline is None:
                    deadline = time.monotonic() + 60
                # What has no room in its day's budget is there as well, in its state.
                found = connection.execute(
                    "SELECT f.kind, e.username FROM anomaly.finding f JOIN anomaly.entity e ON e.id = f.entity_id"
                    " WHERE e.username = ANY(%s) AND f.created_at > %s",
                    [[who for _, who in list(self._sent)], since],
                ).fetchall()
                now = time.monotonic()
                for key in found:
                    if (began := self._sent.pop(key, None)) is not None:
                        self.seconds[key[0]].append(now - began)
                time.sleep(_POLL)
