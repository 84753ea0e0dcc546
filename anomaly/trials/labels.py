"""Labels: which requests of a log were attacks, one row a run of a scenario."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from anomaly.errors import SourceUnavailable
from anomaly.findings.finding import Finding

SLACK: Final = timedelta(minutes=2)
"""An audit id can be forged, so it only counts near the time of the run and for one of its users."""


class Episode(msgspec.Struct, frozen=True):
    """One run of an attack scenario. `auditIDs` are those of its requests; some may not be in the log."""

    scenario: str
    start: datetime
    end: datetime
    technique: str = ""
    tactic: str = ""
    detail: str = ""
    users: tuple[str, ...] = ()
    auditIDs: tuple[str, ...] = ()


def load_labels(path: Path) -> list[Episode]:
    """This will read labels.jsonl. Raises SourceUnavailable naming the line that is not a label."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error
    decoder = msgspec.json.Decoder(Episode)
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise SourceUnavailable(f"{path}:{number}: this is no label: {error}") from error
    return found


def touches(finding: Finding, episode: Episode) -> bool:
    """This will say whether a finding rests on a request of the episode: by audit id, and near it in time."""
    if not (episode.start - SLACK <= finding.end and finding.start <= episode.end + SLACK):
        return False
    return not episode_ids(episode).isdisjoint(finding.evidence)


def episode_ids(episode: Episode) -> frozenset[str]:
    """This will return the audit ids of an episode as a set."""
    return frozenset(episode.auditIDs)


def found_by(findings: Iterable[Finding], episodes: Iterable[Episode]) -> dict[int, list[Finding]]:
    """This will return, by the place of each episode, the findings that rest on it, in the order given."""
    listed = list(findings)
    return {
        place: [finding for finding in listed if touches(finding, episode)]
        for place, episode in enumerate(episodes)
    }
