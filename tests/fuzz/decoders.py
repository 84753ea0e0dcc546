"""Every decoder that outsiders can reach, each as a function of bytes that returns, or fails with what must never happen.

Refusing is allowed, in the one way a decoder says it refuses. Anything else that is raised is a crash, and what takes longer than
the limit is a hang. What must hold of what was decoded is asserted here too, so that a quiet mistake is found as well.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from types import SimpleNamespace

import msgspec
import zstandard
from starlette.requests import Request

from anomaly.errors import UsageError
from anomaly.events.decode import audit_id_of, decode_lines
from anomaly.events.key import event_key, microseconds_of, received_at
from anomaly.intake.exposition import read_sample
from anomaly.payloads.event import raw_payload
from anomaly.policy.flags import lint_flags
from anomaly.policy.kubeconfig import lint_kubeconfig
from anomaly.policy.lint import lint
from anomaly.policy.parse import read as read_policy
from anomaly.query import QueryInvalid, read, write
from anomaly.query.completing import at as completing_at
from anomaly.redaction import Redactor
from anomaly.rules import pack
from anomaly.rules.check import check_documents
from anomaly.rules.document import read_text
from anomaly.rules.importing import mend
from anomaly.rules.problem import RuleFileInvalid
from anomaly.sources.items import item_blocks
from anomaly.sources.unwrap import normalise, source_of
from anomaly.sources.unwrap import unwrap as unwrapped
from anomaly.sources.webhook import Body, Limits, unwrap
from anomaly.store.terms import storable
from anomaly.web.answer import place_of, seen_version, tagged
from anomaly.web.console.folded import folded
from anomaly.web.pages.finding import shown
from anomaly.web.sender import handshake as asked_by_event_grid
from anomaly.windows.terms import body_terms, has_body_terms, object_terms, shape_terms
from models.artifact import MAGIC, unpack
from models.errors import UntrustedArtifact
from models.model import Model

LIMITS = Limits(1 << 20, 100)
NOW = datetime(2026, 11, 29, tzinfo=UTC)
_STACK = 200
_REDACTOR = Redactor(configmaps=True)


@cache
def _rules():
    return pack()


def webhook(data):
    """A body as an API server posts it, plain, cut at the limit, or of an encoding nobody knows."""
    for body in (Body(data, len(data)), Body(data, len(data) + 1), Body(data, len(data), "br")):
        decoded = unwrap(body, LIMITS)
        assert decoded.events or decoded.rejects or not data.strip() or b"items" in data
    _keyed(decoded)


def compressed(data):
    """A body that says it is compressed: damaged, or whole with anything inside."""
    for head in (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"):
        _keyed(unwrap(Body(head + data, len(data) + len(head)), LIMITS))
    for packed in (gzip.compress(data, 1), zstandard.compress(data, 1)):
        _keyed(unwrap(Body(packed, len(packed), "gzip"), LIMITS))


def event(data):
    """Lines of a log: audit events, one a line, and whatever else stands there."""
    decoded = decode_lines(data)
    for one, raw in zip(decoded.events, decoded.raws, strict=True):
        _deep(_STACK, lambda one=one, raw=raw: _shown(one, raw))
    assert sum(map(len, (decoded.events, decoded.rejects))) >= bool(data.strip()) or b"items" in data
    _all_the_way(decoded)


def _deep(calls, function):
    """As far down the stack as a page is: what the intake could read must be readable there."""
    return function() if calls <= 0 else _deep(calls - 1, function)


def _shown(one, raw):
    """What readers do with the bytes of an event that was taken."""
    assert audit_id_of(raw) == one.auditID
    msgspec.json.encode(raw_payload(raw))
    folded(raw)
    shown(SimpleNamespace(raw=raw, audit_id=one.auditID)).text.encode("utf-8", "surrogatepass")


def _keyed(decoded):
    """Every event gets a key, whatever it says."""
    assert len(decoded.events) == len(decoded.shapes) == len(decoded.raws)
    for one, shape in zip(decoded.events, decoded.shapes, strict=True):
        (us,) = microseconds_of([received_at(one)]).tolist()
        assert len(event_key(one, shape.user.username, us, us)) == 16


def _all_the_way(decoded):
    """What the writer does with events before it asks the database: keys, redaction, terms, rules."""
    _keyed(decoded)
    redacted = _REDACTOR.redact(decoded).decoded
    again = _REDACTOR.redact(redacted).decoded
    assert again.raws == redacted.raws, "what is redacted once is not redacted further"
    for one, shape in zip(redacted.events, redacted.shapes, strict=True):
        terms = [*shape_terms(shape), *object_terms(shape, one.objectRef.name if one.objectRef else "")]
        if has_body_terms(shape):
            terms += body_terms(one, shape)
        for _, text in terms:
            storable(text).encode()
        for rule in _rules().matches(one, shape):
            rule.why(one, shape)


def cloud(data):
    """Records of clouds and shippers, wrapped as deep as anybody likes."""
    source_of(data)
    _keyed(decode_lines(normalise(data)))
    for line in unwrapped(data):
        assert b"\n" not in line
        decode_lines(line)


def blocks(data):
    """A stream of records read in small blocks: nothing is lost between them."""
    for depth in (0, 1, 2):
        for block in item_blocks(BytesIO(data).read, 0, depth, 64):
            assert block is not None


def policy(data):
    """An audit policy file, with all that is remarked on it."""
    reading = read_policy(data)
    assert (reading.policy is None) == (reading.error is not None)
    lint(data)


def kubeconfig(data):
    """The webhook's kubeconfig."""
    lint_kubeconfig(data)


def flags(data):
    """Flags of a kube-apiserver, or the manifest they stand in."""
    lint_flags(data.decode("utf-8", "replace"))


def rule(data):
    """A rule file: read, mended, checked."""
    try:
        documents = read_text(data.decode("utf-8", "replace"))
    except RuleFileInvalid:
        return
    check_documents(documents)
    check_documents([mend(one, []) for one in documents])


def query(data):
    """A question about events; what is understood can be written down and means the same."""
    text = data.decode("utf-8", "replace")
    completing_at(text, len(text))
    try:
        node = read(text)
    except QueryInvalid:
        return
    written = write(node)
    if len(written) <= 4_000:
        assert write(read(written)) == written


def parameters(data):
    """What stands in an address or a header: cursors, entity tags."""
    text = data.decode("latin-1")
    for kinds in ((int, float, str, str), (int,), (datetime, str)):
        try:
            place_of(text, *kinds)
        except UsageError:
            continue
    scope = {"type": "http", "headers": [(b"if-match", data), (b"if-none-match", data)]}
    tagged(Request(scope), {"a": 1}, 3)
    try:
        seen_version(Request(scope))
    except UsageError:
        return


def handshake(data):
    """The question of Azure's Event Grid whether its events are wanted."""
    scope = {"type": "http", "headers": [(b"aeg-event-type", b"SubscriptionValidation")]}
    answer = asked_by_event_grid(Request(scope), data)
    assert answer is None or json.loads(answer)


def metrics(data):
    """A metrics page of an API server."""
    try:
        sample = read_sample(data.decode("utf-8", "replace"), NOW)
    except UsageError:
        return
    json.dumps(msgspec.to_builtins(sample), allow_nan=False)


def artifact(data):
    """A model as bytes: what its digest does not vouch for, and what it does."""
    for packed in (data, MAGIC + hashlib.sha256(data).hexdigest().encode() + b"\n" + data):
        for load in (unpack, Model.load):
            try:
                load(packed)
            except UntrustedArtifact:
                continue


DECODERS = {
    one.__name__: one
    for one in (
        webhook, compressed, event, cloud, blocks, policy, kubeconfig, flags, rule, query, parameters,
        handshake, metrics, artifact,
    )
}  # fmt: skip
