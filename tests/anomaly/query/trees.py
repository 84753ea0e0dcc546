"""Questions of any shape, for tests: trees as the reader makes them, from texts that may hold anything."""

from uuid import UUID

from hypothesis import strategies as st

from anomaly.query.fields import FIELDS, Sort
from anomaly.query.tree import (
    EVERYTHING,
    Amount,
    Edge,
    Pattern,
    Period,
    Span,
    Text,
    When,
    Word,
    all_of,
    any_of,
    none_of,
)  # fmt: skip

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["and", "or", "not", "(", ")", '"', "\\", "*", "-x", "!x", "a:b", "user:", ">=4", "..", "=", ",", "\x00", "%", "_", "=1+1", "é", "İ", "\u202e"]
)  # fmt: skip


def patterns(texts=HOSTILE):
    """One text, or several with anything between: only the ends may be empty."""
    inner = st.lists(texts.filter(bool), max_size=2)
    wild = st.tuples(texts, inner, texts).map(lambda found: (found[0], *found[1], found[2]))
    return (texts.map(lambda text: (text,)) | wild).map(Pattern)


def spans(least, most):
    edge = st.none() | st.integers(least, most)
    return (
        st.tuples(edge, edge)
        .map(lambda pair: _in_order(*pair))
        .map(lambda pair: Span(*pair))
        .filter(_bounded)
    )


def edges(least, most):
    return st.builds(Edge, st.integers(least, most)) | st.builds(
        Edge, st.integers(-(10**13), 10**13), st.just(True)
    )


def periods(least=-(10**15), most=10**16):
    edge = st.none() | edges(least, most)
    return (
        st.tuples(edge, edge)
        .filter(lambda pair: pair != (None, None))
        .map(lambda pair: Period(*(_ordered(pair))))
    )


def leaves(values=None, words=HOSTILE, times=None):
    """Every field, by its sort; `values` may give the texts of a field."""
    values = values or {}
    found = [
        st.lists(periods() if times is None else times, min_size=1, max_size=2, unique=True).map(
            lambda some: When(tuple(some))
        ),
        st.lists(words.filter(bool), min_size=1, max_size=2).map(lambda parts: Word(tuple(parts))),
    ]
    for field in FIELDS.values():
        if field.sort is Sort.NUMBER:
            numbers = values.get(field.name, spans(0, 10**9))
            found.append(_many(numbers).map(lambda some, name=field.name: Amount(name, some)))
        elif field.sort is Sort.CHOICE:
            chosen = st.sampled_from(field.choices).map(lambda text: Pattern((text,)))
            found.append(_many(chosen).map(lambda some, name=field.name: Text(name, some)))
        elif field.name == "finding":
            some = st.integers(0, 2**128 - 1).map(lambda number: Pattern((str(UUID(int=number)),)))
            found.append(_many(some).map(lambda some: Text("finding", some)))
        elif field.sort is Sort.TEXT:
            texts = values.get(field.name, patterns())
            if field.name == "raw":
                texts = texts.map(lambda one: Pattern(("", *one.parts, "")) if one.exact else one).filter(
                    lambda one: all(one.parts[1:-1])
                )
            if field.name == "address":
                texts = texts.filter(lambda one: not one.exact or "/" not in one.parts[0])
            found.append(_many(texts).map(lambda some, name=field.name: Text(name, some)))
    return st.one_of(found)


def trees(leaf=None):
    """Whole questions; built as the reader builds them, so that equal ones are equal trees."""
    inner = st.recursive(
        leaf if leaf is not None else leaves(),
        lambda parts: (
            st.lists(parts, min_size=2, max_size=3).map(all_of)
            | st.lists(parts, min_size=2, max_size=3).map(any_of)
            | parts.map(none_of)
        ),
        max_leaves=6,
    )
    return inner | st.just(EVERYTHING)


def _many(values):
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


def _in_order(low, high):
    return (high, low) if low is not None and high is not None and low > high else (low, high)


def _bounded(span):
    return span != Span()


def _ordered(pair):
    low, high = pair
    if low is not None and high is not None and low.relative == high.relative and low.us > high.us:
        return high, low
    return low, high
