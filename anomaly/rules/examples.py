"""Examples beside a rule: short events spelt out to whole audit events, each told whether the rule must fire.

A short event takes the arguments of `anomaly.testing.raw_event` (`resource`, `verb`, `by`, `namespace`, `name`, `code`,
`body` ...); `audit` gives a whole audit event instead. `events` with several of them, `at` in seconds, is for correlations.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from anomaly.events.event import Event
from anomaly.rules.document import Data, Document, Where
from anomaly.rules.problem import Problem, closest
from anomaly.rules.rule import Example
from anomaly.testing import raw_event

_SHORT: Final = inspect.signature(raw_event).parameters.values()
KNOWN: Final = frozenset(
    (*(given.name for given in _SHORT if given.kind is not given.VAR_KEYWORD), *Event.__struct_fields__)
)
MAX_EVENTS: Final = 2_000


def read_examples(document: Document, data: dict[str, Data], problems: list[Problem]) -> tuple[Example, ...]:
    """This will read the `tests` of a rule; what is wrong is appended to `problems`."""
    tests = data.get("tests")
    if tests is None:
        return ()
    if not isinstance(tests, dict) or not set(tests) <= {"firing", "quiet"}:
        problems.append(
            document.problem(("tests",), "tests hold `firing` and `quiet`, each a list of events")
        )
        return ()
    found: list[Example] = []
    for kind, listed in tests.items():
        if not isinstance(listed, list):
            problems.append(document.problem(("tests", kind), f"{kind} must be a list of events"))
            continue
        for index, item in enumerate(listed):
            example = _example(document, ("tests", kind, index), item, problems)
            if example is not None:
                found.append(example)
    return tuple(found)


def _example(document: Document, where: Where, item: Data, problems: list[Problem]) -> Example | None:
    if not isinstance(item, dict):
        problems.append(
            document.problem(where, "an example is a mapping, as in {resource: pods/exec, verb: create}")
        )
        return None
    about = str(item.get("about", ""))
    rest = {key: value for key, value in item.items() if key != "about"}
    several = rest.get("events", [rest])
    if not isinstance(several, list) or ("events" in rest and len(rest) > 1):
        problems.append(document.problem(where, "`events` stands alone and is a list of events"))
        return None
    events: list[bytes] = []
    for one in several:
        made = _event(document, where, one, problems)
        if made is None:
            return None
        events.extend(made)
        if len(events) > MAX_EVENTS:
            problems.append(document.problem(where, f"an example holds at most {MAX_EVENTS:,} events"))
            return None
    line, _ = document.place(where)
    return Example(about, tuple(events), where[1] == "firing", line)


def _event(document: Document, where: Where, item: Data, problems: list[Problem]) -> list[bytes] | None:
    """One event, or `times` of them, `every` seconds after one another."""
    if not isinstance(item, dict):
        problems.append(document.problem(where, "an event is a mapping"))
        return None
    if "audit" in item:
        return [msgspec.json.encode(item["audit"])]
    given: dict[str, Any] = dict(item)
    times, every = given.pop("times", 1), given.pop("every", 1)
    for key in given:
        if key not in KNOWN:
            problems.append(
                document.problem((*where, key), f"unknown part {key!r} of an event", closest(key, KNOWN))
            )
            return None
    if not isinstance(times, int) or not 1 <= times <= MAX_EVENTS or not isinstance(every, int | float):
        problems.append(
            document.problem(where, f"times must be 1 to {MAX_EVENTS:,}, every a number of seconds")
        )
        return None
    try:
        start = float(given.pop("at", 0))
        return [raw_event(**given, at=start + index * every) for index in range(times)]
    except (TypeError, ValueError, AttributeError) as error:
        problems.append(document.problem(where, f"no event can be made of this: {error}"))
        return None
