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
from anomaly.rules.fields import FIELDS, Field
from anomaly.rules.problem import closest
from anomaly.rules.rule import Rule
from anomaly.rules.tree import Atom, Either, Every, Never, Node, fields_of, reduce
from anomaly.rules.value import FOLDED, REFERENCES, fold_all, predicate, refer, text_predicate
from anomaly.rules.view import Values, View

Check = Callable[[Event, Shape], tuple[Rule, ...]]
_Left = tuple[tuple[int, Node], ...]

MAX_REMEMBERED: Final = 1 << 13
"""Remainders and functions kept; beyond it the memory starts anew, so that strange traffic costs time, not memory."""


NO_EVENT: Final = Event()
_COARSE: Final = frozenset(
    {"verb", "objectRef.apiGroup", "objectRef.resource", "objectRef.subresource", "resource", "subresource"}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the rules say about one shape. `certain` match whatever the event says; `check` finds the others, None if none can."""

    certain: tuple[Rule, ...] = ()
    check: Check | None = None


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """What narrow fields leave: a function for the rules that any shape decides, trees for those that need the event."""

    by_shape: Check | None
    by_event: _Left


@dataclass(slots=True)
class RuleSet:
    """Rules and correlations that work together. Raises RuleInvalid when two have one id or a reference leads nowhere."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    _narrow: dict[tuple[Any, ...], _Narrowed] = field(default_factory=dict, repr=False)
    _coarse: dict[tuple[Any, ...], _Left] = field(default_factory=dict, repr=False)
    _by_shape: frozenset[int] = frozenset()
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
        self._by_shape = frozenset(
            index
            for index, rule in enumerate(self.rules)
            if all(asked.of_shape is not None for asked in fields_of(rule.condition))
        )
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
        held = self._narrow.get(key)
        if held is None:
            if len(self._narrow) >= MAX_REMEMBERED:
                self._narrow.clear()
            held = self._narrow[key] = self._narrowed(shape)
        certain = held.by_shape(NO_EVENT, shape) if held.by_shape else ()
        known = _shape_knowledge(shape)
        open_: list[tuple[int, Node]] = []
        for index, node in held.by_event:
            decided = reduce(node, known)
            if decided is True:
                certain += (self.rules[index],)
            elif decided is not False:
                open_.append((index, decided))
        return Plan(certain, self._function(tuple(open_)) if open_ else None)

    def matches(self, event: Event, shape: Shape) -> tuple[Rule, ...]:
        """This will return the rules that match one event; for many events keep the plans."""
        plan = self.plan(shape)
        return plan.certain + (plan.check(event, shape) if plan.check else ())

    def _narrowed(self, shape: Shape) -> _Narrowed:
        """Verb and resource first: they settle most rules, and there are few of them."""
        key = _coarse_key(shape)
        coarse = self._coarse.get(key)
        if coarse is None:
            if len(self._coarse) >= MAX_REMEMBERED:
                self._coarse.clear()
            every_rule = tuple((index, rule.condition) for index, rule in enumerate(self.rules))
            coarse = self._coarse[key] = _left(every_rule, _coarse_knowledge(shape))
        seen = tuple(pair for pair in coarse if self.rules[pair[0]].sees(shape))
        left = _left(seen, narrow_knowledge(shape))
        by_shape = tuple(pair for pair in left if pair[0] in self._by_shape)
        by_event = tuple(pair for pair in left if pair[0] not in self._by_shape)
        return _Narrowed(self._function(by_shape) if by_shape else None, by_event)

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


def _left(nodes: _Left, known: Callable[[Field], Values | None]) -> _Left:
    reduced = ((index, reduce(node, known)) for index, node in nodes)
    return tuple((index, node) for index, node in reduced if node is not False)


def _coarse_key(shape: Shape) -> tuple[Any, ...]:
    return shape.verb, shape.group, shape.resource, shape.subresource


def _coarse_knowledge(shape: Shape) -> Callable[[Field], Values | None]:
    memory = {
        asked.name: asked.of_shape(shape)
        for asked in FIELDS.values()
        if asked.name in _COARSE and asked.of_shape
    }
    return lambda asked: memory.get(asked.name)


def narrow_key(shape: Shape) -> tuple[Any, ...]:
    """This will return everything that narrow fields (and the presence of bodies) depend on."""
    return (
        *(shape.verb, shape.group, shape.resource, shape.subresource, shape.stage, shape.level),
        *(shape.code, shape.decision, shape.allowed, shape.final, shape.is_resource),
    )


def narrow_knowledge(shape: Shape) -> Callable[[Field], Values | None]:
    """This will return what narrow fields and the absence of bodies decide for shapes like this one."""
    memory: dict[str, Values | None] = {}

    def known(asked: Field) -> Values | None:
        name = asked.name
        if name not in memory:
            memory[name] = (
                asked.of_shape(shape)
                if asked.narrow and asked.of_shape is not None
                else ()
                if asked.possible is not None and not asked.possible(shape)
                else None
            )
        return memory[name]

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
    source = _Source()
    lines = []
    for position, (index, node) in enumerate(left):
        source.constants[f"r{position}"] = (listed[index],)
        lines += [f" if {source.of(node)}:", f"  found += r{position}"]
    head = ["def check(event, shape):", " view = View(event, shape)", " found = ()"]
    head += [f" {slot} = None" for slot in source.slots.values()]
    text = "\n".join([*head, *lines, " return found"])
    exec(compile(text, "<rules>", "exec"), source.constants)  # noqa: S102  names and numbers of our own only
    check: Check = source.constants["check"]
    return check


@dataclass(slots=True)
class _Source:
    """Python source of trees. `slots` are local variables: a field's values, and the same folded."""

    constants: dict[str, Any] = field(default_factory=lambda: {"View": View, "folded": fold_all})
    slots: dict[tuple[str, bool], str] = field(default_factory=dict)

    def of(self, node: Node) -> str:
        """The expression of a tree."""
        if isinstance(node, Atom):
            return self._atom(node)
        if isinstance(node, Every | Either):
            word = " and " if isinstance(node, Every) else " or "
            return f"({word.join(map(self.of, _cheap_first(node)))})"
        return f"(not {self.of(node.part)})" if isinstance(node, Never) else str(node)

    def _atom(self, atom: Atom) -> str:
        name = f"t{len(self.constants)}"
        if atom.test.op in REFERENCES and atom.other is not None:
            self.constants[name] = refer(atom.test.op, atom.cased)
            return f"{name}({self._values(atom.field)}, {self._values(atom.other)})"
        if atom.test.op in FOLDED:
            self.constants[name] = text_predicate(atom.test)
            return f"{name}({self._folded(atom.field)})"
        self.constants[name] = predicate(atom.test)
        return f"{name}({self._values(atom.field)})"

    def _values(self, asked: Field) -> str:
        slot = self.slots.setdefault((asked.name, False), f"v{len(self.slots)}")
        self.constants[f"g{slot}"] = asked.values
        return f"({slot} if {slot} is not None else ({slot} := g{slot}(view)))"

    def _folded(self, asked: Field) -> str:
        slot = self.slots.setdefault((asked.name, True), f"v{len(self.slots)}")
        return f"({slot} if {slot} is not None else ({slot} := folded({self._values(asked)})))"


def _cheap_first(node: Every | Either) -> list[Node]:
    """Tests that need no body before those that do; the order says nothing else, as no test can fail."""
    return sorted(node.parts, key=lambda part: any(one.level != "Metadata" for one in fields_of(part)))
