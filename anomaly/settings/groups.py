"""Every setting of the product, in groups; the docstring under a field says its unit and why the default is
so.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from anomaly.settings.units import Duration, Paths, Size, Table, Texts

_MIB = 2**20
_POSITIVE = Field(gt=timedelta(0))


class Group(BaseModel):
    """Settings that belong together; frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DatabaseSettings(Group):
    """Where events, windows, models and findings are kept."""

    url: SecretStr | None = None
    """A PostgreSQL server from version 15 on, as `postgresql://user:password@host/name`; unset means the
    embedded one.
    """

    pool_size: Annotated[int, Field(ge=1, le=200)] = 8
    """Connections kept open by one process; two cores keep no more than a handful busy."""

    pool_overflow: Annotated[int, Field(ge=0, le=200)] = 8
    """Further connections opened in a rush and closed after it."""

    connect_timeout: Annotated[Duration, _POSITIVE] = timedelta(seconds=15)
    """How long a connection is tried again while the server restarts, before the work in hand fails."""

    query_timeout: Annotated[Duration, _POSITIVE] = timedelta(seconds=30)
    """Longest query on behalf of a waiting person; ingest, training and retention are not bound by it."""

    lock_timeout: Annotated[Duration, _POSITIVE] = timedelta(seconds=10)
    """Longest wait for a lock on behalf of a waiting person."""

    start_timeout: Annotated[Duration, _POSITIVE] = timedelta(minutes=5)
    """How long the embedded server may take to start; replaying its log after a crash may need minutes."""

    shared_buffers: Annotated[Size, Field(ge=_MIB)] = 256 * _MIB
    """Page cache of the embedded server, in bytes; pages are only taken from memory once they are used."""

    max_wal_size: Annotated[Size, Field(ge=32 * _MIB)] = 2048 * _MIB
    """Write-ahead log between checkpoints, in bytes; bulk ingest slows down when checkpoints come too often.
    """

    run_as: str = "nobody"
    """System user that the embedded server runs as when the program is started by root, whom PostgreSQL
    refuses.
    """

    parameters: Table = Field(default_factory=dict)
    """Further parameters of the embedded server, as `work_mem = "64MB"`; they win over the ones chosen here.
    """


class IngestSettings(Group):
    """How events are taken in."""

    max_expansion: Annotated[int, Field(ge=2)] = 200
    """How many times its size compressed input may grow before it is taken for a bomb; audit logs grow 10 to
    40 times.
    """


class WindowSettings(Group):
    """How events are gathered into windows."""

    span: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(hours=1)
    """Length of a window; shorter ones notice sooner, longer ones know better what is usual. Must divide a
    day.
    """

    settle: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(minutes=5)
    """How long after its end a window waits for late events before it is judged; it is judged again if more
    come.
    """

    @model_validator(mode="after")
    def _span_divides_a_day(self) -> Self:
        if timedelta(days=1) % self.span:
            raise ValueError("span must divide a day, as 15m, 1h or 6h do")
        return self


class TrainingSettings(Group):
    """How models are trained."""

    lookback: Annotated[Duration, Field(ge=timedelta(hours=1))] = timedelta(days=28)
    """How far back training windows go; four weeks hold every weekday four times."""

    at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "02:30"
    """Time of day of the nightly training, in the zone below."""

    zone: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+){0,2}$")] = "UTC"
    """Time zone of `at` by its IANA name, as Europe/Berlin; training then keeps out of local working hours all year."""

    verdicts_per_technique: Annotated[int, Field(ge=0, le=10_000)] = 20
    """Benign verdicts and false alarms on one ATT&CK technique that a training hears at most; more could whiten it."""

    keep_models: Annotated[int, Field(ge=2, le=10_000)] = 30
    """Models kept for each cluster, the one in use apart; a month of nights to go back to."""

    trees: Annotated[int, Field(ge=10, le=10_000)] = 200
    """Trees a forest; scores hardly change from 100 on, 200 steady the ranking of the strangest windows."""

    sample: Annotated[int, Field(ge=16, le=65_536)] = 256
    """Windows a tree is grown on; the isolation forest paper's own choice, larger samples hide anomalies."""

    min_windows: Annotated[int, Field(ge=10)] = 200
    """Windows an entity kind needs before it gets a model; fewer say nothing about what is usual."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 20_260_101
    """Seed of all chance in training, so that the same windows give the same model."""

    jobs: Annotated[int, Field(ge=-1, le=1024)] = -1
    """Processor cores that training may use; -1 means all."""


class ScoringSettings(Group):
    """When a window becomes a finding."""

    findings_per_day: Annotated[float, Field(gt=0, le=100_000)] = 10
    """Alert budget: findings by behaviour a day and cluster that people have time to read."""


class JobSettings(Group):
    """What runs by itself; of all replicas one leads and runs it. The nightly training has its time under `training`."""

    enabled: bool = True
    """Whether `anomaly serve` runs jobs; turn it off where `anomaly jobs serve` runs them beside it."""

    score_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=30)
    """How often windows that changed are judged; it bounds how late a deviation is noticed."""

    fold_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=10)
    """How often parts of windows are folded into whole ones; readers see both, so it only saves space."""

    suppress_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=15)
    """How often new findings are held against the suppressions."""

    retain_at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "04:30"
    """Time of day, in `training.zone`, at which what is past its time is let go of; after the training, which reads it."""

    lead_every: Annotated[Duration, Field(ge=timedelta(milliseconds=50))] = timedelta(seconds=2)
    """How often a replica looks whether it leads, or could; a dead leader is replaced within this time."""


class RulesSettings(Group):
    """Which rules run."""

    folders: Paths = ()
    """Folders with further Sigma rules, read beside the ones that come with the product."""

    disabled: Texts = ()
    """Ids of rules that stay off; to quiet a rule for one entity use a suppression instead."""


class ServeSettings(Group):
    """The service that takes in webhooks and answers questions."""

    host: str = "127.0.0.1"
    """Address to listen on; only this machine until TLS is set, because tokens would cross the network
    readable.
    """

    port: Annotated[int, Field(ge=0, le=65535)] = 8443
    """TCP port; 0 takes a free one and says which."""

    tls_cert: Path | None = None
    """Certificate chain (PEM) of the service; kube-apiserver checks it against its webhook configuration."""

    tls_key: Path | None = None
    """Private key (PEM) that belongs to the certificate."""

    tls_client_ca: Path | None = None
    """CA certificates (PEM); when set, clients must show a certificate that one of them signed."""

    max_body: Annotated[Size, Field(ge=1024)] = 64 * _MIB
    """Longest webhook body, decompressed; kube-apiserver sends 400 events at once, 27 MB has been seen."""

    max_pending: Annotated[Size, Field(ge=_MIB)] = 256 * _MIB
    """Bytes of bodies held in memory at once; above it callers are told to come back, and nothing is lost."""

    body_timeout: Annotated[Duration, _POSITIVE] = timedelta(seconds=30)
    """Longest time a client may take to send a body; kube-apiserver itself gives up after 30 s."""

    @model_validator(mode="after")
    def _certificate_and_key_come_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key must be set together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs tls_cert and tls_key")
        return self


class RetentionSettings(Group):
    """How long things are kept; whole days are dropped at once."""

    events: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=90)
    """Audit events with their raw bodies; findings stay longer, with their reason but without these events."""

    windows: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=400)
    """Windows; small beside the events, and a year of them shows what a season looks like."""

    findings: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=730)
    """Closed findings; auditors ask for a year or two."""

    quarantine: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=30)
    """Input that could not be decoded."""


class LogSettings(Group):
    """What the program writes to standard error about itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important message that is written."""

    format: Literal["auto", "text", "json"] = "auto"
    """`auto` means text on a terminal and one JSON object a line elsewhere, which log collectors expect."""


def default_data_dir() -> Path:
    """Where this user's data goes when nothing is set. This will follow the XDG base directory specification
    0.8.
    """
    base = os.environ.get("XDG_DATA_HOME", "")
    # The specification says to ignore relative values.
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share") / "anomaly"


class Settings(Group):
    """All settings; one object, made once at start and handed down."""

    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder of the embedded database and of whatever else is kept; `$XDG_DATA_HOME/anomaly` unless set."""

    database: DatabaseSettings = DatabaseSettings()
    ingest: IngestSettings = IngestSettings()
    windows: WindowSettings = WindowSettings()
    training: TrainingSettings = TrainingSettings()
    scoring: ScoringSettings = ScoringSettings()
    jobs: JobSettings = JobSettings()
    rules: RulesSettings = RulesSettings()
    serve: ServeSettings = ServeSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
