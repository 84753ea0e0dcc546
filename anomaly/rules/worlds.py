"""Whether a condition can ever hold, or ever fail: asked of every sort of event there can be.

The fields with few values are tried out, all together, on shapes as the API server writes them (a refused request has a code
of 401 or 403, a RequestReceived has none, only writes of workloads hold a pod spec). For the other fields the tests that
remain are compared with each other. What is called impossible is impossible; what is not, may be.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice, product
from math import prod
from typing import Final

from anomaly.events.event import User
from anomaly.events.identity import identity_of
from anomaly.events.shape import DECISION, Shape
from anomaly.events.workload import WORKLOADS
from anomaly.rules.compile import narrow_knowledge
from anomaly.rules.fields import LEVELS, VERBS, Field
from anomaly.rules.resources import GROUPS, SUBRESOURCES, TEXTS, split_text
from anomaly.rules.tree import Atom, Either, Every, Never, Node, atoms, fields_of, reduce
from anomaly.rules.value import REFERENCES, Op, Test, number_of, predicate
from anomaly.rules.view import Scalar, Values

MAX_WORLDS: Final = 20_000
OTHER: Final = "something-else"
_CODES: Final = (0, 101, 200, 201, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503)
_STAGES: Final = ("ResponseComplete", "ResponseStarted", "RequestReceived", "Panic")
_SINGLE: Final = (
    "objectRef.",
    "user.username",
    "user.uid",
    "address",
    "path",
    "credential",
    "entity.",
    "annotations.",
)
_PLAIN: Final = frozenset({Op.EQUALS, Op.CASED})
_TEXTUAL: Final = frozenset(op for op in Op if op.startswith(("starts", "ends", "contains", "matches")))
_KNOWN: Final[dict[str, Collection[str]]] = {
    "objectRef.resource": GROUPS,
    "objectRef.subresource": SUBRESOURCES,
    "subresource": SUBRESOURCES,
    "objectRef.apiGroup": {group for groups in GROUPS.values() for group in groups},
    "resource": TEXTS,
}
"""Fields of names, with the names Kubernetes itself has."""
MAX_TARGETS: Final = 5_000
OUTCOME_FIELDS: Final = frozenset(
    {"responseStatus.code", "codeClass", "decision", f"annotations.{DECISION}", "allowed", "refused"}
)
"""Fields that tell how a request was answered."""


def impossible(node: Node) -> bool:
    """This will tell whether no event can meet the tree. False also when there are too many sorts to try."""
    return _told(node) and _everywhere(node, dead)


def certain(node: Node) -> bool:
    """This will tell whether every event meets the tree, whatever it holds."""
    if not any(asked.narrow for asked in fields_of(node)):
        return _always(node)
    return _told(node) and _everywhere(node, _always)


def _everywhere(node: Node, verdict: Callable[[Node], bool]) -> bool:
    tried = 0
    for shape in worlds(node):
        tried += 1
        if tried > MAX_WORLDS or not verdict(reduce(node, narrow_knowledge(shape))):
            return False
    return tried > 0


def _told(node: Node) -> bool:
    """Whether the worlds can hold an example for each test over names: a regular expression names none."""
    named = [atom for atom in atoms(node) if atom.field.name in _KNOWN]
    if any(atom.test.op is Op.REGEX or (_over_text(atom.test) and not _examples(atom)) for atom in named):
        return False
    names = [len(_examples(atom)) for atom in named]
    return prod(count + 1 for count in names) <= MAX_WORLDS if max(names, default=0) > 50 else True


def _over_text(test: Test) -> bool:
    return test.op in _TEXTUAL


def _examples(atom: Atom) -> list[str]:
    """Names that meet a test: those it spells out, or the known ones that a pattern takes."""
    if not _over_text(atom.test):
        return [str(operand) for operand in atom.test.operands]
    return [name for name in _KNOWN[atom.field.name] if predicate(atom.test)((name,))]


def _always(node: Node) -> bool:
    if isinstance(node, Either):
        return any(map(_always, node.parts)) or _opposites(node)
    if isinstance(node, Every):
        return all(map(_always, node.parts))
    return dead(node.part) if isinstance(node, Never) else node is True


def _opposites(node: Either) -> bool:
    return any(isinstance(part, Never) and part.part in node.parts for part in node.parts)


def worlds(node: Node) -> Iterator[Shape]:
    """This will give one shape for each combination of the values that the tree tells apart."""
    asked = {field.name for field in fields_of(node)}
    stages = _STAGES if "stage" in asked else _STAGES[:1]
    levels = LEVELS if "level" in asked else LEVELS[-1:]
    verbs = VERBS if "verb" in asked or _has_body(node) else VERBS[:1]
    codes = _codes(node)
    for level, stage, (group, resource, sub), verb, (code, decision) in product(
        levels, stages, targets_of(node), verbs, codes
    ):
        # nothing is decided or answered when a request has only been received
        if (stage == "RequestReceived") == (code == 0 and not decision):
            yield shape_for(verb, group, resource, sub, code, decision, stage, level)


def _has_body(node: Node) -> bool:
    return any(asked.level != "Metadata" for asked in fields_of(node))


def _codes(node: Node) -> list[tuple[int, str]]:
    asked = {field.name for field in fields_of(node)}
    if not asked & (OUTCOME_FIELDS | {"stage"}):
        return [(200, "allow")]
    named = {
        round(number) + step
        for atom in atoms(node)
        if atom.field.name == "responseStatus.code" and atom.test.op not in _TEXTUAL
        for operand in atom.test.operands
        if (number := number_of(operand)) is not None and 0 < number < 1000
        for step in (-1, 0, 1)
    }
    textual = any(
        atom.field.name == "responseStatus.code" and atom.test.op in _TEXTUAL for atom in atoms(node)
    )
    codes = sorted({*_CODES, *named, *(range(100, 600) if textual else ())})
    return [
        (code, decision)
        for code in codes
        for decision in ("allow", "forbid", "")
        if (decision == "forbid") <= (code == 403) or code == 0
    ]


def targets_of(node: Node) -> list[tuple[str, str, str]]:
    """Group, resource and subresource: those the tree names, one it does not, and none at all."""
    texts: dict[str, set[str]] = {
        "objectRef.resource": set(),
        "objectRef.subresource": set(),
        "objectRef.apiGroup": set(),
    }
    found: set[tuple[str, str, str]] = {("", "", ""), ("", OTHER, ""), ("example.com", OTHER, OTHER)}
    for atom in atoms(node):
        name = "objectRef.subresource" if atom.field.name == "subresource" else atom.field.name
        if name == "resource":
            found.update(map(split_text, _examples(atom)))
        elif name in texts:
            texts[name].update(_examples(atom))
    resources, subs, groups = texts.values()
    if _has_body(node):
        resources |= (
            WORKLOADS if any(asked.name.startswith("pod.") for asked in fields_of(node)) else {"pods"}
        )
        found.add(("", "pods", "ephemeralcontainers"))
    every = (
        (group, resource, sub)
        for resource in (*resources, *({OTHER} if subs or groups else ()))
        for sub in ("", *subs)
        for group in {*GROUPS.get(resource, ("", "example.com")), *groups}
    )
    found.update(islice(every, MAX_TARGETS))
    return sorted(found)


def shape_for(
    verb: str, group: str, resource: str, sub: str, code: int, decision: str, stage: str, level: str
) -> Shape:
    """This will return a shape with these narrow values, and nothing else."""
    return Shape(
        user=User(),
        impersonated=None,
        identity=identity_of(OTHER),
        addresses=(),
        address="",
        annotations={DECISION: decision} if decision else {},
        verb=verb,
        agent="",
        stage=stage,
        level=level,
        code=code,
        group=group,
        version="v1",
        resource=resource,
        subresource=sub,
        namespace="",
        path="",
        decision=decision,
        reason="",
        credential="",
        is_resource=bool(resource),
        allowed=decision != "forbid" and code not in {401, 403},
        final=stage in {"ResponseComplete", "Panic"} or (code == 401 and stage == "ResponseStarted"),
    )


def dead(node: Node) -> bool:
    """This will tell whether what is left of a tree contradicts itself."""
    if isinstance(node, Either):
        return all(map(dead, node.parts))
    if isinstance(node, Every):
        return any(map(dead, node.parts)) or _contradicts(node)
    if isinstance(node, Never):
        return _always(node.part)
    return node is False or (isinstance(node, Atom) and not _open(node.field, [(node.test, True)]))


def _contradicts(node: Every) -> bool:
    wanted: dict[str, tuple[Field, list[tuple[Test, bool]]]] = {}
    for part in node.parts:
        atom, holds = (part.part, False) if isinstance(part, Never) else (part, True)
        if isinstance(atom, Atom) and atom.test.op not in REFERENCES:
            wanted.setdefault(atom.field.name, (atom.field, []))[1].append((atom.test, holds))
    return any(not _open(field, tests) for field, tests in wanted.values())


def _open(field: Field, tests: list[tuple[Test, bool]]) -> bool:
    """Whether some value of the field meets all tests: tried on the values that the tests name."""
    if not (field.closed or field.name.startswith(_SINGLE) or field.type in {"bool", "time"}):
        held = {test for test, holds in tests if holds}
        return not held & {test for test, holds in tests if not holds}
    listed = _candidates(field, tests)
    return listed is None or any(
        all(predicate(test)(values) is holds for test, holds in tests) for values in listed
    )


def _candidates(field: Field, tests: Iterable[tuple[Test, bool]]) -> list[Values] | None:
    """The values worth trying; None when the tests leave too much open to say."""
    empty: list[Values] = [] if field.type == "bool" else [()]
    if field.closed:
        return empty + [(value,) for value in field.closed]
    if field.type == "bool":
        return [(True,), (False,)]
    plain: list[Scalar] = [
        operand for test, holds in tests if holds and test.op in _PLAIN for operand in test.operands
    ]
    if plain:
        return [(value,) for value in plain]
    if any(
        (holds and test.op is Op.ABSENT) or (test.op is Op.EXISTS and test.operands[0] is not holds)
        for test, holds in tests
    ):
        return [()]
    return None
