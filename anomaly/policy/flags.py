"""The API server's audit flags: what stops it, what records nothing, and what loses events. Measured on v1.36.2."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from anomaly.policy import known
from anomaly.policy.remark import Remark, Severity, in_order

_BATCH: Final = ("buffer-size", "max-size", "max-wait", "throttle-burst", "throttle-enable", "throttle-qps")
_TRUNCATE: Final = ("enabled", "max-batch-size", "max-event-size")
_BOTH: Final = (
    "mode",
    "version",
    *(f"batch-{name}" for name in _BATCH),
    *(f"truncate-{name}" for name in _TRUNCATE),
)
FLAGS: Final = frozenset(
    {"audit-policy-file", "audit-webhook-config-file", "audit-webhook-initial-backoff"}
    | {
        f"audit-log-{name}"
        for name in ("path", "format", "maxage", "maxbackup", "maxsize", "compress", *_BOTH)
    }
    | {f"audit-webhook-{name}" for name in _BOTH}
)
MODES: Final = ("batch", "blocking", "blocking-strict")
FORMATS: Final = ("legacy", "json")
_STOPS: Final = "kube-apiserver ends with exit code 1"
_FLAG: Final = re.compile(r"--(audit-[a-z-]+)(?:=(.*))?\Z")
_NO_URL_IS_LARGER: Final = 4 << 20
"""The server takes 1 MiB of headers and URL, which escaping makes three times as long at most."""
_CIS: Final = (("audit-log-maxage", 30), ("audit-log-maxbackup", 10), ("audit-log-maxsize", 100))


def flags_from(text: str) -> dict[str, tuple[str, int]]:
    """This will find `--audit-…` flags in a command line, a unit file or a pod manifest: name to value and line."""
    flags: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line)
        for position, word in enumerate(words):
            match = _FLAG.match(word)
            if match is None:
                continue
            following = words[position + 1] if position + 1 < len(words) else ""
            value = match[2] if match[2] is not None else "" if following.startswith("-") else following
            flags[match[1]] = (value, number)
    return flags


def lint_flags(text: str) -> list[Remark]:
    """This will return all remarks on the audit flags found in a text, by line."""
    flags = flags_from(text)
    return in_order([*_unknown(flags), *_values(flags), *_missing(flags), *_delivery(flags), *_files(flags)])


def _words(line: str) -> list[str]:
    bare = line.strip().removeprefix("- ").rstrip("\\").strip()
    try:
        words = shlex.split(bare, comments=True)
    except ValueError:
        words = bare.split()
    return [word.strip("\"',[]") for word in words]


def _unknown(flags: dict[str, tuple[str, int]]) -> Iterator[Remark]:
    for name, (_, line) in flags.items():
        if name in FLAGS:
            continue
        near = known.close(name, FLAGS)
        remedy = f"did you mean --{near}?" if near else "remove it; dynamic auditing is gone since v1.19"
        yield Remark("unknown-flag", Severity.ERROR, line, f"unknown flag: --{name}", _STOPS, remedy)


def _values(flags: dict[str, tuple[str, int]]) -> Iterator[Remark]:
    for name, (value, line) in flags.items():
        if name == "audit-log-format" and value not in FORMATS:
            says = f'invalid audit log format {value}, allowed formats are "{",".join(FORMATS)}"'
            yield Remark("refused", Severity.ERROR, line, says, _STOPS, "write --audit-log-format=json")
        elif name == "audit-log-format" and value == "legacy":
            effect = "lines of text hold who, what and when only: no bodies, codes or annotations"
            yield Remark(
                "legacy-format",
                Severity.WARNING,
                line,
                "the log is in the legacy format",
                effect,
                "write json",
            )
        elif name.endswith("-mode") and value not in MODES:
            which = "log" if "log" in name else "webhook"
            says = f'invalid audit {which} mode {value}, allowed modes are "{",".join(MODES)}"'
            remedy = f"did you mean {known.close(value, MODES) or 'batch'}?"
            yield Remark("refused", Severity.ERROR, line, says, _STOPS, remedy)
        elif name.endswith("-version") and value != "audit.k8s.io/v1":
            yield Remark(
                "refused",
                Severity.ERROR,
                line,
                f"--{name} {value!r} is no version",
                _STOPS,
                "write audit.k8s.io/v1",
            )


def _missing(flags: dict[str, tuple[str, int]]) -> Iterator[Remark]:
    if not flags:
        yield Remark(
            "no-flags",
            Severity.ERROR,
            1,
            "there are no audit flags",
            "nothing is recorded",
            "see `anomaly policy webhook generate`",
        )
        return
    if "audit-policy-file" not in flags:
        effect = "backends are set up but nothing is recorded; the server only says so at log level 2"
        yield Remark(
            "no-policy-file",
            Severity.ERROR,
            1,
            "--audit-policy-file is missing",
            effect,
            "add --audit-policy-file=FILE",
        )
    backends = {"audit-log-path", "audit-webhook-config-file"} & set(flags)
    if not backends:
        yield Remark(
            "no-backend",
            Severity.ERROR,
            1,
            "neither a log nor a webhook is given",
            "events go nowhere",
            "add --audit-webhook-config-file=FILE",
        )
    webhook = [name for name in flags if name.startswith("audit-webhook-")]
    if webhook and "audit-webhook-config-file" not in flags:
        line = flags[webhook[0]][1]
        yield Remark(
            "no-webhook",
            Severity.ERROR,
            line,
            "webhook flags without --audit-webhook-config-file",
            "nothing is sent",
            "add --audit-webhook-config-file=FILE",
        )
    if backends == {"audit-webhook-config-file"}:
        effect = "what the webhook drops (full buffer, sink away for 91 s, kill -9) is gone: only the file is a complete record"
        yield Remark(
            "no-log-file",
            Severity.WARNING,
            1,
            "there is no --audit-log-path beside the webhook",
            effect,
            "add --audit-log-path=FILE",
        )


def _delivery(flags: dict[str, tuple[str, int]]) -> Iterator[Remark]:
    mode, line = flags.get("audit-webhook-mode", ("batch", 1))
    if mode in {"blocking", "blocking-strict"}:
        fails = "fail with 500" if mode == "blocking-strict" else "wait (8.9 s measured)"
        effect = f"while the sink is slow or away, requests to the API server {fails}"
        yield Remark(
            "webhook-blocks",
            Severity.ERROR,
            line,
            f"the webhook's mode is {mode}",
            effect,
            "use batch, and the log file for completeness",
        )
    backoff, line = flags.get("audit-webhook-initial-backoff", ("10s", 1))
    if _seconds(backoff) < 10:
        effect = "five attempts are over sooner: with 1s a batch is dropped after 9.5 s, with 10s after 91 s"
        yield Remark(
            "short-backoff",
            Severity.WARNING,
            line,
            f"initial backoff is {backoff}",
            effect,
            "leave the default of 10s",
        )
    for name in ("audit-webhook-batch-buffer-size",):
        value, line = flags.get(name, ("10000", 1))
        if value.isdigit() and int(value) < 10_000:
            effect = "when it is full events are dropped without the sink seeing a gap; only apiserver_audit_error_total counts them"
            yield Remark(
                "small-buffer",
                Severity.WARNING,
                line,
                f"the buffer holds {value} events",
                effect,
                "leave the default of 10000, or more",
            )
    truncate, line = flags.get("audit-webhook-truncate-enabled", ("false", 1))
    largest = flags.get("audit-webhook-truncate-max-event-size", ("", 1))[0]
    roomy = largest.isdigit() and int(largest[:12]) >= _NO_URL_IS_LARGER
    if truncate in {"true", ""} and "audit-webhook-truncate-enabled" in flags and not roomy:
        effect = "bodies of events over the limit (100 kB by default) are cut, and an event still larger is dropped from every backend: an attacker can hide behind a long URL"
        yield Remark(
            "truncation",
            Severity.INFO,
            line,
            "truncation is on",
            effect,
            'allow --audit-webhook-truncate-max-event-size=4194304, and watch apiserver_audit_error_total{plugin="truncate"}',
        )


def _files(flags: dict[str, tuple[str, int]]) -> Iterator[Remark]:
    if "audit-log-path" not in flags:
        return
    for name, least in _CIS:
        value, line = flags.get(name, ("", 1))
        if value.isdigit() and 0 < int(value) < least:
            effect = f"the complete record is gone sooner than CIS asks ({least})"
            yield Remark(
                "short-log", Severity.WARNING, line, f"--{name} is {value}", effect, f"write {least} or more"
            )


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    try:
        return sum(float(number) * units[unit] for number, unit in parts) if parts else 10.0
    except ValueError:
        return 10.0
