"""`anomaly doctor`: what arrives, what cannot fire because of it, what ails the installation, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from cyclopts import App

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, visible, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anomaly.intake.diagnosis import Check, Diagnosis, Patient

app = App(name="doctor", help="Say what arrives, what cannot fire because of it, and what to do next.")

NEEDS_ATTENTION: Final = 3
DEPENDENCY_DOWN: Final = 5
_SHOWN: Final = 8
_SIGNS: Final = {"well": "ok  ", "note": "note", "warning": "WARN", "broken": "FAIL"}


@app.default
def doctor(*, cluster: str | None = None, everything: bool = False, output: Output = Format.TABLE) -> int:
    """Look at the installation and at every cluster. Changes nothing.

    Exit codes: 0 all is well (notes included), 3 something needs attention, 5 the database cannot be used.

    Parameters
    ----------
    cluster
        Only this cluster, and the installation.
    everything
        List every rule and feature family that sees less than it needs.
    """
    from anomaly.bootstrap import load_rules, open_database
    from anomaly.cli.moment import clock
    from anomaly.doctor import examine, wanted_by, without_database
    from anomaly.errors import DatabaseUnavailable, SchemaOutdated
    from anomaly.intake.diagnosis import Grade
    from anomaly.store.clusters import cluster_id

    settings = current().settings()
    now = clock()
    try:
        with open_database(settings, current().say) as database:
            if cluster is not None:
                with database.read() as session:
                    cluster_id(session, cluster)
            only = None if cluster is None else frozenset({cluster})
            # The clock is read after the database is there: starting an embedded one takes seconds, and clocks are compared.
            found = examine(database, settings, wanted_by(load_rules(settings)), clock(), only)
    except (DatabaseUnavailable, SchemaOutdated) as failure:
        _write(without_database(settings, failure, now), output, everything)
        return DEPENDENCY_DOWN
    _write(found, output, everything)
    return NEEDS_ATTENTION if found.grade.rank >= Grade.WARNING.rank else 0


def _write(found: Diagnosis, output: Format, everything: bool) -> None:
    if output is Format.JSON:
        from anomaly.payloads.doctor import diagnosis_payload

        write_json(diagnosis_payload(found))
        return
    write_text("\n".join(_page(found, everything)))


def _page(found: Diagnosis, everything: bool) -> Iterator[str]:
    yield "Installation"
    yield from _checks(found.checks)
    yield f"  Next: {found.step}"
    for one in found.clusters:
        yield ""
        yield f"Cluster {one.cluster}"
        yield from _arrives(one)
        yield from _checks(one.checks)
        yield from _blind(one, everything)
        yield f"  Next: {visible(one.step)}"


def _checks(checks: Sequence[Check]) -> Iterator[str]:
    width = max((len(check.name) for check in checks), default=0)
    for check in checks:
        yield f"  {_SIGNS[check.grade.value]}  {visible(check.name):<{width}}  {visible(check.says)}"


def _arrives(one: Patient) -> Iterator[str]:
    found, day = one.arrives, one.arrives.tally
    if found.last_event is None:
        return
    late = ""
    if day.lag_p50 is not None and day.lag_p99 is not None:
        late = f"; half within {_span(day.lag_p50.total_seconds())}, 99 % within {_span(day.lag_p99.total_seconds())}"
    live = f", {found.per_minute:,.1f} a minute now" if day.live else ""
    yield (
        f"  {day.kept:,} events in 24 hours ({day.duplicates:,} duplicates, {day.retries:,} batches repeated)"
        f"{live}{late}"
    )
    sources = [f"{visible(name)} {count:,}" for name, count in list(found.sources.items())[:3]]
    if len(found.sources) > 3:
        sources.append(f"{len(found.sources) - 3} more")
    yield f"  levels {_shares(found.levels)}; stages {_shares(found.stages)}; from {', '.join(sources) or 'nowhere today'}"


def _blind(one: Patient, everything: bool) -> Iterator[str]:
    if not one.arrives.levels:
        return
    yield (
        f"        {one.whole} rules and feature families see all they need, {len(one.blind)} do not,"
        f" and of {one.unseen} nothing they look at has arrived."
    )
    shown = one.blind if everything else one.blind[:_SHOWN]
    width = max((len(blind.owner) for blind in shown), default=0)
    for blind in shown:
        yield f"        {blind.sees:12}  {visible(blind.owner):<{width}}  {visible(blind.why)}"
    if len(shown) < len(one.blind):
        yield f"        ... and {len(one.blind) - len(shown)} more: --everything lists them."


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(
        f"{name} {share:.0%}" if share >= 0.01 else f"{name} <1%" for name, share in shares.items()
    )


def _span(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
