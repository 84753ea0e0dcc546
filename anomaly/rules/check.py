"""`anomaly rules check`: a rule held against the schema of audit events, so that none is silently blind.

Parsing finds unknown fields and broken syntax; this adds what parses and is still wrong: values a field never holds, types
that cannot meet, selections that nothing meets or everything does, names that lead nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sigma.rule import SigmaDetectionItem

from anomaly.errors import RuleInvalid
from anomaly.events.shape import DECISION
from anomaly.rules.correlation import Correlation, Kind
from anomaly.rules.cost import too_dear
from anomaly.rules.detection import POLICY, item_tree
from anomaly.rules.document import Data, Document, Where, read_file
from anomaly.rules.fields import Field, field_of
from anomaly.rules.pack import name_of, rule_files, rule_set
from anomaly.rules.parse import parse_document
from anomaly.rules.problem import Gravity, Problem, RuleFileInvalid, closest
from anomaly.rules.resources import GROUPS, SUBRESOURCES, TEXTS, plural, split_text
from anomaly.rules.rule import Rule
from anomaly.rules.tree import Never, Node, atoms
from anomaly.rules.value import Op, Test, number_of, predicate
from anomaly.rules.worlds import certain, impossible

MAX_PROBLEMS: Final = 200
"""Problems told of one document; who has so many fixes the first ones first."""
_NUMERIC: Final = frozenset({Op.LT, Op.LTE, Op.GT, Op.GTE})
_TIMES: Final = frozenset({Op.MINUTE, Op.HOUR, Op.DAY, Op.WEEK, Op.MONTH, Op.YEAR})
_PLAIN: Final = frozenset({Op.EQUALS, Op.CASED})


def check_path(path: Path) -> tuple[list[Rule | Correlation], list[Problem]]:
    """This will check the rule files at a path: the rules that can be used, and every problem, sorted by place.

    Raises SourceUnavailable when there is nothing to read.
    """
    found: list[Rule | Correlation] = []
    problems: list[Problem] = []
    for file in rule_files(path):
        try:
            documents = read_file(file)
        except RuleFileInvalid as error:
            problems.extend(error.problems)
            continue
        rules, faults = check_documents(documents)
        found.extend(rules)
        problems.extend(faults)
    try:
        rule_set(found)
    except RuleInvalid as error:
        problems.append(Problem(path.as_posix(), 0, 0, str(error), error.hint or ""))
    return found, sorted(problems)


def check_documents(documents: list[Document]) -> tuple[list[Rule | Correlation], list[Problem]]:
    """This will check the documents of one file; references to rules of other files are not looked at here."""
    found: list[Rule | Correlation] = []
    problems: list[Problem] = []
    dear = too_dear(documents)
    if dear is not None:
        return [], [dear]
    for position, document in enumerate(documents):
        remarks = item_problems(document)
        problems.extend(remarks)
        try:
            one = parse_document(document, name_of(document, position, len(documents)))
        except RuleFileInvalid as error:
            problems.extend(error.problems)
            continue
        found.append(one)
        if isinstance(one, Rule):
            wrong = frozenset(remark.line for remark in remarks if remark.gravity is Gravity.ERROR)
            problems.extend(rule_problems(document, one, wrong))
        else:
            problems.extend(correlation_problems(document, one))
    return found, problems


def item_problems(document: Document) -> list[Problem]:
    """This will check every line of every selection by itself: values, types, names of resources and verbs."""
    data = document.data
    detection = data.get("detection") if isinstance(data, dict) else None
    if not isinstance(detection, dict):
        return []
    found: list[Problem] = []
    for name, selection in detection.items():
        if name != "condition":
            for where, key, value in _items(("detection", name), selection):
                found.extend(_item_problems(document, where, key, value))
                if len(found) >= MAX_PROBLEMS:
                    return found[:MAX_PROBLEMS]
    return found


def _items(where: Where, selection: Data) -> Iterator[tuple[Where, str, Data]]:
    if isinstance(selection, dict):
        for key, value in selection.items():
            yield (*where, key), key, value
    elif isinstance(selection, list):
        for index, item in enumerate(selection):
            if isinstance(item, dict | list):
                yield from _items((*where, index), item)


def _item_problems(document: Document, where: Where, key: str, value: Any) -> list[Problem]:
    field = field_of(key.split("|")[0])
    if field is None:
        return []
    values = value if isinstance(value, list) else [value]
    found: list[Problem] = []
    for index, one in enumerate(values):
        try:
            tree = item_tree(SigmaDetectionItem.from_mapping(key, one, None, POLICY))
        except Exception:
            return found  # parsing has reported it
        if len(found) >= MAX_PROBLEMS:
            return found
        place = (*where, index) if isinstance(value, list) else where
        for atom in atoms(tree.part if isinstance(tree, Never) else tree):
            fault = _fault(field, atom.test, one)
            if fault:
                found.append(_problem(document, place, fault))
                break
    return found


def _problem(document: Document, where: Where, fault: tuple[Gravity, str, str]) -> Problem:
    gravity, message, hint = fault
    line, column = document.place(where)
    return Problem(document.file, line, column, message, hint, gravity)


def _fault(field: Field, test: Test, written: Data) -> tuple[Gravity, str, str] | None:
    """What is wrong with one value: how grave, what, and what to write instead."""
    for judge in (_type_fault, _closed_fault, _resource_fault):
        fault = judge(field, test, written)
        if fault:
            return fault
    return None


def _type_fault(field: Field, test: Test, written: Data) -> tuple[Gravity, str, str] | None:
    error, name, op = Gravity.ERROR, field.name, test.op
    if op in _TIMES and field.type != "time":
        return error, f"{name} is no time", "requestReceivedTimestamp and stageTimestamp are"
    if op is Op.NETWORK and field.type not in {"address", "any"}:
        return error, f"{name} holds no addresses", "sourceIPs and address do"
    if op in _NUMERIC and field.type not in {"int", "any"}:
        return error, f"{name} is no number, so it cannot be compared with one", ""
    if field.type == "object" and op not in {Op.EXISTS, Op.ABSENT}:
        return error, f"{name} is an object; only `exists` can be asked of it", "name a field inside it"
    if field.type == "int" and op in _PLAIN and number_of(test.operands[0]) is None:
        hint = (
            "annotations.authorization.k8s.io/decision: allow or forbid"
            if _is_decision(written)
            else "as in 403"
        )
        return error, f"{name} is a number, and {str(written)[:40]!r} is none", hint
    if field.type == "int" and op in _PLAIN and isinstance(written, str):
        return (
            Gravity.WARNING,
            f"{name} is a number; {written[:40]!r} is text",
            f"write {written[:40]} without quotes",
        )
    if field.type == "bool" and op in _PLAIN and test.operands[0] not in {"true", "false"}:
        return error, f"{name} is true or false, never {str(written)[:40]!r}", ""
    return None


def _is_decision(written: Data) -> bool:
    return str(written).casefold() in {"allow", "deny", "forbid"}


def _closed_fault(field: Field, test: Test, written: Data) -> tuple[Gravity, str, str] | None:
    if not field.closed or test.op in {Op.EXISTS, Op.ABSENT}:
        return None
    if any(predicate(test)((value,)) for value in field.closed):
        return None
    text = str(written)
    hint = closest(text, field.closed) or f"it is one of {', '.join(field.closed)}"
    if field.name == "verb" and text.casefold() in SUBRESOURCES:
        hint = f"{text} is a subresource: resource: pods/{text}, verb: [get, create]"
    if field.name in {"decision", f"annotations.{DECISION}"} and text.casefold() in {"deny", "denied"}:
        hint = "kube-apiserver writes forbid"
    return Gravity.ERROR, f"{field.name} never is {text[:60]!r}", hint


def _resource_fault(field: Field, test: Test, written: Data) -> tuple[Gravity, str, str] | None:
    if test.op not in _PLAIN or not isinstance(written, str):
        return None
    text = written.casefold()
    if field.name == "objectRef.resource":
        if "/" in text:
            first, _, rest = text.partition("/")
            return (
                Gravity.ERROR,
                f"objectRef.resource never holds a slash, as {written[:60]!r} does",
                (f"resource: {first}/{rest}, or objectRef.subresource: {rest}"),
            )
        if text not in GROUPS and plural(text):
            return (
                Gravity.ERROR,
                f"objectRef.resource never is {written[:60]!r}",
                f"did you mean {plural(text)}?",
            )
        if text not in GROUPS and closest(text, GROUPS):
            return (
                Gravity.WARNING,
                f"{written[:60]!r} is no resource of Kubernetes itself",
                closest(text, GROUPS),
            )
    if field.name == "resource":
        return _text_fault(written)
    if (
        field.name in {"objectRef.subresource", "subresource"}
        and text not in SUBRESOURCES
        and closest(text, SUBRESOURCES)
    ):
        return (
            Gravity.WARNING,
            f"{written[:60]!r} is no subresource of Kubernetes itself",
            closest(text, SUBRESOURCES),
        )
    return None


def _text_fault(written: str) -> tuple[Gravity, str, str] | None:
    group, name, sub = split_text(written.casefold())
    if not group and name in GROUPS and "" not in GROUPS[name]:
        meant = f"{GROUPS[name][0]}/{name}" + (f"/{sub}" if sub else "")
        return (
            Gravity.ERROR,
            f"resource never is {written[:80]!r}: it begins with the group",
            f"did you mean {meant}?",
        )
    if not group and name not in GROUPS and plural(name):
        return Gravity.ERROR, f"resource never is {written[:80]!r}", f"did you mean {plural(name)}?"
    known = f"{group}/{name}".lstrip("/") in TEXTS or not group
    if known and written.casefold() not in TEXTS and closest(written, TEXTS):
        return (
            Gravity.WARNING,
            f"{written[:80]!r} is nothing Kubernetes itself serves",
            closest(written, TEXTS),
        )
    return None


def rule_problems(document: Document, rule: Rule, known: frozenset[int] = frozenset()) -> list[Problem]:
    """This will check a rule as a whole: dead and always-true selections, selections that nothing refers to.

    `known` are lines with errors already: a selection they make dead is not reported again.
    """
    found: list[Problem] = []
    used = _referenced(document.data["detection"]["condition"], rule.selections)  # type: ignore[index, call-overload]
    for name, tree in rule.selections.items():
        where: Where = ("detection", name)
        if name not in used:
            found.append(
                document.problem(where, f"selection {name!r} is used nowhere in the condition", "remove it")
            )
        verdict = _verdict(tree)
        if verdict and not any(line in known for line in _lines(document, where)):
            found.append(document.problem(where, f"selection {name!r} {verdict[0]}", verdict[1]))
    if not found and not known:
        verdict = _verdict(rule.condition)
        if verdict:
            found.append(
                document.problem(("detection", "condition"), f"the condition {verdict[0]}", verdict[1])
            )
    found.extend(_logsource_problems(document))
    return found


def _lines(document: Document, where: Where) -> Iterator[int]:
    return (line for path, (line, _) in document.places.items() if path[: len(where)] == where)


def _verdict(tree: Node) -> tuple[str, str] | None:
    if impossible(tree):
        return "can never hold: its parts contradict each other", "see which values go together"
    if certain(tree):
        return "always holds", "it says nothing; remove it or say what it must be"
    return None


def _referenced(condition: Any, selections: dict[str, Node]) -> set[str]:
    text = " ".join(map(str, condition)) if isinstance(condition, list) else str(condition)
    used: set[str] = set()
    for quantity, pattern in re.findall(r"\b(1|any|all)\s+of\s+([\w*]+)", text):
        shape = re.compile(".*" if pattern == "them" else re.escape(pattern).replace(r"\*", ".*"))
        used |= {name for name in selections if quantity and shape.fullmatch(name)}
    return used | (set(re.findall(r"[\w-]+", text)) & set(selections))


def _logsource_problems(document: Document) -> list[Problem]:
    source = document.data.get("logsource") if isinstance(document.data, dict) else None
    if not isinstance(source, dict):
        fault = (
            Gravity.NOTE,
            "the rule has no logsource",
            "logsource: {product: kubernetes, service: audit}",
        )
        return [_problem(document, ("title",), fault)]
    if source.get("product", "kubernetes") != "kubernetes":
        fault = (Gravity.WARNING, f"the rule is for {str(source['product'])[:40]!r}, not for kubernetes", "")
        return [_problem(document, ("logsource",), fault)]
    return []


def correlation_problems(document: Document, correlation: Correlation) -> list[Problem]:
    """This will check a correlation: thresholds that always or never hold."""
    where: Where = ("correlation", "condition")
    if correlation.expression is not None:
        return []
    most = len(correlation.rules) if correlation.kind in {Kind.TEMPORAL, Kind.TEMPORAL_ORDERED} else 1_000_000
    held = {
        number
        for number in {1, 2, int(correlation.threshold), most}
        if number <= most and correlation.holds(number)
    }
    if not held:
        return [document.problem(where, "the condition of the correlation can never hold", "")]
    if correlation.holds(1) and correlation.compare in {"gt", "gte"}:
        fault = (Gravity.WARNING, "one match is enough for this correlation", "the rule alone says the same")
        return [_problem(document, where, fault)]
    return []
