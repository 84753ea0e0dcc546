"""Words that must stand in an event's raw bytes before a rule can match it: looking for them costs a tenth of decoding.

Exact: where JSON could spell a word in another way (an escape, a letter beyond ASCII that folds to one within), the event is
decoded as if the words were there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import re2

from anomaly.rules.compile import RuleSet
from anomaly.rules.fields import Field, steps_of
from anomaly.rules.tree import Atom, Either, Every, Node
from anomaly.rules.value import Op

Words = frozenset[bytes]
"""Of which one must be there, in lower case."""

_PLAIN: Final = re.compile(r"(?=.*[a-z])[a-z0-9 :._@=+-]{3,100}")
_MOST: Final = 32
_TEXTS: Final = frozenset(op for op in Op if op.startswith(("equals", "starts", "ends", "contains"))) - {
    Op.SAME,
    Op.SAME_START,
    Op.SAME_END,
    Op.SAME_INSIDE,
}
_ABSENCE: Final = frozenset({Op.ABSENT})
_VERBATIM: Final = (
    *(
        "user.",
        "impersonatedUser.",
        "objectRef.",
        "annotations.",
        "requestObject.",
        "responseObject.",
        "pod.",
    ),
    *("userAgent", "requestURI", "auditID", "responseStatus.message", "responseStatus.reason", "verb"),
)
"""Fields whose values stand in the raw event as they are; others are derived."""
_BODIES: Final = ("requestObject.", "responseObject.", "pod.")


def words_of(rules: RuleSet) -> Words | None:
    """This will return words of which every matching event holds one, whatever rule it matches; None when there are none."""
    found: set[bytes] = set()
    for rule in rules.rules:
        words = _needed(rule.condition)
        if words is None:
            return None
        found |= words
    return frozenset(found) if 0 < len(found) <= _MOST else None


def reader(words: Words) -> Callable[[bytes], bool]:
    """This will return the function that tells whether a raw event may hold one of the words."""
    options = re2.Options()
    options.case_sensitive = False
    options.encoding = re2.Options.Encoding.LATIN1
    # Besides the words: whatever could be one of them in disguise.
    pattern = b"|".join([*map(re2.escape, sorted(words)), rb"\\u", rb"\\/", rb"[\x80-\xff]"])
    search = re2.compile(pattern, options).search
    return lambda raw: search(raw) is not None


def _needed(node: Node) -> Words | None:
    if isinstance(node, Atom):
        return _of_atom(node)
    if isinstance(node, Every):
        return _best([_needed(part) for part in node.parts])
    if isinstance(node, Either):
        parts = [_needed(part) for part in node.parts]
        known = [part for part in parts if part is not None]
        return frozenset().union(*known) if len(known) == len(parts) else None
    return None


def _of_atom(atom: Atom) -> Words | None:
    test = atom.test
    if atom.other is not None or test.op in _ABSENCE or (test.op is Op.EXISTS and not test.operands[0]):
        return None
    return _best([_of_values(atom), _of_path(atom.field)])


def _of_values(atom: Atom) -> Words | None:
    if atom.test.op not in _TEXTS or not atom.field.name.startswith(_VERBATIM):
        return None
    texts = [str(operand).lower() for operand in atom.test.operands]
    return frozenset(map(str.encode, texts)) if texts and all(map(_PLAIN.fullmatch, texts)) else None


def _of_path(field: Field) -> Words | None:
    """The last key on the way to a value in a body."""
    if not field.name.startswith(_BODIES):
        return None
    last = steps_of(field.name)[-1].lower()
    return frozenset({last.encode()}) if _PLAIN.fullmatch(last) else None


def _best(found: list[Words | None]) -> Words | None:
    """Long words are rare ones."""
    known = [words for words in found if words]
    return max(known, key=lambda words: (min(map(len, words)), -len(words)), default=None)
