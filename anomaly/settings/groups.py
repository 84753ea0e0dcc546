"""Every setting of the product, in groups; the docstring under a field says its unit and why the default is
so.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from anomaly.settings.group import Group
from anomaly.settings.sources import SourceSettings
from anomaly.settings.units import Duration, Paths, Size, Table, Texts

_MIB = 2**20
_POSITIVE = Field(gt=timedelta(0))


class DatabaseSettings(Group):
    """Where events, windows, models and findings are kept."""

    url: SecretStr | None = None
    """A PostgreSQL server from version 15 on, as `postgresql://user:password@host/name`; unset means the embedded one."""

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
    """Write-ahead log between checkpoints, in bytes; bulk ingest slows down when checkpoints come too often."""

    run_as: str = "nobody"
    """System user that the embedded server runs as when the program is started by root, whom PostgreSQL
    refuses.
    """

    parameters: Table = Field(default_factory=dict)
    """Further parameters of the embedded server, as `work_mem = "64MB"`; they win over the ones chosen here."""


class IngestSettings(Group):
    """How events are taken in."""

    max_expansion: Annotated[int, Field(ge=2)] = 200
    """How many times its size compressed input may grow before it is taken for a bomb; audit logs grow 10 to
    40 times.
    """


class RedactionSettings(Group):
    """What is replaced before anything is stored: Secrets, tokens, keys and passwords in events."""

    enabled: bool = True
    """Whether secrets are replaced. Switched off, whoever reads events reads every Secret that the audit policy let through."""

    configmaps: bool = False
    """Whether all values of ConfigMaps are replaced too; what looks like a credential in them is replaced in any case."""

    key: SecretStr | None = None
    """Key of a digest that makes equal values recognisable, at least 16 characters, the same on all replicas; unset means no
    digest: whoever has the key and a copy of the database could try out weak passwords.
    """

    @model_validator(mode="after")
    def _key_is_long_enough(self) -> Self:
        if self.key is not None and len(self.key.get_secret_value()) < 16:
            raise ValueError("key must have at least 16 characters")
        return self


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
    """Whether `anomaly serve` runs jobs, in a process beside it; turn it off where `anomaly jobs serve` runs them elsewhere."""

    score_every: Annotated[Duration, Field(ge=timedelta(milliseconds=100))] = timedelta(seconds=1)
    """How often it is looked for windows that changed, which are judged then; it bounds how late a deviation is noticed."""

    fold_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=10)
    """How often parts of windows are folded into whole ones; readers see both, so it only saves space."""

    suppress_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(seconds=15)
    """How often new findings are held against the suppressions."""

    retain_at: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "04:30"
    """Time of day, in `training.zone`, at which what is past its time is let go of; after the training, which reads it."""

    lead_every: Annotated[Duration, Field(ge=timedelta(milliseconds=50))] = timedelta(seconds=2)
    """How often a replica looks whether it leads, or could; a dead leader is replaced within this time."""


class CompletenessSettings(Group):
    """When the intake itself is worth an alarm."""

    silence_after: Annotated[Duration, Field(ge=timedelta(minutes=2))] = timedelta(minutes=10)
    """Shortest silence of a cluster that is worth an alarm, if by its usual rate 20 events should have come meanwhile."""

    lag_most: Annotated[Duration, _POSITIVE] = timedelta(minutes=10)
    """How late one event in a hundred may come; an API server that retries gives up after about four minutes."""

    watch_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=1)
    """How often the intake is looked at."""

    quarantined_most: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of what arrives that may go to quarantine; one in a hundred is a sender that changed, not an accident."""

    quarantined_few: Annotated[int, Field(ge=1)] = 10
    """Inputs in quarantine within two hours below which there is no alarm, whatever their share."""

    api_servers: Table = Field(default_factory=dict)
    """API servers that are asked for their counts and sent canaries, as `prod=https://10.0.0.1:6443`, several as `prod/a=...`."""

    api_tokens: Table = Field(default_factory=dict)
    """Files with the bearer tokens to show them, by the same names; they need `get` on `/metrics` and nothing else."""

    api_cas: Table = Field(default_factory=dict)
    """Files with the CA certificates (PEM) of their certificates, by the same names; else those of the system are trusted."""

    api_timeout: Annotated[Duration, _POSITIVE] = timedelta(seconds=10)
    """Longest wait for an answer of an API server; one that needs longer has other troubles."""

    scrape_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    """How often their counts are read."""

    canary_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=10)
    """How often each is sent a canary."""

    complete_least: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Share of the events counted by the API servers that must be here, where their counts are given."""

    refused_most: Annotated[int, Field(ge=1)] = 20
    """Bodies answered 503 within two hours from which there is an alarm; a restart sends back a few, which come again."""


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

    public_url: Annotated[str, Field(pattern=r"^https?://[^/?#\s@]+$")] | None = None
    """Address at which people's browsers reach the service, as `https://anomaly.example.com`, when a proxy stands before it;
    links and the check of where a request comes from go by it.
    """

    tls_cert: Path | None = None
    """Certificate chain (PEM) of the service; kube-apiserver checks it against its webhook configuration."""

    tls_key: Path | None = None
    """Private key (PEM) that belongs to the certificate."""

    tls_client_ca: Path | None = None
    """CA certificates (PEM); a client may then show a certificate that one of them signed, and sends events of the cluster that
    it names without a token. Whoever shows none needs a token or a session; one signed by anybody else is refused.
    """

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


class AccessSettings(Group):
    """People who sign in, and how long that lasts."""

    session_idle: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(hours=2)
    """How long a session lasts without use; a lunch and a meeting, but not a night at an unlocked desk."""

    session_lifetime: Annotated[Duration, Field(ge=timedelta(minutes=1))] = timedelta(hours=12)
    """How long a session lasts however busy; whoever starts in the morning signs in once a day."""


class OidcSettings(Group):
    """People who sign in by an identity provider (OpenID Connect); nobody does until `issuer` is set."""

    issuer: (
        Annotated[str, Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s?#@]*$")]
        | None
    ) = None
    """The provider, as it calls itself, to the letter: `https://login.example.com/realms/ops`; plain http only on this machine."""

    title: Annotated[str, Field(min_length=1, max_length=60)] = "single sign-on"
    """What the button on the login page calls it."""

    client_id: str = ""
    """What the provider knows this service as."""

    client_secret: SecretStr | None = None
    """The secret that goes with it; unset for a public client, which PKCE protects alone."""

    scopes: Texts = ("openid", "profile", "email")
    """What is asked for; some providers send groups only when `groups` is among it."""

    name_claim: str = "preferred_username"
    """The claim that names a person here; without it the email address, then the subject."""

    groups_claim: str = "groups"
    """The claim that lists a person's groups."""

    groups: Table = Field(default_factory=dict)
    """What a group gives, as `sre = "admin"` or `shop-team = "analyst:shop+shop-test"` for some clusters; of several the highest
    role counts, with the clusters of all groups that give it. Who is in none of them is refused.
    """

    @model_validator(mode="after")
    def _groups_can_be_read(self) -> Self:
        for group, given in self.groups.items():
            role, colon, names = given.partition(":")
            if role not in {"viewer", "analyst", "admin"} or (colon and not names.strip("+ ")):
                raise ValueError(
                    f"groups: {group} must give viewer, analyst or admin, or one with clusters as analyst:a+b"
                )
        if self.issuer is not None and not (self.client_id and self.groups):
            raise ValueError("issuer needs client_id and groups")
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

    access: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=400)
    """Who read and changed what; a year and a month, so that a yearly audit sees the whole of it."""


class LogSettings(Group):
    """What the program writes to standard error about itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important message that is written."""

    format: Literal["auto", "text", "json"] = "auto"
    """`auto` means text on a terminal and one JSON object a line elsewhere, which log collectors expect."""


class TracingSettings(Group):
    """Traces of requests, sent to an OpenTelemetry collector; needs `pip install 'anomaly[tracing]'`."""

    endpoint: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")] | None = None
    """Address of the collector by OTLP over HTTP, as `http://localhost:4318/v1/traces`; unset means no traces."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of requests that are traced when whoever asks did not decide it; intake alone may be ten a second."""


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
    sources: SourceSettings = SourceSettings()
    redaction: RedactionSettings = RedactionSettings()
    windows: WindowSettings = WindowSettings()
    training: TrainingSettings = TrainingSettings()
    scoring: ScoringSettings = ScoringSettings()
    jobs: JobSettings = JobSettings()
    completeness: CompletenessSettings = CompletenessSettings()
    rules: RulesSettings = RulesSettings()
    serve: ServeSettings = ServeSettings()
    access: AccessSettings = AccessSettings()
    oidc: OidcSettings = OidcSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()
