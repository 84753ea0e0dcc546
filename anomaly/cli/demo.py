"""`anomaly demo`: the whole way, on a real log of a real control plane, in a database of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from anomaly.cli.invocation import current
from anomaly.cli.output import Format, Output, visible, write_json, write_text

if TYPE_CHECKING:
    from anomaly.findings.finding import Finding
    from anomaly.settings import Settings
    from anomaly.trials import Episode, Outcome

app = App(name="demo", help="See it work: a real audit log becomes explained findings.")

TRAIN_UNTIL = "2026-11-23T10:46:00+00:00"
SPAN_SECONDS = 60
TIME_SCALE = 60.0
SHOWN = 12
_CONFIG = "demo.toml"
"""Written into the demonstration's folder; it also tells such a folder from others."""


@app.default
def demo(
    *,
    fresh: Annotated[bool, Parameter(negative="")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Read an hour and a half of a real cluster's audit log, train on its quiet hour, judge the rest, show what was found.

    Parameters
    ----------
    fresh
        Throw the earlier demonstration away and begin anew.
    """
    from datetime import datetime

    from anomaly.bootstrap import open_database
    from anomaly.rules import pack
    from anomaly.trials import Plan, load_labels, run_trial
    from models import Budget

    settings = _settings(current().settings())
    if fresh:
        _remove(settings)
    folder = Path(__file__).resolve().parent.parent / "demo"
    with open_database(settings, current().say) as database:
        outcome = run_trial(
            database,
            "demo",
            [folder / "audit.jsonl.zst"],
            pack(),
            Plan(
                settings.windows.span,
                datetime.fromisoformat(TRAIN_UNTIL),
                Budget(per_day=settings.scoring.findings_per_day),
                TIME_SCALE,
            ),
            current().say,
        )
    config = _write_config(settings)
    episodes = load_labels(folder / "labels.jsonl")
    if output is Format.JSON:
        write_json(_document(outcome, episodes, config))
        return
    for line in _page(outcome, episodes, config):
        write_text(visible(line))


def _settings(given: Settings) -> Settings:
    """The demonstration never touches the data of the real thing: a database of its own, beside it. A folder that is a
    demonstration's already, as under the configuration it wrote, is used as it is."""
    from datetime import timedelta

    database = given.database.model_copy(update={"url": None})
    windows = given.windows.model_copy(update={"span": timedelta(seconds=SPAN_SECONDS)})
    own = given.data_dir.name == "demo" and (given.data_dir / _CONFIG).is_file()
    folder = given.data_dir if own else given.data_dir / "demo"
    return given.model_copy(update={"data_dir": folder, "database": database, "windows": windows})


def _remove(settings: Settings) -> None:
    from anomaly.store.embedded import Embedded

    Embedded(settings).stop()
    shutil.rmtree(settings.data_dir, ignore_errors=True)


def _write_config(settings: Settings) -> Path:
    path = settings.data_dir / _CONFIG
    folder = str(settings.data_dir).replace("\\", "\\\\").replace('"', '\\"')
    path.write_text(f'data_dir = "{folder}"\n\n[windows]\nspan = "{SPAN_SECONDS}s"\n', encoding="utf-8")
    return path


def _page(outcome: Outcome, episodes: list[Episode], config: Path) -> Iterator[str]:
    receipt = outcome.receipt
    if receipt.kept:
        rate = receipt.kept / outcome.read_seconds
        yield f"Kept {receipt.kept:,} audit events in {outcome.read_seconds:.1f} s ({rate:,.0f} events/s), all of them once."
    else:
        yield "The log was read before: every event is kept, none twice."
    if outcome.trained is not None:
        card = outcome.trained.candidate.card
        yield f"Trained on {card.windows:,} windows of its quiet hour in {outcome.train_seconds:.1f} s."
    if (judged := outcome.judged) is not None:
        beyond = f" ({judged.beyond} over the day's budget, as they are critical)" if judged.beyond else ""
        yield (
            f"Judged {judged.windows:,} later windows in {outcome.judge_seconds:.1f} s: {judged.over} deviate and tell "
            f"{judged.findings} stories{beyond}; {judged.full} more had no room in the day's budget, {judged.below:,} stay below the "
            f"line (p <= {judged.threshold.p_value:.2g}; minutes stand for hours here)."
        )
    counts = Counter(finding.severity.value for finding in outcome.findings)
    listed = ", ".join(
        f"{counts[name]} {name}" for name in ("critical", "high", "medium", "low", "info") if counts[name]
    )
    yield f"Findings since then: {listed or 'none'}."
    yield _recall(outcome, episodes)
    yield ""
    for finding in _shown(outcome.findings):
        yield from _paragraph(finding)
    command = f"{_started_as()} --config {shlex.quote(str(config))}"
    yield f"All of them:   {command} findings list"
    if outcome.findings:
        yield f"One in full:   {command} findings show {str(_shown(outcome.findings)[0].id)[:8]}"
    yield f"Ask the log:   {command} events --user 'mallory*' --outcome refused"
    yield ""
    yield "To review them in a browser, start this and open the link it prints:"
    yield f"    {command} serve"


def _started_as() -> str:
    """How this program was started, so that what is printed can be copied: the shorter of both ways to name it."""
    given = Path(sys.argv[0])
    if given.name != "anomaly" or shutil.which("anomaly") == str(given):
        return (
            "anomaly" if given.name != "__main__.py" else f"{shlex.quote(_short(sys.executable))} -m anomaly"
        )
    return shlex.quote(_short(str(given)))


def _short(path: str) -> str:
    near = os.path.relpath(path)
    return near if not near.startswith("..") and len(near) < len(path) else path


def _recall(outcome: Outcome, episodes: list[Episode]) -> str:
    from anomaly.findings.finding import FindingKind
    from anomaly.trials.labels import found_by

    found = found_by(outcome.findings, episodes)
    by = {
        kind: {
            episodes[place].scenario
            for place, findings in found.items()
            if any(one.kind is kind for one in findings)
        }
        for kind in FindingKind
    }
    scenarios = {episode.scenario for episode in episodes}
    both = by[FindingKind.RULE] | by[FindingKind.BEHAVIOUR]
    missed = ", ".join(sorted(scenarios - both))
    return (
        f"Of the {len(scenarios)} attack scenarios played in it, rules see {len(by[FindingKind.RULE])}, behaviour "
        f"{len(by[FindingKind.BEHAVIOUR])}, both together {len(both)}"
        + (f"; missed: {missed}." if missed else ".")
    )


def _shown(findings: tuple[Finding, ...]) -> list[Finding]:
    """The most severe of each kind in turn, so that both are seen."""
    from anomaly.findings.finding import FindingKind

    half = SHOWN // 2
    return [
        one
        for kind in reversed(FindingKind)
        for one in [found for found in findings if found.kind is kind][:half]
    ]


def _paragraph(finding: Finding) -> Iterator[str]:
    from anomaly.scoring.amounts import contribution_text

    attack = f" ({', '.join(finding.attack)})" if finding.attack else ""
    yield f"{str(finding.id)[:8]}  {finding.severity.value.upper()}  {finding.title}{attack}, by {finding.kind.value}, {finding.start:%H:%M:%S}"
    yield f"          {finding.reason}"
    for part in finding.contributions[:3]:
        yield f"            {part.share:4.0%}  {contribution_text(part)}"
    yield f"          {finding.count} event{'' if finding.count == 1 else 's'}: {', '.join(finding.evidence[:2])}{' ...' if finding.count > 2 else ''}"
    yield ""


def _document(outcome: Outcome, episodes: list[Episode], config: Path) -> dict[str, object]:
    from anomaly.trials.labels import found_by

    found, judged = found_by(outcome.findings, episodes), outcome.judged
    return {
        "events": {
            "kept": outcome.receipt.kept,
            "duplicates": outcome.receipt.duplicates,
            "seconds": outcome.read_seconds,
        },
        "model": judged.model_id if judged else None,
        "windows": judged.windows if judged else 0,
        "below_the_line": judged.below if judged else 0,
        "no_room": judged.full if judged else 0,
        "over_the_budget": judged.beyond if judged else 0,
        "line": judged.threshold.p_value if judged else None,
        "config": str(config),
        "episodes": [
            {
                "scenario": episode.scenario,
                "start": episode.begins,
                "rules": sorted({one.name for one in found[place] if one.kind.value == "rule"}),
                "behaviour": sorted({one.name for one in found[place] if one.kind.value == "behaviour"}),
            }
            for place, episode in enumerate(episodes)
        ],
        "findings": [
            {
                "id": str(one.id),
                "kind": one.kind.value,
                "name": one.name,
                "severity": one.severity.value,
                "entity": one.entity,
                "start": one.start,
                "score": one.score,
                "reason": one.reason,
                "count": one.count,
            }
            for one in outcome.findings
        ],
    }
