"""The API server's own counts of audit events, read from its metrics page (Prometheus text format 0.0.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from anomaly.errors import UsageError

MOST_BYTES: Final = 32 << 20
"""A metrics page of a large kube-apiserver has about 10 MB."""
_LINE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?[ \t]*\Z")
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_EVENTS: Final = "apiserver_audit_event_total"
_ERRORS: Final = "apiserver_audit_error_total"
_LEVELS: Final = "apiserver_audit_level_total"
_REJECTED: Final = "apiserver_audit_requests_rejected_total"
_STARTED: Final = "process_start_time_seconds"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one API server counted since it started. `errors` by plugin are events that were not delivered: `buffered` the buffer
    was full, `webhook` tried five times in vain, `truncate` too large. `started` None when the page does not say."""

    at: datetime
    generated: float
    errors: Mapping[str, float]
    levels: Mapping[str, float]
    rejected: float
    started: datetime | None = None
    instance: str = ""


def read_sample(text: str, at: datetime, instance: str = "") -> Sample:
    """This will read a metrics page, or the lines of it that are about auditing. Raises UsageError when there are none."""
    counts: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        if not line.startswith(("apiserver_audit_", _STARTED)) or not (found := _LINE.match(line)):
            continue
        labels = dict(_LABEL.findall(found[2] or ""))
        try:
            value = float(found[3])
        except ValueError:
            continue
        if isfinite(value) and value >= 0:
            label = str(labels.get("plugin", labels.get("level", "")))
            of = counts.setdefault(found[1], {})
            of[label] = of.get(label, 0.0) + value
    if _EVENTS not in counts:
        raise UsageError(
            f"There is no {_EVENTS} in this.",
            hint="Get the page with `kubectl get --raw /metrics`; it is there once a policy writes events.",
        )
    started = counts.get(_STARTED, {}).get("", 0.0)
    return Sample(
        at,
        sum(counts[_EVENTS].values()),
        counts.get(_ERRORS, {}),
        counts.get(_LEVELS, {}),
        sum(counts.get(_REJECTED, {}).values()),
        datetime.fromtimestamp(started, UTC) if 0 < started < at.timestamp() + 60 else None,
        instance,
    )
