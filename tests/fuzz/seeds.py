"""What fuzzing begins with: excerpts of real data, small enough that a mutation reaches what matters."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import zstandard

from models.artifact import DOCUMENT, MAGIC, pack

TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent
LONGEST = 8_000
"""Bytes of a seed; longer ones make mutations slow and hit bodies nearly always."""

_QUERIES = (
    'verb:get,list and not (user:"system:serviceaccount:ci:*" or code:400..499) secrets time:-7d',
    "resource:pods/exec namespace:shop,kube-* -user:alice@example.com time:2026-11-23..2026-11-24",
    'size>=1000 latency<2s words:"a \\" quote" (a or b) and !c*d agent:kubectl*',
)
_FLAGS = (
    "kube-apiserver --audit-policy-file=/etc/p.yaml --audit-log-path=- --audit-webhook-config-file /etc/w.yaml",
    "    - --audit-log-mode=batch\n    - --audit-webhook-batch-max-wait=5s\n    - --audit-log-maxage=30\n",
)
_METRICS = (
    "# TYPE apiserver_audit_event_total counter\napiserver_audit_event_total 71263\n"
    'apiserver_audit_error_total{plugin="webhook"} 400\napiserver_audit_level_total{level="Metadata"} 3e2\n'
    "process_start_time_seconds 1.7644e+09 17644000\n"
)


def seeds(decoder):
    """The seeds of a decoder, by name of where they come from."""
    return [one[:LONGEST] for one in _MADE[decoder]() if one]


def _bodies():
    path = TESTS / "data/webhook/deliveries.jsonl.zst"
    text = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read()
    return sorted((json.loads(line)["body"].encode() for line in text.splitlines()), key=len)[:40]


def _events():
    """One event of each shape that differs in verb, resource, level and answer, the shortest of its kind, and one with a secret."""
    found = {}
    for body in _bodies():
        for item in json.loads(body)["items"]:
            code = item.get("responseStatus", {}).get("code")
            key = (
                item["verb"],
                item.get("objectRef", {}).get("resource"),
                item["level"],
                item["stage"],
                code,
            )
            line = json.dumps(item, separators=(",", ":")).encode()
            if key not in found or len(line) < len(found[key]):
                found[key] = line
    secret = (TESTS / "data/redaction/recorded.jsonl").read_bytes().splitlines()
    return [*found.values(), *sorted(secret, key=len)[:20]]


def _rules():
    return [path.read_bytes() for path in sorted((REPOSITORY / "anomaly/rules/pack").glob("*.yml"))]


def _policies():
    folder = TESTS / "data/policy-verdicts/policies"
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def _clouds():
    return [path.read_bytes() for path in sorted((TESTS / "golden").glob("*/*.json"))]


def _artifacts():
    small = pack({"layout": [], "detectors": [], "card": {}}, {"0/a": np.arange(4)}).data
    held = io.BytesIO()
    np.savez(held, **{DOCUMENT: np.frombuffer(b'{"layout":[]}', dtype=np.uint8)})
    return [small, small[len(MAGIC) + 65 :], held.getvalue()]


_MADE = {
    "webhook": lambda: [*_bodies()[:20], b'{"kind":"EventList","items":[' + _events()[0] + b',{"kind":"Event"}]}'],
    "compressed": lambda: [*_events()[:10], *(gzip.compress(one)[3:] for one in _bodies()[:5])],
    "event": _events,
    "cloud": _clouds,
    "blocks": lambda: [*_bodies()[:5], *_clouds()],
    "policy": _policies,
    "kubeconfig": lambda: [
        path.read_bytes() for path in sorted((TESTS / "data/policy-verdicts/seed-article").glob("*")) if path.is_file()
    ] + [b"apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster: {server: 'https://x/y?z'}\ncurrent-context: a\n"],
    "flags": lambda: [one.encode() for one in _FLAGS],
    "rule": _rules,
    "query": lambda: [one.encode() for one in _QUERIES],
    "parameters": lambda: [b'W/"3-abc", "7-x"', b"WzEsMC41LCIyMDI2LTExLTIzIiwiYSJd", b"*"],
    "handshake": lambda: [b'[{"id":"1","data":{"validationCode":"512d","validationUrl":"https://x/y?z"}}]'],
    "metrics": lambda: [_METRICS.encode()],
    "artifact": _artifacts,
}  # fmt: skip
