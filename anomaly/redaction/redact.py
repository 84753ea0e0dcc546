"""Decoded input with stand-ins for secrets: events, the bytes they came in, and what could not be decoded.

An event is looked into only when its bytes are suspicious or it is about Secrets. What is found makes it a new event, decoded from
its new bytes, so that everything derived from it (rules, windows, firsts, findings) is derived from what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from anomaly.events.decode import Decoded, Reject
from anomaly.events.lenient import mended
from anomaly.redaction.objects import BODIES, CONFIGMAPS, HELD, Json, Objects, resource_of
from anomaly.redaction.rejects import clean_bytes
from anomaly.redaction.stand_in import Kind, StandIns, Tally
from anomaly.redaction.suspicion import speaks, suspicious_among
from anomaly.redaction.texts import Texts
from anomaly.redaction.twice import hides

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Redacted:
    """Input after redaction; `tallies` by the index of the event in `decoded`, `rejected` for all rejects together.

    `received` are the rejects as they came, index by index like those of `decoded`. `lost` are the indexes, in the input, of
    events that were none any more after redaction: they are among the rejects.
    """

    decoded: Decoded
    tallies: dict[int, Tally] = field(default_factory=dict)
    rejected: Tally = field(default_factory=Tally)
    received: list[Reject] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


class Redactor:
    """Redacts decoded input. Holds no state between calls; safe to share."""

    def __init__(self, *, enabled: bool = True, key: bytes = b"", configmaps: bool = False) -> None:
        """`key` makes equal values recognisable by a digest; `configmaps` replaces all values of ConfigMaps as of Secrets."""
        self.enabled = enabled
        self._stand_ins = StandIns(key)
        self._configmaps = configmaps
        self._held = HELD | {CONFIGMAPS} if configmaps else HELD

    def redact(self, decoded: Decoded, suspects: Sequence[int] | None = None) -> Redacted:
        """This will return the input without secrets. What holds none comes back as the same objects; `decoded` stays as it is.

        `suspects` is what `suspicious_among` said of these very bytes, where it was asked already.
        """
        if not self.enabled:
            return Redacted(decoded, received=decoded.rejects)
        held = self._held
        about = [
            index
            for index, shape in enumerate(decoded.shapes)
            if shape.resource in held and shape.level != "Metadata"
        ]
        suspects = suspicious_among(decoded.raws) if suspects is None else suspects
        hits = sorted({*suspects, *about})
        if not hits and not decoded.rejects:
            return Redacted(decoded, received=decoded.rejects)
        return self._redact(decoded, hits)

    def event_bytes(self, raw: bytes, tally: Tally) -> bytes:
        """This will return the bytes of one event without secrets, counting in `tally`; the same object when there are none.

        What no strict decoder reads is kept mended (`anomaly.events.lenient`), which `tally` does not say.
        """
        texts = Texts(self._stand_ins, tally)
        objects = Objects(texts, self._configmaps)
        cleaned = _rewritten(raw, objects, texts)
        if cleaned is None:
            again = mended(raw)
            # What lies deeper than anybody looks is not in the mended bytes, and so not kept unseen.
            cleaned = _rewritten(again, objects, texts) if again is not None else None
        if cleaned is None:
            bare = _bare(raw)
            cleaned = _rewritten(bare, objects, texts) or bare
        return cleaned

    def reject_of(self, reject: Reject, tally: Tally) -> Reject:
        """This will return a reject without the secrets that can be recognised in it; itself when there are none."""
        texts = Texts(self._stand_ins, tally)
        raw = clean_bytes(reject.raw, Objects(texts, self._configmaps), texts)
        reason = texts.clean(reject.reason)
        if raw is reject.raw and reason == reject.reason:
            return reject
        return Reject(raw, reason, max(reject.size, len(reject.raw)))

    def _redact(self, decoded: Decoded, hits: list[int]) -> Redacted:
        tallies: dict[int, Tally] = {}
        rejected = Tally()
        rejects = [self.reject_of(reject, rejected) for reject in decoded.rejects]
        received = list(decoded.rejects)
        lost: list[int] = []
        again = Decoded(list(decoded.events), list(decoded.shapes), list(decoded.raws), rejects)
        for index in hits:
            tally = Tally()
            raw = self.event_bytes(decoded.raws[index], tally)
            if raw is decoded.raws[index]:
                continue
            one = Decoded()
            one.add(raw)
            if not one.events:
                # A number that posed as a part of a Secret is a text now: no API server sends that, whoever has a token can.
                rejects += one.rejects
                received.append(Reject(decoded.raws[index], one.rejects[0].reason))
                rejected += tally
                lost.append(index)
                continue
            again.events[index], again.shapes[index], again.raws[index] = one.events[0], one.shapes[0], raw
            tallies[index - len(lost)] = tally
        for index in reversed(lost):
            del again.events[index], again.shapes[index], again.raws[index]
        return Redacted(again, tallies, rejected, received, lost)


def _rewritten(raw: bytes, objects: Objects, texts: Texts) -> bytes | None:
    """The bytes after cleaning, the same object when nothing changed; None when they are no JSON that can be walked.

    Field by field: bodies and what is suspicious are looked into, the others stay as the bytes they are.
    """
    try:
        fields = _FIELDS.decode(raw)
        resource = resource_of(msgspec.json.decode(fields["objectRef"])) if "objectRef" in fields else ""
        names, values = list(fields), [bytes(value) for value in fields.values()]
        changed: dict[str, msgspec.Raw] = {}
        bodies = [index for index, name in enumerate(names) if name in BODIES]
        for index in {*bodies, *suspicious_among(values)}:
            cleaned = _part(names[index], values[index], resource, objects, texts)
            if cleaned is not None:
                changed[names[index]] = msgspec.Raw(cleaned)
        # A field that is named twice is kept once, as it was read.
        if hidden := hides(raw, fields):
            texts.tally[Kind.HIDDEN] += 1
        return msgspec.json.encode({**fields, **changed}) if changed or hidden else raw
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _part(name: str, raw: bytes, resource: str, objects: Objects, texts: Texts) -> bytes | None:
    """One field after cleaning, None when nothing in it changed. Raises what msgspec does when it cannot be walked.

    First by structure, which is all that most Secrets need; the texts are only searched when something in them is left.
    """
    value: Json = msgspec.json.decode(raw)
    texts.looking = False
    try:
        cleaned = objects.part(name, value, resource)
    finally:
        texts.looking = True
    if hidden := hides(raw, value):
        texts.tally[Kind.HIDDEN] += 1
    again = msgspec.json.encode(cleaned) if cleaned != value or hidden else raw
    if speaks(again):
        before, cleaned = cleaned, objects.part(name, cleaned, resource)
        again = again if cleaned == before else msgspec.json.encode(cleaned)
    return None if again is raw else again


def _bare(raw: bytes) -> bytes:
    """An event of more than 16 MiB that nobody can look into: what is known of it without its bodies."""
    one = Decoded()
    one.add(raw)
    known = msgspec.structs.asdict(one.events[0]) if one.events else {}
    known = {
        name: value
        for name, value in known.items()
        if not (isinstance(value, msgspec.Raw) and not bytes(value))
    }
    return msgspec.json.encode({**known, "requestObject": None, "responseObject": None})
