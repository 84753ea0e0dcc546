"""What the service says of itself in Prometheus' form: counters of this process, and gauges of what is stored.

Names and labels are a promise (`docs/reference/metrics.md`). No label holds what a sender chooses: paths are those of the route
table, clusters those that a person added, so nobody can make new series without end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from anomaly.store.database import Database
from anomaly.store.gauges import Gauges, read_gauges
from anomaly.store.writer import Receipt
from anomaly.web.body import Pending

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REMEMBERED_SECONDS: Final = 10.0
"""How long gauges of the database are believed: several scrapers, or an eager one, cost one question."""
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Meter:
    """The metrics of one service process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Histogram(
            "anomaly_http_request_duration_seconds",
            "Time until the answer was sent, by route and status.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._events = Counter(
            "anomaly_ingest_events",
            "Events taken in, by what became of them: kept, duplicate, quarantined, dropped.",
            ["cluster", "outcome"],
            registry=self.registry,
        )
        self._matches = Counter(
            "anomaly_rule_matches", "Matches of rules on events.", ["cluster"], registry=self.registry
        )
        self._bytes = Counter(
            "anomaly_ingest_bytes", "Bytes of bodies taken in.", ["cluster"], registry=self.registry
        )
        self._commit = Histogram(
            "anomaly_ingest_commit_duration_seconds",
            "Time from a body read whole to its events being durable.",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._refused = Counter(
            "anomaly_ingest_refused_bodies",
            "Bodies answered 503, so that they come again.",
            ["cluster"],
            registry=self.registry,
        )

    def watch(self, pending: Pending, waiting: Callable[[], int], database: Database) -> None:
        """This will show how many bytes of bodies are in memory, how many bodies wait for a writer, and what is stored."""
        self.registry.register(Stored(database))
        held = Gauge(
            "anomaly_ingest_pending_bytes", "Bytes of bodies held in memory.", registry=self.registry
        )
        held.set_function(lambda: pending.held)
        queued = Gauge(
            "anomaly_ingest_queue_bodies", "Bodies that wait for a writer.", registry=self.registry
        )
        queued.set_function(waiting)

    def taken(self, cluster: str, size: int, receipt: Receipt, seconds: float) -> None:
        """This will count a body that is durable; `size` in bytes."""
        for outcome, number in (
            ("kept", receipt.kept),
            ("duplicate", receipt.duplicates),
            ("quarantined", receipt.quarantined),
            ("dropped", receipt.dropped),
        ):
            self._events.labels(cluster, outcome).inc(number)
        self._matches.labels(cluster).inc(receipt.matches)
        self._bytes.labels(cluster).inc(size)
        self._commit.observe(seconds)

    def refused(self, cluster: str) -> None:
        """This will count a body that was sent away."""
        self._refused.labels(cluster).inc()

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """This will count an answer; `route` is the path of the route table, never what was asked for."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def text(self, may_see: Callable[[str], bool]) -> bytes:
        """This will return them in Prometheus' text form, of the clusters that may be seen; it may ask the database."""
        visible = CollectorRegistry()
        visible.register(_Visible(self.registry, may_see))
        return generate_latest(visible)


class _Visible(Collector):
    """What another registry has, without the series of clusters that may not be seen."""

    def __init__(self, registry: CollectorRegistry, may_see: Callable[[str], bool]) -> None:
        self._registry = registry
        self._may_see = may_see

    def describe(self) -> list[Metric]:
        """This will name nothing beforehand: what there is comes when it is collected."""
        return []

    def collect(self) -> Iterator[Metric]:
        """This will yield every metric with the samples that remain."""
        for metric in self._registry.collect():
            metric.samples = [
                sample
                for sample in metric.samples
                if "cluster" not in sample.labels or self._may_see(sample.labels["cluster"])
            ]
            yield metric


class Measured:
    """An ASGI layer that counts answers and the time they took."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """This will pass the request on; a sender that went away counts as status 499."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 499

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "") or "unknown"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._meter.answered(method, route, status, time.perf_counter() - started)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Stored(Collector):
    """Gauges of what is stored, asked of the database when somebody scrapes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: tuple[float, Gauges] | None = None

    def describe(self) -> list[Metric]:
        """This will name nothing beforehand, so that registering asks no database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """This will yield them; while the database is away only that it is."""
        up = GaugeMetricFamily("anomaly_database_up", "Whether the database answered this scrape: 1 or 0.")
        try:
            gauges = self._read()
        except Exception:  # whatever it is: monitoring must go on, and says so by this very gauge
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _families(gauges)

    def _read(self) -> Gauges:
        now = time.monotonic()
        if self._held is None or now - self._held[0] > REMEMBERED_SECONDS:
            with self._database.read() as connection:
                self._held = now, read_gauges(connection)
        return self._held[1]


def _families(gauges: Gauges) -> Iterator[Metric]:
    findings = GaugeMetricFamily(
        "anomaly_findings", "Findings that are kept.", labels=["cluster", "severity", "state"]
    )
    for name, severity, state, number in gauges.findings:
        findings.add_metric([name, severity, state], number)
    unjudged = GaugeMetricFamily(
        "anomaly_windows_unjudged", "Windows that wait to be judged.", labels=["cluster"]
    )
    for name, number in gauges.unjudged:
        unjudged.add_metric([name], number)
    made = GaugeMetricFamily(
        "anomaly_model_made_timestamp_seconds",
        "When the model in use was made, in unix time.",
        labels=["cluster", "model"],
    )
    for champion in gauges.champions:
        made.add_metric([champion.cluster, str(champion.model_id)], champion.made_at.timestamp())
    ok = GaugeMetricFamily("anomaly_job_ok", "Whether the latest run of a job ended well.", labels=["job"])
    last = GaugeMetricFamily(
        "anomaly_job_last_success_timestamp_seconds",
        "When a run of a job last ended well, in unix time.",
        labels=["job"],
    )
    took = GaugeMetricFamily(
        "anomaly_job_duration_seconds", "How long the latest run of a job took.", labels=["job"]
    )
    for run in gauges.runs:
        ok.add_metric([run.job], float(run.outcome in {"ok", "running"}))
        if run.ok_at is not None:
            last.add_metric([run.job], run.ok_at.timestamp())
        if run.seconds is not None:
            took.add_metric([run.job], run.seconds)
    size = GaugeMetricFamily("anomaly_database_size_bytes", "Size of the database on disk.")
    size.add_metric([], gauges.size_bytes)
    yield from (findings, unjudged, made, ok, last, took, size)
