"""Realistic audit events of any volume: the recorded log played again and again, each round with a life of its own.

Every round shifts the times by the length of the log and draws new audit ids, uids, generated names, resource versions, token
signatures and credentials; a few people of it are people nobody saw before. Within a round they stay consistent, so an object
is created, read and deleted under one name. Bytes are replaced and never encoded again: a gigabyte takes seconds.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from anomaly.sources.block import Block
from anomaly.sources.files import open_source

SAMPLE: Final = Path(__file__).parent.parent / "anomaly" / "demo" / "audit.jsonl.zst"
_CHUNK_BYTES: Final = 4 << 20
_NEW_PEOPLE: Final = 3
# The letters and digits of which Kubernetes makes generated names (apimachinery's rand package): no vowels, no words.
_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"

_SIGNATURE, _OWNER, _UUID, _TIME, _VERSION, _HASH, _SUFFIX, _NUMBER, _HEX, _PERSON = range(1, 11)
_TOKENS: Final = re.compile(
    rb"((?<=\.)[\w-]{200,}(?=\"))"
    rb"|(\"username\":\"system:[^\"]*\",\"uid\":\"[^\"]*\")"
    rb"|([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    rb"|(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)"
    rb"|((?<=esourceVersion\":\")\d+|(?<=esourceVersion=)\d+)"
    rb"|((?<=[-\"])[bcdfghjklmnpqrstvwxz2456789]{8,10}(?![a-z0-9]))"
    rb"|((?<=-)[bcdfghjklmnpqrstvwxz2456789]{5}(?![a-z0-9]))"
    rb"|((?<=-)\d{8,10}(?=-))"
    rb"|((?<=\.)18[0-9a-f]{14}(?![0-9a-f]))"
    rb"|([a-z]+(?=@example\.com))"
)


@dataclass(frozen=True, slots=True)
class Made:
    """What was written, and how long it took in seconds."""

    events: int
    bytes: int
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some lines of the log: text that stays, and between it numbers of tokens that change every round."""

    texts: list[bytes]
    tokens: list[int]
    events: int


class _Template:
    """The recorded log, taken apart once."""

    def __init__(self, path: Path) -> None:
        self.tokens: list[tuple[int, bytes]] = []
        self.pieces: list[_Piece] = []
        self._known: dict[bytes, int] = {}
        self._texts: dict[bytes, bytes] = {}
        times: list[bytes] = []
        with open_source(path) as source:
            for block in source.blocks(block_bytes=_CHUNK_BYTES):
                if not isinstance(block, Block):
                    raise ValueError(f"{path} holds a line of {block.length:,} bytes")
                self.pieces.append(self._take_apart(block.data))
                times += re.findall(rb'"requestReceivedTimestamp":"([^".]+)', block.data)
        if not times:
            raise ValueError(f"{path} holds no audit events")
        first, last = (datetime.fromisoformat(edge.decode()) for edge in (min(times), max(times)))
        self.length = last - first + timedelta(seconds=1)
        people = [token for kind, token in self.tokens if kind == _PERSON]
        self.people = sorted(people)
        self.versions = max((int(token) for kind, token in self.tokens if kind == _VERSION), default=0) + 1

    def _take_apart(self, data: bytes) -> _Piece:
        texts: list[bytes] = []
        tokens: list[int] = []
        end = 0
        for match in _TOKENS.finditer(data):
            kind = match.lastindex or 0
            if kind == _OWNER:
                continue
            text = data[end : match.start()]
            texts.append(self._texts.setdefault(text, text))
            tokens.append(self._number(kind, match[0]))
            end = match.end()
        texts.append(data[end:])
        return _Piece(texts, tokens, data.count(b"\n"))

    def _number(self, kind: int, token: bytes) -> int:
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = len(self.tokens)
            self.tokens.append((kind, token))
        return known


def make(
    path_in: Path | str,
    path_out: Path | str,
    bytes_wanted: int,
    seed: int = 1,
    *,
    events_wanted: int | None = None,
) -> Made:
    """This will write about `bytes_wanted` bytes of JSON lines (never more, whole lines), or `events_wanted` if that is fewer.

    The same arguments write the same bytes. Times rise from round to round. Raises SourceUnavailable, OSError, ValueError.
    """
    began = time.perf_counter()
    template = _Template(Path(path_in))
    events = size = rounds = 0
    with open(path_out, "wb") as out:
        for turn, data in _played(template, seed):
            rounds = turn
            kept = _cut(data, bytes_wanted - size, None if events_wanted is None else events_wanted - events)
            out.write(kept)
            size += len(kept)
            events += kept.count(b"\n")
            if len(kept) < len(data) or size == bytes_wanted or events == events_wanted:
                break
    return Made(events, size, rounds, time.perf_counter() - began)


def _played(template: _Template, seed: int) -> Iterator[tuple[int, bytes]]:
    number = 0
    while True:
        fresh = _round(template, number, Random(f"{seed}:{number}"))
        for piece in template.pieces:
            parts = [b""] * (2 * len(piece.texts) - 1)
            parts[::2] = piece.texts
            parts[1::2] = [fresh[token] for token in piece.tokens]
            yield number + 1, b"".join(parts)
        number += 1


def _round(template: _Template, number: int, random: Random) -> list[bytes]:
    """This will return what stands for each token in this round."""
    shift = template.length * number
    newcomers = (
        set(random.sample(template.people, min(_NEW_PEOPLE, len(template.people)))) if number else set()
    )
    return [
        _fresh(kind, token, number, shift, template.versions, newcomers, random)
        for kind, token in template.tokens
    ]


def _fresh(
    kind: int,
    token: bytes,
    number: int,
    shift: timedelta,
    versions: int,
    newcomers: set[bytes],
    random: Random,
) -> bytes:
    if kind == _UUID:
        text = random.randbytes(16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}".encode()
    if kind == _TIME:
        return (datetime.fromisoformat(token.decode()) + shift).isoformat().encode()
    if kind == _VERSION:
        return b"0" if token == b"0" else b"%d" % (int(token) + versions * number)
    if kind in {_HASH, _SUFFIX}:
        return "".join(random.choices(_LETTERS, k=len(token))).encode()
    if kind == _NUMBER:
        return b"%d" % (int(token) + int(shift.total_seconds()))
    if kind == _HEX:
        return b"18" + random.randbytes(7).hex().encode()
    if kind == _SIGNATURE:
        return random.randbytes(len(token)).translate(_BASE64)
    return b"%s%d" % (token, number) if token in newcomers else token


_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" * 4


def _cut(data: bytes, bytes_left: int, events_left: int | None) -> bytes:
    if len(data) > bytes_left:
        data = data[: data.rfind(b"\n", 0, bytes_left) + 1]
    if events_left is not None and data.count(b"\n") > events_left:
        data = b"".join(data.splitlines(keepends=True)[:events_left])
    return data


def main() -> None:
    """This will write a file of realistic events and say what it wrote."""
    parser = argparse.ArgumentParser(description="Write realistic audit events as JSON lines.")
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--megabytes", type=float, default=1000.0, help="how much to write at most, in 10^6 bytes"
    )
    parser.add_argument("--events", type=int, default=None, help="how many events to write at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="the recorded log to play")
    chosen = parser.parse_args()
    made = make(
        chosen.sample, chosen.out, int(chosen.megabytes * 1e6), chosen.seed, events_wanted=chosen.events
    )
    print(
        f"{made.events:,} events, {made.bytes / 1e6:,.1f} MB in {made.rounds} rounds of the log, {made.seconds:.1f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
