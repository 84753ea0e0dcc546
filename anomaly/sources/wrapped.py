"""Bodies that are no EventList: what log shippers and clouds post, in whatever they wrap an event.

Firehose (records of base64, gzip inside), Pub/Sub (an envelope around base64), Event Hubs and Event Grid (records, envelopes), and
the JSON lines and arrays of Fluentd, Fluent Bit and Vector. A record among others that is no event is a reject of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from anomaly.events.decode import Decoded, Reject, decode_lines
from anomaly.sources.record import unpacking_at_most
from anomaly.sources.unwrap import unwrap

NOTHING: Final = "nothing in the body is an audit event"

_PART: Final = 1_000
"""Lines that are decoded at once."""


def decode_wrapped(body: bytes, most: int, unpack_most: int) -> Decoded:
    """This will decode whatever a body wraps: events, rejects for what is none. It never raises on content.

    At most about `most` events and rejects are made; what follows is joined in one reject. Packed fields are unpacked to
    `unpack_most` bytes together; those behind stay packed, and are rejects. A body without any event is one reject, whole.
    """
    decoded = Decoded()
    with unpacking_at_most(unpack_most):
        pieces = unwrap(body)
        for lines in iter(lambda: list(islice(pieces, _PART)), []):
            add(decoded, decode_lines(b"\n".join(lines)))
            if len(decoded.events) + len(decoded.rejects) >= most:
                _leave(decoded, pieces, most)
    if decoded.rejects and not decoded.events:
        return Decoded(rejects=[_nothing_in(body, decoded.rejects)])
    return decoded


def add(decoded: Decoded, part: Decoded) -> None:
    """This will append one part to what was decoded before it."""
    decoded.events += part.events
    decoded.shapes += part.shapes
    decoded.raws += part.raws
    decoded.rejects += part.rejects


def _leave(decoded: Decoded, pieces: Iterator[bytes], most: int) -> None:
    if rest := b"\n".join(pieces):
        decoded.rejects.append(
            Reject(rest, f"the body has more than {most:,} events: those that follow are kept here")
        )


def _nothing_in(body: bytes, rejects: list[Reject]) -> Reject:
    reason = rejects[0].reason
    if len(rejects) > 1 or rejects[0].raw.strip() != body.strip():
        reason = f"{NOTHING}: {reason}"
    return Reject(body, reason[:500])
