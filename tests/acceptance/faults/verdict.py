"""What the ledger of the senders says, held against the database, and the database against a clean run of the same bodies."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from anomaly.bootstrap import redactor_of
from anomaly.findings.finding import FindingKind
from anomaly.rules import pack
from anomaly.settings import Settings
from anomaly.sources.webhook import Body, Limits, unwrap
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import open_database
from anomaly.store.embedded import Embedded
from anomaly.store.windows import fold_all
from anomaly.store.writer import Arrival, Writer
from tests.anomaly.store.state import HOUR_US, state_of

_AUDIT_ID = re.compile(rb'"auditID":"([^"]*)"')
_LIMITS = Limits(64 << 20, 200)


@dataclass(slots=True)
class Verdict:
    """Everything that must be nothing, and what there was in numbers."""

    lost: int = 0
    doubled: int = 0
    foreign: int = 0
    in_part: int = 0
    differs: dict[str, int] = field(default_factory=dict)
    stored: int = 0
    quarantined: int = 0
    windows: int = 0
    firsts: int = 0
    findings: int = 0
    examples: list[str] = field(default_factory=list)
    """Findings that differ, as they are and as they should be."""

    @property
    def good(self):
        """Whether nothing was lost, doubled, made up, torn or counted differently."""
        return not (self.lost or self.doubled or self.foreign or self.in_part or any(self.differs.values()))


def judge(database, senders, folder):
    """Compare. `senders` are (cluster name, stub); `folder` is for the database of the clean run."""
    with database.dedicated() as connection:
        fold_all(connection)
    state = state_of(database)
    found = Verdict(
        stored=len(state.events),
        quarantined=len(state.quarantine),
        windows=len(state.windows),
        firsts=len(state.firsts),
        findings=len(state.findings),
    )
    ids = Counter(_id_of(columns[-1]) for columns in state.events.values())
    sent = {one for _, stub in senders for batch in stub.batches for one in batch.audit_ids}
    found.doubled = sum(times - 1 for times in ids.values())
    found.foreign = len(ids.keys() - sent)
    for _, stub in senders:
        found.lost += len(stub.acknowledged() - ids.keys())
        for batch in stub.batches:
            kept = sum(one in ids for one in batch.audit_ids)
            found.in_part += 0 < kept < len(batch.audit_ids)
    state, clean = _of_events(state), _of_events(_clean(senders, ids, folder))
    for part in ("events", "windows", "firsts", "findings"):
        ours, theirs = getattr(state, part), getattr(clean, part)
        found.differs[part] = sum(ours.get(key) != theirs.get(key) for key in ours.keys() | theirs.keys())
    found.examples = [
        str((state.findings.get(key), clean.findings.get(key)))[:600]
        for key in state.findings.keys() | clean.findings.keys()
        if state.findings.get(key) != clean.findings.get(key)
    ][:5]
    found.differs["quarantine"] = len(state.quarantine ^ clean.quarantine)
    return found


def _of_events(state):
    """Without alarms about the intake: they are of what happened to it, and to the clean run nothing happens."""
    told = {key: one for key, one in state.findings.items() if one[2] is not FindingKind.SYSTEM}
    return replace(state, findings=told)


def _clean(senders, ids, folder):
    """The same bodies, each once, written by one process to which nothing happens."""
    settings = Settings(data_dir=folder)
    try:
        with open_database(settings) as database:
            writer = Writer(database.dedicated, pack(), HOUR_US, redactor_of(settings))
            for name, stub in senders:
                with database.begin() as connection:
                    cluster = ensure_cluster(connection, name)
                for batch in stub.batches:
                    if batch.audit_ids[0] in ids:
                        decoded = unwrap(Body(batch.body, len(batch.body)), _LIMITS)
                        writer.write([Arrival(cluster, "webhook", decoded)])
            writer.close()
            with database.dedicated() as connection:
                fold_all(connection)
            return state_of(database)
    finally:
        Embedded(settings).stop()


def _id_of(raw):
    found = _AUDIT_ID.search(raw)
    assert found is not None
    return found[1].decode()
