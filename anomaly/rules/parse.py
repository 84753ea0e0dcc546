"""From a YAML document to a rule: Sigma's keys by pySigma, our own keys beside them, every fault with its place.

Own keys (top level, all optional): `group_by`, `timeframe`, `look_at_first`, `says`, `stages`, `tests`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule

from anomaly.rules.correlation import Correlation, parse_correlation
from anomaly.rules.detection import (
    POLICY,
    DetectionInvalid,
    check_condition,
    condition_tree,
    item_tree,
    selection_tree,
)
from anomaly.rules.document import Data, Document, Where
from anomaly.rules.examples import read_examples
from anomaly.rules.fields import FIELDS, Field, field_of
from anomaly.rules.problem import Problem, RuleFileInvalid, closest
from anomaly.rules.rule import DEFAULT_GROUP, DEFAULT_TIMEFRAME, Card, Rule, Stages
from anomaly.rules.tree import Node, fields_of
from anomaly.rules.words import PLACES, TARGET

OWN_KEYS: Final = ("group_by", "timeframe", "look_at_first", "says", "stages", "tests")
SIGMA_KEYS: Final = (
    *(
        "title",
        "id",
        "name",
        "related",
        "taxonomy",
        "status",
        "description",
        "license",
        "author",
        "references",
    ),
    *("date", "modified", "logsource", "detection", "fields", "falsepositives", "level", "tags", "scope"),
    *("correlation", "custom", "regression_tests_path", "simulation"),
)
SEVERITIES: Final = {
    "informational": "info",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "critical": "critical",
}
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_TECHNIQUE: Final = re.compile(r"t\d{4}(\.\d{3})?")
MAX_TIMEFRAME: Final = 30 * 86400


def parse_document(document: Document, name: str) -> Rule | Correlation:
    """This will read one document as a rule or a correlation called `name`. Raises RuleFileInvalid with all its problems."""
    data = document.data
    if not isinstance(data, dict):
        raise RuleFileInvalid([document.problem((), "a rule is a mapping of keys to values")])
    problems = [
        document.problem((key,), f"unknown key {key!r}", closest(key, (*SIGMA_KEYS, *OWN_KEYS)))
        for key in data
        if key not in SIGMA_KEYS and key not in OWN_KEYS and closest(key, (*SIGMA_KEYS, *OWN_KEYS))
    ]
    card = _card(document, data, name, problems)
    common = _common(document, data, problems)
    parsed: Rule | Correlation | None = None
    try:
        parsed = (
            parse_correlation(document, data, card, **common)
            if "correlation" in data
            else _rule(document, data, card, common)
        )
    except RuleFileInvalid as error:
        problems.extend(error.problems)
    if problems or parsed is None:
        raise RuleFileInvalid(problems)
    return parsed


def _rule(document: Document, data: dict[str, Data], card: Card, common: dict[str, Any]) -> Rule:
    selections, condition = _detection(document, data)
    stages = common.pop("stages")
    if any(field.name == "stage" for field in fields_of(condition)):
        stages = None
    return Rule(card, condition, selections, stages=stages, **common)


def _detection(document: Document, data: dict[str, Data]) -> tuple[dict[str, Node], Node]:
    problems = _detection_faults(document, data)
    if problems:
        raise RuleFileInvalid(problems)
    where: Where = ("detection", "condition")
    try:
        sigma = SigmaRule.from_dict(_for_sigma(data), policy=POLICY)
        selections = {name: selection_tree(one) for name, one in sigma.detection.detections.items()}
        return selections, condition_tree(sigma.detection, selections)
    except DetectionInvalid as error:
        raise RuleFileInvalid([document.problem(where, str(error), error.hint)]) from error
    except SigmaError as error:
        raise RuleFileInvalid([_located(document, data, str(error))]) from error
    except (RecursionError, MemoryError):
        raise RuleFileInvalid([document.problem(where, "the detection is nested too deeply")]) from None
    except Exception as error:  # pySigma meets wrong types with whatever exception comes first
        raise RuleFileInvalid(
            [document.problem(("detection",), f"not a Sigma rule: {str(error)[:200]}")]
        ) from error


def _for_sigma(data: dict[str, Data]) -> dict[str, Any]:
    return {"logsource": {"product": "kubernetes"}, **{key: data[key] for key in data if key in SIGMA_KEYS}}


def _located(document: Document, data: dict[str, Data], message: str) -> Problem:
    """pySigma names the key in its message at best: the longest key named there is the likeliest place."""
    words = {"id": "identifier", "tags": "tags?"}
    named = [
        key for key in data if re.search(rf"\b{words.get(key) or re.escape(key)}\b", message, re.IGNORECASE)
    ]
    place: Where = (max(named, key=len),) if named else ("detection", "condition")
    return document.problem(place, message[:300])


def _detection_faults(document: Document, data: dict[str, Data]) -> list[Problem]:
    """Every line of every selection is tried by itself, so that a fault is reported where it stands, and all at once."""
    detection = data.get("detection")
    if not isinstance(detection, dict):
        return [document.problem(("detection",), "the rule has no detection", "selections and a condition")]
    if "condition" not in detection:
        return [document.problem(("detection",), "the detection has no condition", "condition: selection")]
    found: list[Problem] = []
    conditions = detection["condition"]
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        try:
            check_condition(condition)
        except DetectionInvalid as error:
            found.append(document.problem(("detection", "condition"), str(error), error.hint))
    for name, selection in detection.items():
        if name != "condition":
            found.extend(_selection_faults(document, ("detection", name), selection))
    return found


def _selection_faults(document: Document, where: Where, selection: Any) -> list[Problem]:
    if isinstance(selection, dict) and selection:
        return [
            problem
            for key, value in selection.items()
            for problem in _item_faults(document, (*where, key), key, value)
        ]
    if isinstance(selection, list) and selection and any(isinstance(item, dict | list) for item in selection):
        return [
            problem
            for index, item in enumerate(selection)
            for problem in _selection_faults(document, (*where, index), item)
        ]
    if selection in (None, {}, []):
        return [document.problem(where, f"{where[-1]!r} is empty", "name a field and what it must be")]
    return _tried(
        document, where, lambda: selection_tree(SigmaDetection.from_definition(selection, None, POLICY))
    )


def _item_faults(document: Document, where: Where, key: str, value: Any) -> list[Problem]:
    name = key.split("|")[0]
    if name and field_of(name) is None:
        return [document.problem(where, f"unknown field {name!r}", field_hint(name))]
    if isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(one, dict | list) for one in value)
    ):
        return [
            document.problem(
                where,
                f"{name} must be a value or a list of values",
                "write deeper fields with dots, and quote texts that end in a colon",
            )
        ]
    return _tried(
        document, where, lambda: item_tree(SigmaDetectionItem.from_mapping(key, value, None, POLICY))
    )


def _tried(document: Document, where: Where, attempt: Callable[[], Node]) -> list[Problem]:
    try:
        attempt()
    except DetectionInvalid as error:
        return [document.problem(where, str(error), error.hint)]
    except Exception as error:  # see _detection
        hint = "modifiers: contains, startswith, endswith, all, re, cidr, exists, cased, gt, gte, lt, lte, fieldref ..."
        return [document.problem(where, str(error)[:300], hint if "modifier" in str(error) else "")]
    return []


def field_hint(name: str) -> str:
    """This will suggest what an unknown field may have meant: the real name of a usual mistake, else the nearest name."""
    from anomaly.rules.mistakes import meant

    return meant(name) or closest(name, FIELDS) or "see docs/reference/rule-language.md"


def _card(document: Document, data: dict[str, Data], name: str, problems: list[Problem]) -> Card:
    title = data.get("title")
    if not isinstance(title, str) or not title.strip():
        problems.append(document.problem(("title",), "the rule has no title"))
    level = data.get("level", "medium")
    if level == "info":
        level = "informational"
    if level not in SEVERITIES:
        hint = "one of informational, low, medium, high, critical"
        problems.append(document.problem(("level",), f"{str(level)[:40]!r} is no level", hint))
    tags = _texts(document, data, "tags", problems)
    words = [tag.removeprefix("attack.") for tag in tags if tag.startswith("attack.")]
    own = data.get("name")
    uuid = data.get("id")
    known = frozenset(one for one in (name, own, uuid) if isinstance(one, str))
    return Card(
        id=name,
        title=str(title or name).strip(),
        uuid=str(uuid or ""),
        severity=SEVERITIES.get(str(level), "medium"),
        description=_text(document, data, "description", problems),
        falsepositives=_texts(document, data, "falsepositives", problems),
        look_at_first=_texts(document, data, "look_at_first", problems),
        references=_texts(document, data, "references", problems),
        attack=tuple(word.upper() for word in words if _TECHNIQUE.fullmatch(word.lower())),
        tactics=tuple(word.replace("_", "-") for word in words if not _TECHNIQUE.fullmatch(word.lower())),
        tags=tags,
        names=known,
        file=document.file,
        examples=read_examples(document, data, problems),
    )


def _common(document: Document, data: dict[str, Data], problems: list[Problem]) -> dict[str, Any]:
    fields = []
    for index, name in enumerate(_texts(document, data, "group_by", problems) or DEFAULT_GROUP):
        field = field_of(name)
        if field is None:
            hint = field_hint(name)
            problems.append(document.problem(("group_by", index), f"unknown field {name!r}", hint))
        else:
            fields.append(field)
    return {
        "group_by": tuple(fields),
        "timeframe": _timeframe(document, data.get("timeframe"), problems),
        "stages": _stages(document, data, problems),
        "says": _says(document, data, problems),
    }


def _timeframe(document: Document, value: Data, problems: list[Problem]) -> int:
    if value is None:
        return DEFAULT_TIMEFRAME
    found = re.fullmatch(r"([1-9]\d{0,6})([smhd])", value) if isinstance(value, str) else None
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= MAX_TIMEFRAME:
        hint = "a number and s, m, h or d, at most 30d: 1h"
        problems.append(document.problem(("timeframe",), f"{str(value)[:40]!r} is no time span", hint))
    return seconds or DEFAULT_TIMEFRAME


def _stages(document: Document, data: dict[str, Data], problems: list[Problem]) -> frozenset[Stages]:
    named = _texts(document, data, "stages", problems)
    for index, one in enumerate(named):
        if one not in set(Stages):
            hint = closest(one, Stages) or "one of final, opened, received"
            problems.append(document.problem(("stages", index), f"{one!r} is no stage of a rule", hint))
    return frozenset(Stages(one) for one in named if one in set(Stages)) or frozenset({Stages.FINAL})


def _says(document: Document, data: dict[str, Data], problems: list[Problem]) -> str:
    says = _text(document, data, "says", problems)
    problems.extend(
        document.problem(("says",), f"unknown field {name!r} in says", field_hint(name))
        for name in PLACES.findall(says)
        if name != TARGET and field_of(name) is None
    )
    return says


def _text(document: Document, data: dict[str, Data], key: str, problems: list[Problem]) -> str:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        problems.append(document.problem((key,), f"{key} must be text"))
    return value.strip() if isinstance(value, str) else ""


def _texts(document: Document, data: dict[str, Data], key: str, problems: list[Problem]) -> tuple[str, ...]:
    value = data.get(key)
    if isinstance(value, str):
        value = [value]
    if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        problems.append(document.problem((key,), f"{key} must be a list of texts"))
        return ()
    return tuple(one for one in value or () if isinstance(one, str))


__all__ = ["OWN_KEYS", "SIGMA_KEYS", "Field", "field_hint", "parse_document"]
