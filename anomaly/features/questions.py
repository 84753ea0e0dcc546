"""What features ask of windows, told apart from the answers: of one window all questions are answered at once.

Numpy takes as long for one window as for a hundred, and a hundred features ask it one after the other. So each feature is called
once with `Asking` and `AskingPast`, which stand for windows and their past and only note what is asked. Most features *are* one
question; for a single window their answers come from a few sums over all of its terms, and the function is not called again.
Features that go on to work with the answers are called as ever. Nothing about a feature is written down twice: what it asks is
found out by asking it, and with no data at hand no feature can ask differently from window to window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomaly.features.circles import Circle, Topic
from anomaly.features.split import DIMENSIONS, OneWindow
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Floats

Predicate = Callable[[str], bool]
Ints = NDArray[np.int64]

_REMEMBERED: Final = 1 << 16
"""Texts of which it is remembered what they answer: some megabytes, and more than a busy day has."""


class Ask(Enum):
    """The questions that a feature can be."""

    COUNT = auto()
    DISTINCT = auto()
    ENTROPY = auto()
    LARGEST = auto()
    NEWS = auto()


_WHOLE: Final = (Ask.COUNT, Ask.DISTINCT, Ask.ENTROPY, Ask.LARGEST)
"""Questions about all terms of a dimension, in the order of their answers."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: of a dimension, of the terms that a predicate picks; or of news, whose (None: the entity's own) and of what."""

    ask: Ask
    dimension: int = 0
    picked: Predicate | None = None
    circle: Circle | None = None
    topics: tuple[Topic, ...] = ()


class Asking:
    """Stands for windows: answers with the question."""

    def count(self, dimension: Dimension, where: Predicate | None = None) -> Question:
        """This will note what `Windows.count` was asked."""
        return Question(Ask.COUNT, dimension, where)

    def distinct(self, dimension: Dimension, where: Predicate | None = None) -> Question:
        """This will note what `Windows.distinct` was asked."""
        return Question(Ask.DISTINCT, dimension, where)

    def entropy(self, dimension: Dimension) -> Question:
        """This will note what `Windows.entropy` was asked."""
        return Question(Ask.ENTROPY, dimension)

    def largest(self, dimension: Dimension) -> Question:
        """This will note what `Windows.largest` was asked."""
        return Question(Ask.LARGEST, dimension)


class AskingPast:
    """Stands for the past of windows: answers with the question."""

    def news(self, circle: Circle | None, *topics: Topic) -> Question:
        """This will note what `Past.news` was asked."""
        return Question(Ask.NEWS, circle=circle, topics=topics)


def question_of(compute: Callable[..., Any], needs_past: bool) -> Question | None:
    """This will return the question that a feature is, None for one that works with answers."""
    try:
        found = compute(Asking(), AskingPast()) if needs_past else compute(Asking())
    except (AttributeError, TypeError):
        # It asked for more than questions, or reckons with what it was answered.
        return None
    return found if isinstance(found, Question) else None


class Questions:
    """Some questions, and where their answers go: `answers(...)[places]` are those of `columns`."""

    def __init__(self, asked: Iterable[tuple[int, Question]]) -> None:
        """Takes (column, question) pairs."""
        pairs = list(asked)
        self.columns = np.array([column for column, _ in pairs], dtype=np.intp)
        number: dict[tuple[int, Predicate], int] = {}
        self._predicates: dict[int, list[tuple[int, Predicate]]] = {}
        news = list(dict.fromkeys(one for _, one in pairs if one.ask is Ask.NEWS))
        self._wanted = np.zeros((int(Topic.NONE) + 1, len(news)), dtype=np.bool_)
        for place, one in enumerate(news):
            self._wanted[list(one.topics), place] = True
        self._whose = np.array(
            [0 if one.circle is None else 1 + int(one.circle) for one in news], dtype=np.intp
        )
        for _, one in pairs:
            if one.picked is not None and (one.dimension, one.picked) not in number:
                place = number[one.dimension, one.picked] = len(number)
                self._predicates.setdefault(int(one.dimension), []).append((place, one.picked))
        self._width = len(number)
        self._none = bytes(self._width)

        def place_of(one: Question) -> int:
            if one.ask is Ask.NEWS:
                return 4 * DIMENSIONS + 2 * self._width + news.index(one)
            if one.picked is not None:
                side = 0 if one.ask is Ask.COUNT else self._width
                return 4 * DIMENSIONS + side + number[one.dimension, one.picked]
            return _WHOLE.index(one.ask) * DIMENSIONS + int(one.dimension)

        self.places = np.array([place_of(one) for _, one in pairs], dtype=np.intp)
        self._row = lru_cache(maxsize=_REMEMBERED)(self._asked)

    def answers(self, window: OneWindow, topic: Ints, weights: Floats) -> Floats:
        """This will return the answers of one window, in the order of `columns`; `topic` and `weights` as `of_news` takes them."""
        whole = window.totals, window.different, window.entropies(), window.largests()
        return np.concatenate((*whole, self.of_terms(window), self.of_news(topic, weights)))[self.places]

    def _asked(self, dimension: int, text: str) -> bytes:
        """Which predicates a term passes, a byte each."""
        found = bytearray(self._width)
        for place, predicate in self._predicates[dimension]:
            found[place] = bool(predicate(text))
        return bytes(found)

    def of_terms(self, window: OneWindow) -> Floats:
        """This will return counts and different terms of one window for each predicate, one after the other."""
        text_of, row, none, predicates = window.vocabulary.text_of, self._row, self._none, self._predicates
        rows = [
            row(dimension, text_of(term)) if dimension in predicates else none
            for dimension, term in zip(window.dimensions.tolist(), window.terms.tolist(), strict=True)
        ]
        passed = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), self._width)
        sides = np.ones((2, len(rows)))
        sides[0] = window.counts
        # Whole numbers: whatever the order, their sums are the same.
        return np.asarray(sides @ passed.astype(np.float64), dtype=np.float64).ravel()

    def of_news(self, topic: Ints, weights: Floats) -> Floats:
        """This will return the sums of news of one window; `weights` is (1 + circles, entries), the entity's own first."""
        if not len(topic):
            return np.zeros(len(self._whose))
        entry, question = self._wanted[topic].nonzero()
        # In the order of the entries, as the sum over many windows goes: another order has another last digit.
        found = np.bincount(question, weights[self._whose[question], entry], minlength=len(self._whose))
        return found.astype(np.float64)
