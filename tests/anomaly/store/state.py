"""What a database holds, with every number turned back into its text, so that two databases, or a database and a plain
count in Python, can be compared. Numbers of chunks and their places are left out: they tell only who came first.
"""

from dataclasses import dataclass

from anomaly.rules import RuleSet, pack
from anomaly.sources.files import open_source
from anomaly.store.chunks import unpack_chunk
from anomaly.store.entities import all_entities
from anomaly.store.findings import Wanted, list_findings, with_evidence
from anomaly.store.firsts import load_firsts
from anomaly.store.terms import storable, vocabulary
from anomaly.store.windows import Span, read_windows
from anomaly.windows.dimension import Dimension
from anomaly.windows.entity import CLUSTER_WIDE
from anomaly.windows.memory import gather
from benchmarks.realistic import SAMPLE

HOUR_US = 3_600_000_000

_EVENTS = """
SELECT c.name, e.received_at, e.event_key, n.username, e.latency_us, verb.value, resource.value, namespace.value, name.value,
  agent.value, address.value, acting.value, e.audit_crc, e.size, e.code, e.stage, e.level, e.flags, e.chunk_id, e.ordinal
FROM anomaly.event e JOIN anomaly.cluster c ON c.id = e.cluster_id JOIN anomaly.entity n ON n.id = e.entity_id
LEFT JOIN anomaly.term verb ON verb.id = e.verb_id LEFT JOIN anomaly.term resource ON resource.id = e.resource_id
LEFT JOIN anomaly.term namespace ON namespace.id = e.namespace_id LEFT JOIN anomaly.term name ON name.id = e.name_id
LEFT JOIN anomaly.term agent ON agent.id = e.agent_id LEFT JOIN anomaly.term address ON address.id = e.address_id
LEFT JOIN anomaly.term acting ON acting.id = e.acting_id
"""


@dataclass(frozen=True)
class State:
    """Everything that events turn into; equal when the databases say the same."""

    events: dict
    windows: dict
    firsts: dict
    findings: dict
    quarantine: set


def state_of(database):
    """Read it all."""
    with database.dedicated() as connection:
        clusters = dict(connection.execute("SELECT name, id FROM anomaly.cluster").fetchall())
        windows = {
            (name, *key): value
            for name, id in clusters.items()
            for key, value in stored_windows(connection, id).items()
        }
        firsts = {
            (name, *key): value
            for name, id in clusters.items()
            for key, value in stored_firsts(connection, id).items()
        }
        rejected = connection.execute("SELECT digest, reason, size FROM anomaly.quarantine").fetchall()
        return State(stored_events(connection), windows, firsts, stored_findings(database), set(rejected))


def stored_events(connection):
    """{(cluster, received, key): (columns ..., raw bytes)}"""
    chunks = {
        number: unpack_chunk(bytes(data))
        for number, data in connection.execute("SELECT id, data FROM anomaly.chunk").fetchall()
    }
    return {row[:3]: (*row[3:18], chunks[row[18]][row[19]]) for row in connection.execute(_EVENTS).fetchall()}


def stored_windows(connection, cluster_id, span_us=HOUR_US):
    """{(username, start): {(dimension, text): count}}"""
    found = read_windows(connection, Span(cluster_id=cluster_id), span_us)
    names = {one.id: one.identity.username for one in all_entities(connection, cluster_id)}
    return {
        (names[int(found.entity[row])], int(found.start[row])): found.histogram(row) for row in range(found.n)
    }


def stored_firsts(connection, cluster_id):
    """{(username or "", dimension, text): microseconds}"""
    names = {one.id: one.identity.username for one in all_entities(connection, cluster_id)}
    return _named(load_firsts(connection, cluster_id), names, vocabulary(connection))


def stored_findings(database):
    """{id: everything a person sees of it, with its evidence}"""
    with database.read() as connection:
        found = with_evidence(connection, list_findings(connection, Wanted(limit=10_000)), 100_000)
    return {
        one.id: (one.cluster, one.entity, one.kind, one.name, one.severity, one.start, one.end, one.score, one.reason,
                 one.count, sorted(one.evidence), one.details)
        for one in found
    }  # fmt: skip


def counted_windows(decoded, span_us=HOUR_US):
    """The same as `stored_windows`, counted one event after the other in Python."""
    memory = gather(decoded, span_us)
    names = {one.id: storable(one.identity.username) for one in memory.entities}
    found = {}
    for row in range(memory.windows.n):
        window = found.setdefault(
            (names[int(memory.windows.entity[row])], int(memory.windows.start[row])), {}
        )
        for (dimension, text), count in memory.windows.histogram(row).items():
            term = dimension, storable(text)
            window[term] = window.get(term, 0) + count
    return found


def counted_firsts(decoded, span_us=HOUR_US):
    """The same as `stored_firsts`, counted in Python."""
    memory = gather(decoded, span_us)
    names = {one.id: storable(one.identity.username) for one in memory.entities}
    return _named(memory.firsts, names, memory.windows.vocabulary)


def _named(firsts, names, words):
    found = {}
    for entity, term, moment in zip(
        firsts.entity.tolist(), firsts.term.tolist(), firsts.first_us.tolist(), strict=True
    ):
        owner = "" if entity == CLUSTER_WIDE else names[entity]
        key = owner, Dimension(words.dimension_of(term)), storable(words.text_of(term))
        found[key] = min(moment, found.get(key, moment))
    return found


def recorded(count):
    """The first lines of the recorded log of a real control plane."""
    lines = []
    with open_source(SAMPLE) as source:
        for block in source.blocks():
            lines += block.data.splitlines()
            if len(lines) >= count:
                break
    return lines[:count]


def only(*ids):
    """Some rules of the pack, for tests that count what matches: the pack grows."""
    return RuleSet(tuple(rule for rule in pack().rules if rule.id in ids))
