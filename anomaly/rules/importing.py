"""Sigma rules of others: mended where they use names or values that audit events do not have, then checked like ours.

What was mended is said in notes, with the place, so that an author can carry it home. Nothing is guessed beyond the tables
here: what stays wrong is an error of the check.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from anomaly.events.shape import DECISION
from anomaly.rules.check import check_documents
from anomaly.rules.correlation import Correlation
from anomaly.rules.document import Data, Document, Where, read_file
from anomaly.rules.fields import field_of
from anomaly.rules.mistakes import RENAMED
from anomaly.rules.pack import rule_files
from anomaly.rules.podschema import POD
from anomaly.rules.problem import Gravity, Problem, RuleFileInvalid
from anomaly.rules.resources import GROUPS, plural
from anomaly.rules.rule import Rule

_DECISIONS: Final = {
    "allow": "allow",
    "deny": "forbid",
    "denied": "forbid",
    "forbid": "forbid",
    "forbidden": "forbid",
}
_BODIES: Final = re.compile(
    r"requestObject[.](?:spec[.](?:jobTemplate[.]spec[.])?(?:template[.]spec[.])?)?(?P<path>.+)"
)
_FOLDED: Final = {name.casefold(): real for name, real in RENAMED.items()}


@dataclass(frozen=True, slots=True)
class Imported:
    """A file after mending: what can be used, what was mended (notes) or is wrong, and the mended text to keep."""

    file: str
    rules: tuple[Rule | Correlation, ...]
    problems: tuple[Problem, ...]
    text: str

    @property
    def usable(self) -> bool:
        """It holds a rule, and nothing in it is wrong."""
        return bool(self.rules) and not any(problem.gravity is Gravity.ERROR for problem in self.problems)


def import_path(path: Path) -> list[Imported]:
    """This will mend and check the rule files at a path. Raises SourceUnavailable when there are none."""
    return [_import(file) for file in rule_files(path)]


def _import(file: Path) -> Imported:
    try:
        documents = read_file(file)
    except RuleFileInvalid as error:
        return Imported(file.as_posix(), (), error.problems, "")
    notes: list[Problem] = []
    mended = [mend(document, notes) for document in documents]
    found, problems = check_documents(mended)
    text = yaml.safe_dump_all([one.data for one in mended], sort_keys=False, allow_unicode=True, width=110)
    return Imported(file.as_posix(), tuple(found), tuple(sorted([*notes, *problems])), text)


def mend(document: Document, notes: list[Problem]) -> Document:
    """This will return the document with usual mistakes mended; each is appended to `notes`."""
    data = deepcopy(document.data)
    mended = Document(document.file, data, dict(document.places))
    detection = data.get("detection") if isinstance(data, dict) else None
    if isinstance(detection, dict):
        for name in detection:
            if name != "condition":
                detection[name] = _selection(mended, ("detection", name), detection[name], notes)
    return mended


def _selection(document: Document, where: Where, selection: Data, notes: list[Problem]) -> Data:
    if isinstance(selection, list):
        return [_selection(document, (*where, index), item, notes) for index, item in enumerate(selection)]
    if not isinstance(selection, dict):
        return selection
    result: dict[str, Data] = {}
    for key, value in selection.items():
        new_key, new_value, note = _item(key, value)
        if note:
            line, column = document.place((*where, key))
            notes.append(Problem(document.file, line, column, note, gravity=Gravity.NOTE))
        document.places.setdefault((*where, new_key), document.place((*where, key)))
        if new_key in result:
            new_key, new_value = _together(key, new_key, result, new_value)
        result[new_key] = new_value
    return result


def _together(old: str, key: str, result: dict[str, Data], second: Data) -> tuple[str, Data]:
    """Two names of one field: both held, so both must hold. Of two lists that cannot be said, and the old name stays wrong."""
    if isinstance(result[key], list | dict) or isinstance(second, list | dict):
        return old, second
    return f"{key}|all", [result.pop(key), second]


def _item(key: str, value: Data) -> tuple[str, Data, str]:
    name, bar, modifiers = key.partition("|")
    decision = _decision(name, value)
    if decision is not None:
        real = f"annotations.{DECISION}"
        return f"{real}{bar}{modifiers}", decision, f"{name}: {value} is the authorizer's decision, so {real}"
    real = _renamed(name, value)
    if real != name:
        note = f"{name} is no field of an audit event; taken as {real}"
        if _sees_existence(real, modifiers, value):
            return f"{real}|exists", True, f"{note}, which must be there"
        return f"{real}{bar}{modifiers}", _cased(real, value), note
    if name == "objectRef.resource" and not modifiers:
        return _resource(key, value)
    return key, value, ""


def _decision(name: str, value: Data) -> Data:
    """An HTTP code cannot be ALLOW; and an authorizer never writes deny."""
    words = [str(one).casefold() for one in (value if isinstance(value, list) else [value])]
    asked = name in {"responseStatus.code", "responseStatus", "decision", f"annotations.{DECISION}"}
    if not asked or not words or not all(word in _DECISIONS for word in words):
        return None
    known: list[Data] = [_DECISIONS[word] for word in words]
    return None if known == words and name.endswith("decision") else known[0] if len(known) == 1 else known


def _renamed(name: str, value: Data) -> str:
    if not name or field_of(name) is not None:
        return _pod_path(name)
    real = _FOLDED.get(name.casefold(), name)
    return real if field_of(real) is not None else name


def _pod_path(name: str) -> str:
    """`requestObject.spec.hostPID` reads pods alone; the same below `pod.` reads every workload and every kind of container."""
    found = _BODIES.fullmatch(name)
    if found is None:
        return name
    path = found["path"].replace("[*]", "[]")
    known = next((one for one in POD if one.replace("[]", "") == path.replace("[]", "")), None)
    return f"pod.{known}" if known else name


def _sees_existence(real: str, modifiers: str, value: Data) -> bool:
    return real == "pod.volumes[].hostPath.path" and not modifiers and value in (True, "*", "true")


def _cased(real: str, value: Data) -> Data:
    """Capabilities are written without CAP_ in a pod."""
    if real.endswith("capabilities.add") and isinstance(value, list):
        return [str(one).removeprefix("CAP_") for one in value]
    return (
        value.removeprefix("CAP_") if real.endswith("capabilities.add") and isinstance(value, str) else value
    )


def _resource(key: str, value: Data) -> tuple[str, Data, str]:
    """Kinds and singulars become plurals; `pods/exec` becomes the combined field."""
    listed = value if isinstance(value, list) else [value]
    texts = [one for one in listed if isinstance(one, str)]
    if len(texts) != len(listed):
        return key, value, ""
    if texts and all("/" in text for text in texts):
        return (
            "resource",
            value,
            f"objectRef.resource never holds a slash; {', '.join(texts)} taken as resource",
        )
    known: list[Data] = [
        text if text.casefold() in GROUPS or not plural(text) else plural(text) for text in texts
    ]
    if known == list(texts):
        return key, value, ""
    return (
        key,
        known if isinstance(value, list) else known[0],
        f"resources are plural: {', '.join(texts)} mended",
    )
