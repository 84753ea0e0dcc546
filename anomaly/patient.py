"""The doctor's look at one cluster: whether it arrives, how, what that lets be seen, and who may still send it.

Where a cause cannot be told from here (a sender that never came), the causes are named in the order of likelihood, as they were
met on a real kube-apiserver.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from anomaly.completeness import presences
from anomaly.fetched import sources_of
from anomaly.intake.arriving import Arriving, shares
from anomaly.intake.diagnosis import Blind, Check, Grade
from anomaly.intake.silence import silence
from anomaly.intake.tally import Tally, total
from anomaly.policy.coverage import Sight
from anomaly.settings import Settings
from anomaly.store.alarms import open_alarms
from anomaly.store.clusters import Cluster
from anomaly.store.condition import windows_kept
from anomaly.store.door import DROPPED, LOWERED, dropped_by_day, in_force
from anomaly.store.intake import Hour
from anomaly.store.job_runs import last_run
from anomaly.store.tokens import Token

Connection = psycopg.Connection[tuple[object, ...]]

_TOKEN_SOON: Final = timedelta(days=14)
_PATIENCE: Final = timedelta(minutes=5)
"""How long after its token was made a cluster may take to send: the API server restarts, and waits 30 s for a batch."""
_CLOCK_AHEAD: Final = timedelta(seconds=5)
_FEW_WINDOWS: Final = 200


@dataclass(frozen=True, slots=True)
class Known:
    """What is read of one cluster, once for all checks. `history` are 28 days by hour, `day` the last 24 hours."""

    cluster: Cluster
    tokens: Sequence[Token]
    history: Sequence[Hour]
    day: Tally
    arriving: Sequence[Arriving]
    now: datetime

    @property
    def last_arrival(self) -> datetime | None:
        return total(one.tally for one in self.history).last_arrival

    @property
    def valid(self) -> list[Token]:
        return [one for one in self.tokens if one.state(self.now) == "valid"]


def checks_of(
    connection: Connection, known: Known, settings: Settings, blind: Sequence[Blind], model: int | None
) -> tuple[Check, ...]:
    """This will return all checks of one cluster, the most telling first."""
    return (
        *_arrival(known, settings),
        *_delivery(known, settings),
        *sources_of(connection, known.cluster.name, settings.sources, known.now),
        *_door(connection, known),
        *_alarms(connection, known.cluster),
        *_eyes(known, blind),
        *_judged(connection, known.cluster, model),
        *_doors(known),
    )


def _arrival(known: Known, settings: Settings) -> Iterator[Check]:
    one, last = known.cluster, known.last_arrival
    if last is None and one.last_event_at is None:
        yield from _never(known, settings)
        return
    if last is None:
        yield Check(
            "arrival",
            Grade.NOTE,
            f"Events are kept up to {_moment(one.last_event_at)}; none came since the account of arrivals began.",
            "Nothing, if they were read from a file; else look whether its API server still delivers.",
        )
        return
    if quiet := silence(presences(known.history), known.now, settings.completeness.silence_after):
        yield Check(
            "arrival",
            Grade.BROKEN,
            f"Nothing has come since {_moment(quiet.since)}, where {quiet.expected:,.0f} events are usual.",
            "Look whether the API server runs and what its log says of the audit webhook; events of the time are in its audit"
            " log file, which `anomaly ingest` reads in.",
        )
        return
    if not known.day.kept and not known.day.duplicates:
        yield Check(
            "arrival",
            Grade.NOTE,
            f"Nothing came in the last 24 hours; the last was at {_moment(last)}.",
            "Nothing, if it was read from a file or is switched off; else look whether its API server still delivers.",
        )
        return
    yield Check("arrival", Grade.WELL, f"Events arrive; the last came at {_moment(last)}.")


def _never(known: Known, settings: Settings) -> Iterator[Check]:
    name = known.cluster.name
    if known.day.refused:
        yield Check(
            "arrival",
            Grade.BROKEN,
            f"Nothing is kept: {known.day.refused:,} batches came and were sent back for later.",
            "See why in the log of the service: the database does not take them.",
        )
    elif not known.tokens:
        yield Check(
            "arrival",
            Grade.NOTE,
            "Nothing has arrived, and no token was made to send with.",
            f"Run `anomaly cluster token {name}`, or `anomaly ingest FILE --cluster {name}`.",
        )
    elif known.now - min(one.created_at for one in known.tokens) < _PATIENCE:
        yield Check(
            "arrival",
            Grade.NOTE,
            "Nothing has arrived yet; its token was made a moment ago.",
            "Install the webhook configuration, restart the API server and allow it a minute: it sends every 30 s.",
        )
    else:
        causes = causes_of_nothing(settings, name)
        yield Check(
            "arrival",
            Grade.BROKEN,
            "A token was made, and nothing has ever arrived. Most likely first: "
            + " ".join(f"({place}) {cause}" for place, cause in enumerate(causes, 1)),
            "Grep the API server's own log for `audit`: it says every 30 s why a batch could not be sent; no such line means"
            " that its policy writes nothing.",
        )


def causes_of_nothing(settings: Settings, cluster: str) -> list[str]:
    """This will return why a webhook that was set up sends nothing, the most likely cause first, each in a sentence.

    In the order in which they were met with a real kube-apiserver: most of them it accepts in silence.
    """
    serve = settings.serve
    found = []
    if _only_here(serve.host):
        found.append(
            f"The service listens on {serve.host}, which no other machine reaches: set ANOMALY_SERVE__HOST and the TLS files."
        )
    return [
        *found,
        "The API server was not restarted with its audit flags, or exits because of them: its log says so.",
        'Its policy writes nothing, as with `users: ["*"]`, which matches nobody: `anomaly policy lint` finds it.',
        "It does not trust our certificate: of the webhook configuration only `certificate-authority` is heeded.",
        "It cannot reach the address: firewall, name that the control plane does not resolve, wrong port.",
        f"The address is not that of this cluster: the path must be /v1/clusters/{cluster}/audit, and a query is dropped.",
        "It shows another or a revoked token: the log of the service has lines with status 401 or 403.",
    ]


def _delivery(known: Known, settings: Settings) -> Iterator[Check]:
    day, limits = known.day, settings.completeness
    taken = day.kept + day.duplicates
    if day.refused:
        yield Check(
            "refused",
            Grade.WARNING,
            f"{day.refused:,} bodies were sent back for later in 24 hours; an API server repeats them for four minutes, then"
            " they are lost.",
            "See the log of the service for why: too busy, or a database that was away; read the audit log file in if it took"
            " longer.",
        )
    if day.quarantined and day.quarantined > limits.quarantined_most * (taken + day.quarantined):
        yield Check(
            "quarantine",
            Grade.WARNING,
            f"{day.quarantined:,} inputs of 24 hours could not be decoded and are in quarantine.",
            f"Look at them with `anomaly quarantine list --cluster {known.cluster.name}`.",
        )
    elif day.quarantined:
        yield Check(
            "quarantine",
            Grade.NOTE,
            f"{day.quarantined:,} inputs of 24 hours are in quarantine.",
        )
    if day.live and day.lag_p99 is not None and day.lag_p99 > limits.lag_most:
        yield Check(
            "lag",
            Grade.WARNING,
            f"Events come late: one in a hundred took {_span(day.lag_p99)} or more to arrive.",
            "Look at the API server's log for audit batches that were tried again, and at the load here.",
        )
    if day.ahead is not None and day.ahead > _CLOCK_AHEAD:
        yield Check(
            "clock",
            Grade.WARNING,
            f"The API server's clock is at least {_span(day.ahead)} ahead of ours.",
            "Have its machine and this one follow NTP.",
        )
    if day.truncated:
        yield Check(
            "truncated",
            Grade.NOTE,
            f"The API server left out the bodies of {day.truncated:,} events as too long; of those still too long it drops all.",
            "Raise --audit-webhook-truncate-max-event-size there if these bodies matter.",
        )
    if day.cut_agents:
        yield Check(
            "truncated", Grade.NOTE, f"The API server cut off the user agents of {day.cut_agents:,} events."
        )


def _door(connection: Connection, known: Known) -> Iterator[Check]:
    name = known.cluster.name
    policies = in_force(connection, known.cluster.id)
    deeds = dropped_by_day(connection, known.cluster.id, known.now - timedelta(days=1)).values()
    dropped, lowered = (sum(of_day.get(deed, (0, 0))[0] for of_day in deeds) for deed in (DROPPED, LOWERED))
    if not policies and not dropped and not lowered:
        return
    since = f"set by {policies[0].set_by} at {_moment(policies[0].set_at)}" if policies else "cleared since"
    yield Check(
        "door",
        Grade.NOTE,
        f"A policy at our door ({since}) dropped {dropped:,} events in 24 hours and left out bodies of {lowered:,}.",
        f"See by `anomaly policy dropped --cluster {name}` that nothing is among it that is needed.",
    )


def _alarms(connection: Connection, one: Cluster) -> Iterator[Check]:
    for alarm in open_alarms(connection, one.id):
        if alarm.name == "silent":
            continue
        yield Check(
            f"alarm {alarm.name}",
            Grade.WARNING,
            alarm.says,
            f"Read `anomaly findings show {str(alarm.finding_id)[:8]}`.",
        )


def _eyes(known: Known, blind: Sequence[Blind]) -> Iterator[Check]:
    if not known.arriving:
        return
    stages = shares(known.arriving, "stage")
    if "ResponseComplete" not in stages and "(none)" not in stages:
        yield Check(
            "stages",
            Grade.BROKEN,
            f"No event of stage ResponseComplete arrives, only {', '.join(stages)}: windows and most rules need it.",
            "Take ResponseComplete out of omitStages of the audit policy.",
        )
    always = [one.owner for one in blind if one.sees == Sight.ALWAYS.value]
    none = [one.owner for one in blind if one.sees == Sight.BLIND.value]
    part = [one.owner for one in blind if one.sees == Sight.PART.value]
    step = "Run `anomaly policy generate` for a policy that writes what is needed, and give it to the API server."
    if none or always:
        says = [f"{_owners(none)} cannot fire ({_few(none)})"] if none else []
        says += [f"{len(always)} fire on every request they look at ({_few(always)})"] if always else []
        yield Check("sight", Grade.WARNING, f"By what arrives, {' and '.join(says)}.", step)
    elif part:
        yield Check(
            "sight",
            Grade.NOTE,
            f"{_owners(part)} may miss some of what is looked for ({_few(part)}).",
            step,
        )
    else:
        yield Check(
            "sight", Grade.WELL, "Whatever arrives has the level and stage that rules and features need."
        )


def _owners(names: Sequence[str]) -> str:
    return f"{len(names)} rules and feature families" if len(names) != 1 else "1 rule or feature family"


def _judged(connection: Connection, one: Cluster, model: int | None) -> Iterator[Check]:
    if one.last_event_at is None:
        return
    if model is not None:
        yield Check("model", Grade.WELL, f"Model {model} is in use.")
        return
    run = last_run(connection, "training")
    detail: Any = run.detail.get(one.name) if run is not None else None
    reason = detail.get("reason") if isinstance(detail, dict) else None
    windows = windows_kept(connection, one.id, 10_000)
    if reason:
        says = f"No model is in use: the last training said: {str(reason)[:300]}"
    elif run is None:
        says = f"No model is in use: none was trained yet, and {windows:,} windows are kept."
    else:
        says = f"No model is in use, and {windows:,} windows are kept: it was not part of the last training."
    if windows < _FEW_WINDOWS:
        step = (
            "Wait for more to come: rules judge every event meanwhile, and the nightly training tries again."
        )
    else:
        step = f"Run `anomaly train --cluster {one.name}` now, or wait for the nightly training."
    yield Check("model", Grade.NOTE, says, step)


def _doors(known: Known) -> Iterator[Check]:
    if not known.tokens:
        return
    name, valid = known.cluster.name, known.valid
    if not valid:
        yield Check(
            "token",
            Grade.BROKEN,
            "No valid token is left: whoever sends is refused.",
            f"Run `anomaly cluster token {name}` and give the new one to the API server.",
        )
        return
    ends = [one.expires_at for one in valid if one.expires_at is not None]
    if len(ends) == len(valid) and max(ends) - known.now < _TOKEN_SOON:
        yield Check(
            "token",
            Grade.WARNING,
            f"The last valid token ends on {_moment(max(ends))}.",
            f"Run `anomaly cluster token {name}` and give the new one to the API server before.",
        )


def _only_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at is not None else "never"


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 2 else f"{seconds:.1f} s"
