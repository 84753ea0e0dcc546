"""All feature families together: what features there are, and the matrix of many windows.

A family is found because its file lies in `families/`. The name of a feature is "file.function"; unit and reason come from its
docstring, so that code, matrix, explanation and documentation cannot drift apart.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from anomaly.features import families
from anomaly.features.history import History, Past
from anomaly.features.masks import Column
from anomaly.features.questions import Questions, question_of
from anomaly.features.split import OneWindow, split
from anomaly.windows.window import Windows
from models.layout import Feature, Layout, Treatment, treatment_of

BLOCK: Final = 16_384
"""Windows worked on at a time: a block's terms stay in the processor's cache, and memory does not grow with the history."""

_DOCSTRING: Final = re.compile(
    r"This will return (?P<title>.+?[.:;]).*\n\s*Unit: (?P<unit>[^.]+)\.", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Definition:
    """One feature: its column and how it is computed. `title` finishes "this is ..."."""

    feature: Feature
    title: str
    needs_past: bool
    compute: Callable[..., Column]


@lru_cache(maxsize=1)
def definitions() -> tuple[Definition, ...]:
    """This will return all features, sorted by name. Raises ValueError naming a function without unit or reason."""
    found = [
        definition for info in pkgutil.iter_modules(families.__path__) for definition in _family(info.name)
    ]
    return tuple(sorted(found, key=lambda each: each.feature.name))


@lru_cache(maxsize=1)
def layout() -> Layout:
    """This will return the layout of the matrix that `extract` makes."""
    return Layout(tuple(definition.feature for definition in definitions()))


@lru_cache(maxsize=1)
def titles() -> dict[str, str]:
    """This will return each feature's title by its name, for people."""
    return {definition.feature.name: definition.title for definition in definitions()}


def extract(windows: Windows, history: History, block: int = BLOCK) -> tuple[Layout, NDArray[np.float32]]:
    """This will return the layout and the matrix, (n, k) float32: finite, >= 0, one row a window in the order given.

    A row depends on its own window and the history alone, never on the windows beside it. All windows are of one cluster.
    """
    # Seven digits are more than any feature means, and a million windows then take half the memory.
    matrix = np.empty((windows.n, len(definitions())), dtype=np.float32)
    for start in range(0, windows.n, block):
        index = np.arange(start, min(start + block, windows.n))
        part = windows.take(index) if windows.n > block else windows
        matrix[index] = rows_seen(Past(history, split(part)))
    return layout(), matrix


def rows_seen(past: Past) -> NDArray[np.float32]:
    """This will return the matrix of the windows that a past is seen from, which are split (`anomaly.features.split`).

    For whoever goes on to ask that past, as an explanation does: what it worked out is not worked out again.
    """
    windows, columns = past.windows, definitions()
    matrix = np.empty((windows.n, len(columns)), dtype=np.float32)
    wanted: Iterable[int] = range(len(columns))
    if isinstance(windows, OneWindow):
        questions, wanted = _questions()
        matrix[0, questions.columns] = questions.answers(windows, past.fresh.topic, past.odds)
    for number in wanted:
        definition = columns[number]
        matrix[:, number] = (
            definition.compute(windows, past) if definition.needs_past else definition.compute(windows)
        )
    return matrix


@lru_cache(maxsize=1)
def _questions() -> tuple[Questions, tuple[int, ...]]:
    """What is answered at once for a single window, and the columns of all other features."""
    asked = {
        number: question
        for number, definition in enumerate(definitions())
        if (question := question_of(definition.compute, definition.needs_past)) is not None
    }
    return Questions(asked.items()), tuple(n for n in range(len(definitions())) if n not in asked)


def _family(name: str) -> Iterator[Definition]:
    module = importlib.import_module(f"{families.__name__}.{name}")
    for title, function in inspect.getmembers(module, inspect.isfunction):
        if title.startswith("_") or function.__module__ != module.__name__:
            continue
        if (inspect.signature(function).return_annotation) not in {"Column", Column}:
            continue
        yield _definition(name, title, cast(Callable[..., Column], function))


def _title(said: str) -> str:
    return " ".join(said.rstrip(".:;").split()).removeprefix("the ")


def _definition(family: str, name: str, function: Callable[..., Column]) -> Definition:
    said = inspect.getdoc(function) or ""
    match = _DOCSTRING.match(said)
    if match is None:
        raise ValueError(
            f"feature {family}.{name}: its docstring must begin with 'This will return' and end with 'Unit: ...'"
        )
    reason = " ".join(said[: match.start("unit")].removesuffix("Unit: ").split())
    treatment = getattr(function, "treatment", None) or treatment_of(family)
    feature = Feature(f"{family}.{name}", match["unit"], family, reason, Treatment(treatment))
    parameters = list(inspect.signature(function).parameters)
    return Definition(feature, _title(match["title"]), "past" in parameters, function)
