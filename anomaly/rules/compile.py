"""Rules made fast: what a shape decides is decided once, and what is left becomes one generated Python function.

Two steps of partial evaluation. Fields with few values (verb, resource, code ...) settle most rules for thousands of shapes
at a time; the other fields of the shape settle nearly all the rest. Only tests of names, bodies and times remain, and shapes
with the same remainder share one function. The generated source holds no text of any rule: constants go in by reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from anomaly.errors import RuleInvalid
from anomaly.events.event import Event
from anomaly.events.shape import Shape
from anomaly.rules.correlation import Correlation
from anomaly.rules.fields import Field
from anomaly.rules.problem import closest
from anomaly.rules.rule import Rule
from anomaly.rules.tree import Atom, Either, Every, Never, Node, fields_of, reduce
from anomaly.rules.value import REFERENCES, predicate, refer
from anomaly.rules.view import Values, View

Check = Callable[[Event, Shape], tuple[Rule, ...]]
_Left = tuple[tuple[int, Node], ...]

MAX_REMEMBERED: Final = 1 << 13
"""Remainders and functions kept; beyond it the memory starts anew, so that strange traffic costs time, not memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rules say about one shape. `certain` match whatever the event says; `check` finds the others, None if none can."""

    certain: tuple[Rule, ...] = ()
    check: Check | None = None


@dataclass(slots=True)
class RuleSet:
    """Rules and correlations that work together. Raises RuleInvalid when two have one id or a reference leads nowhere."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    _narrow: dict[tuple[Any, ...], _Left] = field(default_factory=dict, repr=False)
    _functions: dict[_Left, Check] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        names: dict[str, str] = {}
        ids: set[str] = set()
        listed: list[Rule | Correlation] = [*self.rules, *self.correlations]
        for one in listed:
            if one.id in ids:
                raise RuleInvalid(
                    f"two rules are called {one.id} ({one.card.file})", hint="rename one of them"
                )
            ids.add(one.id)
            names.update(dict.fromkeys(one.card.names, one.id))
        self.correlations = tuple(_resolved(correlation, names) for correlation in self.correlations)
        fed = {rule for one in self.correlations if not one.generate for rule in one.rules}
        loud = {rule for one in self.correlations if one.generate for rule in one.rules}
        self.rules = tuple(replace(rule, silent=rule.id in fed - loud) for rule in self.rules)

    def __getitem__(self, rule_id: str) -> Rule | Correlation:
        return self.by_id[rule_id]

    @property
    def by_id(self) -> Mapping[str, Rule | Correlation]:
        """Every rule and correlation by its id."""
        listed: list[Rule | Correlation] = [*self.rules, *self.correlations]
        return {one.id: one for one in listed}

    def plan(self, shape: Shape) -> Plan:
        """This will return what the rules say about a shape. Worth keeping beside the shape: it takes some 50 us."""
        key = narrow_key(shape)
        left = self._narrow.get(key)
        if left is None:
            left = self._narrowed(shape)
            if len(self._narrow) >= MAX_REMEMBERED:
                self._narrow.clear()
            self._narrow[key] = left
        certain: list[Rule] = []
        open_: list[tuple[int, Node]] = []
        known = _shape_knowledge(shape)
        for index, node in left:
            decided = reduce(node, known)
            if decided is True:
                certain.append(self.rules[index])
            elif decided is not False:
                open_.append((index, decided))
        return Plan(tuple(certain), self._function(tuple(open_)) if open_ else None)

    def matches(self, event: Event, shape: Shape) -> tuple[Rule, ...]:
        """This will return the rules that match one event; for many events keep the plans."""
        plan = self.plan(shape)
        return plan.certain + (plan.check(event, shape) if plan.check else ())

    def _narrowed(self, shape: Shape) -> _Left:
        known = narrow_knowledge(shape)
        left = []
        for index, rule in enumerate(self.rules):
            if rule.sees(shape):
                node = reduce(rule.condition, known)
                if node is not False:
                    left.append((index, node))
        return tuple(left)

    def _function(self, left: _Left) -> Check:
        found = self._functions.get(left)
        if found is None:
            if len(self._functions) >= MAX_REMEMBERED:
                self._functions.clear()
            found = self._functions[left] = generate(left, self.rules)
        return found


def _resolved(correlation: Correlation, names: Mapping[str, str]) -> Correlation:
    try:
        return correlation.resolved(names)
    except KeyError as error:
        raise RuleInvalid(
            f"{correlation.card.file}: the correlation names {error.args[0]!r}, which is no rule loaded with it",
            hint=closest(str(error.args[0]), names) or "load the rules it refers to together with it",
        ) from None


def narrow_key(shape: Shape) -> tuple[Any, ...]:
    """This will return everything that narrow fields (and the presence of bodies) depend on."""
    return (
        *(shape.verb, shape.group, shape.resource, shape.subresource, shape.stage, shape.level),
        *(shape.code, shape.decision, shape.allowed, shape.final, shape.is_resource),
    )


def narrow_knowledge(shape: Shape) -> Callable[[Field], Values | None]:
    """This will return what narrow fields and the absence of bodies decide for shapes like this one."""

    def known(asked: Field) -> Values | None:
        if asked.narrow and asked.of_shape is not None:
            return asked.of_shape(shape)
        if asked.possible is not None and not asked.possible(shape):
            return ()
        return None

    return known


def _shape_knowledge(shape: Shape) -> Callable[[Field], Values | None]:
    memory: dict[str, Values] = {}

    def known(asked: Field) -> Values | None:
        if asked.of_shape is None:
            return () if asked.possible is not None and not asked.possible(shape) else None
        if asked.name not in memory:
            memory[asked.name] = asked.of_shape(shape)
        return memory[asked.name]

    return known


def generate(left: _Left, rules: Iterable[Rule]) -> Check:
    """This will make the function that evaluates the remaining trees, each field read at most once and only when asked."""
    listed = tuple(rules)
    constants: dict[str, Any] = {"View": View}
    fields = sorted({one.name: one for _, node in left for one in fields_of(node)}.items())
    slots = {name: index for index, (name, _) in enumerate(fields)}
    for name, index in slots.items():
        constants[f"g{index}"] = dict(fields)[name].values
    lines = ["def check(event, shape):", " view = View(event, shape)", " found = ()"]
    lines += [f" v{index} = None" for index in slots.values()]
    for position, (index, node) in enumerate(left):
        constants[f"r{position}"] = (listed[index],)
        lines += [f" if {_source(node, slots, constants)}:", f"  found += r{position}"]
    lines.append(" return found")
    exec(compile("\n".join(lines), "<rules>", "exec"), constants)  # noqa: S102  names and numbers of our own only
    check: Check = constants["check"]
    return check


def _source(node: Node, slots: Mapping[str, int], constants: dict[str, Any]) -> str:
    if isinstance(node, Atom):
        return _atom_source(node, slots, constants)
    if isinstance(node, Every | Either):
        word = " and " if isinstance(node, Every) else " or "
        return f"({word.join(_source(part, slots, constants) for part in _cheap_first(node))})"
    if isinstance(node, Never):
        return f"(not {_source(node.part, slots, constants)})"
    return str(bool(node))


def _cheap_first(node: Every | Either) -> list[Node]:
    """Tests that need no body before those that do; the order says nothing else, as no test can fail."""
    return sorted(node.parts, key=lambda part: any(one.level != "Metadata" for one in fields_of(part)))


def _atom_source(atom: Atom, slots: Mapping[str, int], constants: dict[str, Any]) -> str:
    def value(asked: Field) -> str:
        slot = slots[asked.name]
        return f"(v{slot} if v{slot} is not None else (v{slot} := g{slot}(view)))"

    name = f"t{len(constants)}"
    if atom.test.op in REFERENCES and atom.other is not None:
        constants[name] = refer(atom.test.op, atom.cased)
        return f"{name}({value(atom.field)}, {value(atom.other)})"
    constants[name] = predicate(atom.test)
    return f"{name}({value(atom.field)})"
