"""What the policy commands read: policies, needs of rules and families, and observed events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from anomaly.cli.invocation import current
from anomaly.errors import SourceUnavailable

if TYPE_CHECKING:
    from anomaly.events.event import Event
    from anomaly.policy.document import Policy
    from anomaly.policy.need import Need
    from anomaly.policy.simulate import Simulation


def read_bytes(path: Path, most: int = 16 << 20) -> bytes:
    """Read a whole file. This will raise SourceUnavailable when it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > most:
        raise SourceUnavailable(f"{path} is larger than {most >> 20} MiB")
    return data


def read_policy(path: Path) -> Policy:
    """Read a policy and tell the server's warnings. This will raise PolicyRefused with the server's words."""
    from anomaly.policy.parse import PolicyRefused, read

    reading = read(read_bytes(path), path.name)
    say_all(reading.warnings)
    if reading.policy is None:
        raise PolicyRefused(reading)
    return reading.policy


def read_needs(rules: Path | None, keep: list[str] | None) -> list[Need]:
    """Read the needs of rules and families. This will be those of the named ones only, when `keep` names some."""
    from anomaly.policy.wanted import needs_of
    from anomaly.rules import load, pack

    return needs_of(pack() if rules is None else load(rules), keep)


def read_events(source: str) -> Iterator[tuple[Event, bytes]]:
    """Read observed events with their raw bytes, whatever shape their source gave them."""
    from anomaly.events.decode import decode_lines
    from anomaly.sources.block import Oversized
    from anomaly.sources.files import logs_of, open_source
    from anomaly.sources.unwrap import normalise

    rejects = 0
    for name in logs_of(source):
        with open_source(name) as file:
            for block in file.blocks():
                if isinstance(block, Oversized):
                    rejects += 1
                    continue
                decoded = decode_lines(normalise(block.data))
                rejects += len(decoded.rejects)
                yield from zip(decoded.events, decoded.raws, strict=True)
    if rejects:
        current().say(f"{rejects:,} lines are no audit events and were left out.")


def simulated(
    policy: Policy, events: Iterable[tuple[Event, bytes]], sample: list[bytes] | None = None, most: int = 0
) -> Simulation:
    """Run a policy over observed events. This will keep the first raw events in `sample`, up to `most` bytes."""
    from anomaly.policy.simulate import Simulator

    simulator = Simulator(policy)
    taken = 0
    for event, raw in events:
        simulator.add(event, len(raw))
        if sample is not None and taken < most:
            sample.append(raw)
            taken += len(raw)
    return simulator.result


def say_all(messages: Iterable[str]) -> None:
    """Tell each message to the person at the terminal."""
    for message in messages:
        current().say(message)
