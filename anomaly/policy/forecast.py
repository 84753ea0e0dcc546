"""What a policy costs a day: events, bytes and disk, from traffic that was observed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import zstandard

from anomaly.errors import UsageError
from anomaly.policy.simulate import Simulation, Tally

DAY: Final = 86_400.0
SAMPLE_BYTES: Final = 8 << 20
"""Compression is measured on this much of the observed events."""
SHORTEST: Final = 60.0
"""Seconds of traffic below which a day cannot be told."""


@dataclass(frozen=True, slots=True)
class Daily:
    """One line of the forecast. `disk` is bytes a day after compression; `rule` None is the sum, or what no rule matches."""

    name: str
    rule: int | None
    events: float
    bytes: float
    disk: float
    at_least: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast with what it rests on. `ratio` is how many times smaller events become."""

    seconds: float
    ratio: float
    total: Daily
    rules: tuple[Daily, ...]
    notes: tuple[str, ...]


def forecast(simulation: Simulation, ratio: float) -> Forecast:
    """This will scale what was observed to a day. Raises UsageError when the events span less than a minute."""
    if simulation.first is None or simulation.last is None:
        raise UsageError("there are no events with a time to forecast from")
    seconds = (simulation.last - simulation.first).total_seconds()
    if seconds < SHORTEST:
        raise UsageError(f"the events span {seconds:.0f} s; a forecast needs at least a minute, better a day")
    scale = DAY / seconds
    rules = tuple(
        _daily("no rule" if rule is None else f"rules[{rule}]", rule, tally, scale, ratio)
        for rule, tally in sorted(simulation.rules.items(), key=lambda item: -item[1].bytes_after)
    )
    notes = list(simulation.notes)
    if seconds < DAY:
        notes.append(
            f"the events span {seconds / 3600:.1f} hours: nights, weekends and batch jobs are not in them"
        )
    return Forecast(seconds, ratio, _daily("all", None, simulation.total, scale, ratio), rules, tuple(notes))


def compression_ratio(raws: Iterable[bytes]) -> float:
    """This will measure how many times smaller events become, on the first megabytes of them (zstd, as the store's files)."""
    compressor = zstandard.ZstdCompressor(level=3).compressobj()
    before = after = 0
    for raw in raws:
        after += len(compressor.compress(raw + b"\n"))
        before += len(raw) + 1
        if before >= SAMPLE_BYTES:
            break
    after += len(compressor.flush())
    return before / after if before else 1.0


def _daily(name: str, rule: int | None, tally: Tally, scale: float, ratio: float) -> Daily:
    size = tally.bytes_after * scale
    return Daily(name, rule, tally.kept * scale, size, size / ratio, tally.unknown > 0)
