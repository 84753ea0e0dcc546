"""Where rules come from: the pack inside the product, a file, a folder."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from anomaly.errors import SourceUnavailable
from anomaly.rules.compile import RuleSet
from anomaly.rules.correlation import Correlation
from anomaly.rules.cost import too_dear
from anomaly.rules.document import Document, read_file, read_text
from anomaly.rules.parse import parse_document
from anomaly.rules.problem import Problem, RuleFileInvalid
from anomaly.rules.rule import Rule

SUFFIXES: Final = (".yml", ".yaml")


def parse_all(documents: Iterable[Document]) -> tuple[list[Rule | Correlation], list[Problem]]:
    """This will parse documents of one file: what can be read, and what is wrong with the others."""
    listed = list(documents)
    found: list[Rule | Correlation] = []
    problems: list[Problem] = []
    dear = too_dear(listed)
    if dear is not None:
        return [], [dear]
    for position, document in enumerate(listed):
        try:
            found.append(parse_document(document, name_of(document, position, len(listed))))
        except RuleFileInvalid as error:
            problems.extend(error.problems)
    return found, problems


def name_of(document: Document, position: int, several: int) -> str:
    """This will return a rule's id: the file's name, or the document's own `name` where a file holds several."""
    stem = Path(document.file).stem
    if several == 1:
        return stem
    own = document.data.get("name") if isinstance(document.data, dict) else None
    return own if isinstance(own, str) and own else f"{stem}-{position + 1}"


def load(path: Path | str) -> RuleSet:
    """This will load the rules of a file, or of all rule files below a folder.

    Raises RuleFileInvalid with every problem found, SourceUnavailable when there is nothing to read.
    """
    found: list[Rule | Correlation] = []
    problems: list[Problem] = []
    for file in rule_files(Path(path)):
        try:
            rules, faults = parse_all(read_file(file))
        except RuleFileInvalid as error:
            problems.extend(error.problems)
            continue
        found.extend(rules)
        problems.extend(faults)
    if problems:
        raise RuleFileInvalid(problems)
    return rule_set(found)


def rule_files(path: Path) -> list[Path]:
    """This will list the rule files at a path, sorted. Raises SourceUnavailable when there are none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SourceUnavailable(f"there is no file or folder {path}")
    listed = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
    if not listed:
        raise SourceUnavailable(f"there are no rule files in {path}", hint="rule files end in .yml or .yaml")
    return listed


def rule_set(found: Iterable[Rule | Correlation]) -> RuleSet:
    """This will put rules and correlations together. Raises RuleInvalid when they do not fit."""
    listed = list(found)
    return RuleSet(
        tuple(one for one in listed if isinstance(one, Rule)),
        tuple(one for one in listed if isinstance(one, Correlation)),
    )


@lru_cache(maxsize=1)
def pack() -> RuleSet:
    """This will load the rules that ship with the product. Raises RuleFileInvalid when one is broken or has no examples."""
    found: list[Rule | Correlation] = []
    problems: list[Problem] = []
    folder = files("anomaly.rules") / "pack"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(SUFFIXES):
            continue
        rules, faults = parse_all(read_text(file.read_text(encoding="utf-8"), f"pack/{file.name}"))
        found.extend(rules)
        problems.extend(faults)
        problems.extend(_untested(rules))
    if problems:
        raise RuleFileInvalid(problems)
    return rule_set(found)


def _untested(rules: Iterable[Rule | Correlation]) -> list[Problem]:
    """A rule of the pack proves itself: firing and quiet examples both, or it does not load."""
    return [
        Problem(rule.card.file, 0, 0, f"{rule.id} has no {kind} example", f"add one under tests: {kind}:")
        for rule in rules
        for kind in ("firing", "quiet")
        if (kind == "firing") not in {example.firing for example in rule.card.examples}
    ]


def joined(sets: Iterable[RuleSet], without: frozenset[str] = frozenset()) -> RuleSet:
    """This will put rule sets together, without the rules named and without correlations that rest on one of these.

    Raises RuleInvalid when two rules have one id.
    """
    listed = list(sets)
    rules = tuple(rule for each in listed for rule in each.rules if rule.id not in without)
    correlations = tuple(
        one
        for each in listed
        for one in each.correlations
        if one.id not in without and not without.intersection(one.rules)
    )
    return RuleSet(rules, correlations)
