"""Labels: which requests of a log were attacks, one row a run of a scenario."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from anomaly.errors import SourceUnavailable
from anomaly.findings.finding import Finding
from anomaly.sources.block import Block
from anomaly.sources.files import open_source

SLACK: Final = timedelta(minutes=2)
"""An audit id can be forged, so it only counts near the time of the run and for one of its users."""
_TECHNIQUE: Final = re.compile(r"T\d{4}(?:\.\d{3})?")
_AUDIT_ID: Final = re.compile(rb'"auditID"\s*:\s*"((?:[^"\\]|\\.){1,4096})"')
NAMES: Final = ("labels.jsonl", "labels.jsonl.zst", "labels.jsonl.gz")


class Episode(msgspec.Struct, frozen=True):
    """One run of an attack scenario. `auditIDs` are those of its requests; some may not be in the log. Fields beside these are
    passed over; without an end it ends when it starts."""

    scenario: str
    start: datetime
    end: datetime | None = None
    technique: str | list[str] | None = None
    tactic: str | list[str] | None = None
    detail: str | None = None
    users: list[str] | str | None = None
    auditIDs: list[str] | None = None

    @property
    def techniques(self) -> tuple[str, ...]:
        """The ATT&CK techniques named in the label, in order."""
        said = self.technique if isinstance(self.technique, list) else [self.technique or ""]
        return tuple(dict.fromkeys(found for text in said for found in _TECHNIQUE.findall(text)))

    @property
    def who(self) -> frozenset[str]:
        """The usernames of the label."""
        return frozenset([self.users] if isinstance(self.users, str) else self.users or ())

    @property
    def ids(self) -> frozenset[str]:
        """The audit ids of the label."""
        return frozenset(self.auditIDs or ())

    @property
    def begins(self) -> datetime:
        """When it began, aware UTC: a time without a zone is UTC."""
        return _aware(self.start)

    @property
    def ends(self) -> datetime:
        """When it ended, never before it began."""
        return max(_aware(self.end or self.start), self.begins)


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def labels_in(folder: Path) -> Path:
    """This will return the labels of a folder. Raises SourceUnavailable when it has none."""
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    raise SourceUnavailable(
        f"There is no labels.jsonl in {folder}.",
        hint="Beside the audit log there must be a file with one JSON object a line: scenario, start, end, users, auditIDs.",
    )


def load_labels(path: Path) -> list[Episode]:
    """This will read labels, packed or not, in the order of time. Raises SourceUnavailable naming the line that is no label."""
    decoder = msgspec.json.Decoder(Episode)
    found = []
    for number, line in enumerate(_contents(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append(decoder.decode(line))
        except msgspec.MsgspecError as error:
            raise SourceUnavailable(f"{path}:{number}: this is no label: {error}") from error
    return sorted(found, key=lambda episode: (episode.begins, episode.ends, episode.scenario))


def _contents(path: Path) -> bytes:
    if path.suffix not in {".zst", ".gz"}:
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error
    with open_source(path) as file:
        return b"\n".join(block.data for block in file.blocks() if isinstance(block, Block))


def present_ids(files: Iterable[Path], wanted: Iterable[str]) -> frozenset[str]:
    """This will return which of the audit ids occur in the logs: a policy drops requests, and a label may still name them."""
    asked = frozenset(wanted)
    found: set[str] = set()
    for path in files:
        with open_source(path) as file:
            for block in file.blocks():
                data = block.data if isinstance(block, Block) else block.head
                ids = {_unquoted(match) for match in _AUDIT_ID.findall(data)}
                found |= ids & asked
    return frozenset(found)


def _unquoted(quoted: bytes) -> str:
    if b"\\" not in quoted:
        return quoted.decode("utf-8", "replace")
    try:
        return str(msgspec.json.decode(b'"' + quoted + b'"'))
    except msgspec.MsgspecError:
        return quoted.decode("utf-8", "replace")


def touches(finding: Finding, episode: Episode) -> bool:
    """This will say whether a finding rests on a request of the episode: by audit id, and near it in time."""
    if not (episode.begins - SLACK <= finding.end and finding.start <= episode.ends + SLACK):
        return False
    return not episode.ids.isdisjoint(finding.evidence)


def found_by(findings: Iterable[Finding], episodes: Iterable[Episode]) -> Mapping[int, list[Finding]]:
    """This will return, by the place of each episode, the findings that rest on it, in the order given."""
    listed = list(findings)
    return {
        place: [finding for finding in listed if touches(finding, episode)]
        for place, episode in enumerate(episodes)
    }
