"""Durations, sizes and lists as people write them: `90s`, `1h`, `64MiB`, `a,b`."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_duration(value: object) -> object:
    """Read a span of time. This will return a timedelta for `90s`, `15m`, `1h`, `1h30m`, `7d`, `2w` or plain
    seconds.

    Anything that is not a string or number passes through for pydantic to judge. Raises ValueError on other
    words.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    if not isinstance(value, str):
        return timedelta(seconds=value)
    parts = [match.groups() for match in _QUANTITY.finditer(value)]
    spelled = "".join(number + unit for number, unit in parts)
    if not parts or spelled != re.sub(r"\s", "", value):
        raise ValueError("write a duration as 90s, 15m, 1h, 7d or 2w")
    seconds = 0.0
    for number, unit in parts:
        if (unit.lower() or "s") not in _SECONDS or (not unit and len(parts) > 1):
            raise ValueError("write a duration as 90s, 15m, 1h, 7d or 2w")
        seconds += float(number) * _SECONDS[unit.lower() or "s"]
    return timedelta(seconds=seconds)


def parse_size(value: object) -> object:
    """Read a number of bytes. This will return an int for `64MiB`, `2GB`, `512` (bytes); raises ValueError
    otherwise.
    """
    if not isinstance(value, str):
        return value
    match = _QUANTITY.fullmatch(value)
    if match is None or match[2].lower() not in _BYTES:
        raise ValueError("write a size as 512, 64MiB or 2GB")
    return int(float(match[1]) * _BYTES[match[2].lower()])


def parse_list(value: object) -> object:
    """Read several values from one string. This will split `a,b` or decode a JSON list; lists pass."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def parse_table(value: object) -> object:
    """Read names and values from one string. This will split `a=1,b=2` or decode a JSON object; tables pass
    through.
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = json.loads(value)
    elif isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(separator for _, separator, _ in pairs):
            raise ValueError("write name=value,name=value")
        value = {name.strip(): text.strip() for name, _, text in pairs}
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    return value


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if isinstance(value, int | float) else value


def show_duration(value: timedelta) -> str:
    """Write a span of time. This will return the shortest of `7d`, `1h30m`, `1.5s` that `parse_duration`
    reads back.
    """
    seconds = value.total_seconds()
    if seconds != int(seconds):
        return f"{seconds:g}s"
    written, left = "", int(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        written += f"{count}{unit}" if count else ""
    return written or "0s"


def show_size(value: int) -> str:
    """Write a number of bytes. This will return the largest whole unit that `parse_size` reads back, as
    `64MiB`.
    """
    for unit, length in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value and value % length == 0:
            return f"{value // length}{unit}"
    return str(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration, when_used="json"),
]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(show_size, when_used="json")]
Texts = Annotated[tuple[str, ...], BeforeValidator(parse_list)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(parse_list)]
Table = Annotated[dict[str, str], BeforeValidator(parse_table)]
