"""`anomaly benchmark`: the product judged on logs whose attacks are known, in a database of its own that is gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Column, Format, Output, visible, write_json, write_table, write_text

if TYPE_CHECKING:
    from datetime import timedelta

    from anomaly.settings import Settings
    from anomaly.trials import Episode, Plan, Report

app = App(name="benchmark", help="Measure the product on logs whose attacks are known.")

_CLUSTER: Final = "benchmark"
_AGAIN: Final = 2.0
"""Seconds after which an ending that was not heard is said again."""
_SHORTEST: Final = 10
"""Seconds: a shorter window holds hardly any requests."""


@app.command
def detection(
    folder: Annotated[Path, Parameter(name="DIR")],
    *,
    train_until: str | None = None,
    time_scale: float = 1.0,
    span: str | None = None,
    budget: float | None = None,
    rules_off: Annotated[bool, Parameter(negative="")] = False,
    behaviour_off: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Read a labelled log, train on the time before its first attack, judge the rest, and compare with the labels.

    DIR holds audit logs (*.jsonl, *.log, packed or not) and labels.jsonl, one JSON object a line: scenario, technique, start,
    end, users, auditIDs. All happens in a database of its own, of which nothing is left.

    Parameters
    ----------
    train_until
        Nothing later is learned from, nothing earlier is judged; the window before the first label unless said.
    time_scale
        How many times faster the log's day passes: 60 lets its minutes stand for hours of the budget's day.
    span
        Length of a window, as 60s or 5m; an hour divided by the time scale unless said, at least 10 s.
    budget
        Findings by behaviour a day; scoring.findings_per_day unless said.
    rules_off
        Judge by behaviour alone.
    behaviour_off
        Judge by rules alone.
    """
    from anomaly.bootstrap import open_database
    from anomaly.errors import UsageError
    from anomaly.rules import RuleSet, pack
    from anomaly.trials import labels_in, load_labels, present_ids, report_of, run_trial

    if rules_off and behaviour_off:
        raise UsageError("With rules and behaviour both off there is nothing to measure.")
    labels = labels_in(folder)
    episodes = load_labels(labels)
    files = _logs(folder, labels)
    settings = current().settings()
    plan = _plan(settings, episodes, train_until, time_scale, span, budget, not behaviour_off)
    current().say(
        f"Training until {plan.train_until:%Y-%m-%d %H:%M:%S} UTC"
        + ("" if train_until else ", before the first label")
        + f"; windows of {plan.span.total_seconds():g} s; a day is {_long(plan)} of the log"
    )
    in_log = present_ids(files, (number for episode in episodes for number in episode.ids))
    with _own(settings) as own, open_database(own, lambda said: None) as database:
        rules = RuleSet() if rules_off else pack()
        outcome = run_trial(database, _CLUSTER, files, rules, plan, current().say)
    report = report_of(outcome, episodes, plan, in_log)
    if output is Format.JSON:
        write_json(_document(report))
    else:
        _print(report)


def _logs(folder: Path, labels: Path) -> list[Path]:
    from anomaly.errors import SourceUnavailable
    from anomaly.sources.folder import find_logs

    files = [path for path in find_logs(folder) if not path.name.startswith("labels.")]
    if not files:
        raise SourceUnavailable(f"There is no audit log beside {labels}.")
    return files


def _plan(
    settings: Settings,
    episodes: list[Episode],
    train_until: str | None,
    time_scale: float,
    span: str | None,
    budget: float | None,
    behaviour: bool,
) -> Plan:
    from datetime import UTC, datetime, timedelta
    from math import isfinite

    from anomaly.cli.moment import clock, moment
    from anomaly.errors import UsageError
    from anomaly.trials import Plan
    from models import Budget

    if not isfinite(time_scale) or not 0 < time_scale <= 100_000:
        raise UsageError("--time-scale must be more than 0 and at most 100000.")
    most = settings.scoring.findings_per_day if budget is None else budget
    if not isfinite(most) or not 0 < most <= 100_000:
        raise UsageError("--budget must be more than 0 and at most 100000.")
    length = _span(span) if span else max(timedelta(hours=1) / time_scale, timedelta(seconds=_SHORTEST))
    length = timedelta(seconds=max(round(length.total_seconds()), 1))
    asked = moment(train_until, clock())
    if asked is None and not episodes:
        raise UsageError("There are no labels, so --train-until must say where the judged time begins.")
    until = asked or episodes[0].begins
    # Windows begin at multiples of their span; the one that holds the moment is judged, not learned from.
    origin = datetime(1970, 1, 1, tzinfo=UTC)
    until = origin + (until - origin) // length * length
    return Plan(length, until, Budget(per_day=most), time_scale, behaviour)


def _span(text: str) -> timedelta:
    from datetime import timedelta

    from pydantic import TypeAdapter, ValidationError

    from anomaly.errors import UsageError
    from anomaly.settings.units import Duration

    try:
        length = TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise UsageError(f"{text!r} is no length of time.", hint="Write 60s, 5m or 1h.") from None
    if not timedelta(seconds=_SHORTEST) <= length <= timedelta(days=1):
        raise UsageError("--span must be between 10s and 1d.")
    return timedelta(seconds=round(length.total_seconds()))


@contextmanager
def _own(given: Settings) -> Iterator[Settings]:
    """A data directory that is stopped and removed however the command ends, also when it is told to end (SIGTERM)."""
    import shutil
    import tempfile

    from anomaly.store.embedded import Embedded

    folder = Path(tempfile.mkdtemp(prefix="anomaly-benchmark-"))
    parameters = {**given.database.parameters, "fsync": "off", "full_page_writes": "off"}
    database = given.database.model_copy(update={"url": None, "parameters": parameters})
    own = given.model_copy(update={"data_dir": folder / "data", "database": database})
    with _ended_for_sure() as hold:
        try:
            yield own
        finally:
            hold()
            try:
                Embedded(own).stop()
            finally:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _ended_for_sure() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM raise until they are heard: Python drops what is raised while it forks or collects garbage. What is
    yielded holds them off, so that a second Ctrl-C does not keep the clearing up from its end."""
    import signal
    from types import FrameType

    ending: list[BaseException] = []

    def end(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            ending[:] = [KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)]
        signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        raise ending[0]

    def hold() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in before:
            signal.signal(number, signal.SIG_IGN)

    heard = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield hold
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _long(plan: Plan) -> str:
    from datetime import timedelta

    return str(timedelta(seconds=round(86_400 / plan.time_scale)))


def _print(report: Report) -> None:
    rows = [
        {
            "scenario": tally.name,
            "techniques": sorted({one for met in tally.met for one in met.episode.techniques}),
            "runs": len(tally.met),
            "rules": sum(bool(one.rules) for one in tally.met),
            "behaviour": sum(bool(one.behaviour) for one in tally.met),
            "rank": tally.first(lambda one: one.rank),
            "seconds": tally.first(lambda one: one.seconds),
            "own_rank": tally.first(lambda one: one.behaviour_rank),
            "own_seconds": tally.first(lambda one: one.behaviour_seconds),
            "cause": {True: "right", False: "wrong", None: "-"}[tally.cause],
            "named": ", ".join(dict.fromkeys(name for one in tally.met for name in one.behaviour)) or "-",
        }
        for tally in report.scenarios
    ]
    columns = [
        Column("scenario", wrap=False),
        Column("techniques"),
        Column("runs", right=True),
        Column("rules", right=True),
        Column("behaviour", right=True),
        Column("rank", right=True),
        Column("seconds", "seconds to first", right=True),
        Column("own_rank", "behaviour's rank", right=True),
        Column("own_seconds", "its seconds", right=True),
        Column("cause"),
        Column("named", "named by behaviour"),
    ]
    write_table(rows, columns, empty="No labelled run lies in the judged time.")
    for line in _lines(report):
        write_text(visible(line))


def _lines(report: Report) -> Iterator[str]:
    from anomaly.findings.finding import FindingKind, Severity
    from anomaly.trials import summary

    figures = summary(report)
    scenarios, techniques, findings = figures["scenarios"], figures["techniques"], figures["findings"]
    yield ""
    yield f"Scenarios    {_by(scenarios)}"
    yield f"Techniques   {_by(techniques)}"
    yield (
        f"Cause        named right in {_part(scenarios['cause_named_right'])} of those found; "
        f"by behaviour in {_part(scenarios['cause_named_right_by_behaviour'])}"
    )
    for kind in ("behaviour", "rules", "both"):
        said = findings[kind]
        a_day = "-" if said["a_day"] is None else f"{said['a_day']:.1f}"
        low = "-" if said["a_day_at_least_low"] is None else f"{said['a_day_at_least_low']:.1f}"
        yield (
            f"Findings     by {kind}: {said['all']}, {a_day} a day ({low} at least low), "
            f"{said['false']} rest on no labelled request"
        )
    yield from _promise(report)
    if report.early:
        yield f"Not tried    {report.early} labelled runs lie in the training time."
    for one in report.false:
        if one.kind is FindingKind.BEHAVIOUR or one.severity.rank >= Severity.MEDIUM.rank:
            yield f"False        {one.kind.value} {one.severity.value} {one.name} {one.entity} {one.start:%H:%M:%S}"
    if report.outcome.untrained:
        return
    for tally in report.scenarios:
        for met in tally.met if not tally.by_behaviour else ():
            rules = ", ".join(met.rules[:3]) or "none"
            if met.missed:
                yield f"Missed       by behaviour {met.episode.scenario} at {met.episode.begins:%H:%M:%S}: {met.missed} (rules: {rules})"


def _promise(report: Report) -> Iterator[str]:
    outcome, judged = report.outcome, report.outcome.judged
    if outcome.untrained:
        yield (
            f"Behaviour    not judged: {outcome.untrained} Shorter windows (--span or a larger --time-scale) or a later "
            "--train-until may help."
        )
    if judged is None:
        return
    line = judged.threshold
    unproven = (
        f", not proven for {', '.join(line.unproven)}: too few calibration windows" if line.unproven else ""
    )
    yield (
        f"Budget       at most {report.plan.budget.per_day:g} a day. Line p <= {line.p_value:.2g}: {line.expected:.1f} windows "
        f"expected on a quiet day, {line.low:g} to {line.high:g} on nine of ten{unproven}"
    )
    yield (
        f"Judged       {judged.windows:,} windows in {report.days:.2f} days: {judged.over} over the line in {judged.findings} "
        f"stories, {judged.full} more without room, {judged.below:,} windows below the line"
    )


def _by(said: Mapping[str, Mapping[str, float | None]]) -> str:
    return ", ".join(f"by {name} {_part(said[name])}" for name in ("rules", "behaviour", "both"))


def _part(said: Mapping[str, float | None]) -> str:
    share = said["share"]
    return f"{said['found']} of {said['of']}" + ("" if share is None else f" ({share:.0%})")


def _document(report: Report) -> dict[str, object]:
    from anomaly.trials import summary

    plan, outcome, judged = report.plan, report.outcome, report.outcome.judged
    return {
        "train_until": plan.train_until,
        "until": outcome.until,
        "span_seconds": plan.span.total_seconds(),
        "time_scale": plan.time_scale,
        "budget": plan.budget.per_day,
        "events": outcome.receipt.kept,
        "quarantined": outcome.receipt.quarantined,
        "seconds": {
            "read": outcome.read_seconds,
            "train": outcome.train_seconds,
            "judge": outcome.judge_seconds,
        },
        "untrained": outcome.untrained or None,
        "not_tried": report.early,
        **summary(report),
        "line": None
        if judged is None
        else {
            "p_value": judged.threshold.p_value,
            "expected_a_quiet_day": judged.threshold.expected,
            "interval": [judged.threshold.low, judged.threshold.high],
            "promised": judged.threshold.promised,
            "unproven": list(judged.threshold.unproven),
            "windows": judged.windows,
            "over": judged.over,
            "stories": judged.findings,
            "no_room": judged.full,
            "below": judged.below,
        },
        "episodes": [_episode(met) for met in report.met],
        "findings_listed": [_finding(one, report, "open") for one in outcome.findings],
        "below_listed": [_finding(one, report, "below") for one in outcome.below],
    }


def _episode(met: object) -> dict[str, object]:
    from anomaly.trials.report import Met

    assert isinstance(met, Met)
    return {
        "scenario": met.episode.scenario,
        "techniques": list(met.episode.techniques),
        "start": met.episode.begins,
        "end": met.episode.ends,
        "requests": len(met.episode.ids),
        "requests_in_log": met.in_log,
        "rules": list(met.rules),
        "behaviour": list(met.behaviour),
        "rank": met.rank,
        "behaviour_rank": met.behaviour_rank,
        "seconds_to_detect": met.seconds,
        "behaviour_seconds_to_detect": met.behaviour_seconds,
        "cause_right": met.cause,
        "behaviour_cause_right": met.behaviour_cause,
        "missed": met.missed or None,
    }


def _finding(one: object, report: Report, state: str) -> dict[str, object]:
    from anomaly.findings.finding import Finding

    assert isinstance(one, Finding)
    return {
        "kind": one.kind.value,
        "name": one.name,
        "severity": one.severity.value,
        "entity": one.entity,
        "start": one.start,
        "end": one.end,
        "score": one.score,
        "reason": one.reason,
        "count": one.count,
        "state": state,
        "false": one.id in {each.id for each in report.false},
    }
