"""Scoring: one window and many, beside scikit-learn in the same run. Figures are for one forest of 100 trees x 256.

The last but one part takes windows of the demonstration's log from their counts to the explanation: features, forest, what each
feature has to do with it, name, severity and sentences.

`python benchmarks/bench_score.py` prints one line a figure with its bar; the exit status is 1 when one is missed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.resources import files

import numpy as np
import zstandard
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest as SklearnForest

from anomaly.events.decode import decode_lines
from anomaly.features.history import History
from anomaly.features.registry import extract
from anomaly.scoring import Context, appraise
from anomaly.scoring.context import KIND_NAMES
from anomaly.windows.memory import gather
from anomaly.windows.window import Windows
from models import Layout, Model, compiled_walk
from models.isolation_forest import IsolationForest
from training import RECIPES, Matrix, run

ROWS, COLUMNS = 200_000, 66
MINUTE_US = 60_000_000


def main() -> int:
    """This will print the figures and return how the bars were held: 0 all, 1 not all."""
    random = np.random.default_rng(0)
    sample = random.normal(size=(25_600, COLUMNS))
    theirs = SklearnForest(n_estimators=100, max_samples=256, random_state=0).fit(sample)
    ours = IsolationForest.from_sklearn(theirs)
    rows = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    apart = float(np.abs(ours.strangeness(rows[:5_000]) + theirs.score_samples(rows[:5_000])).max())
    path = "compiled" if compiled_walk.available() else "numpy"
    one = microseconds(lambda number: ours.row(rows[number]), 3_000)
    their_one = microseconds(lambda number: theirs.score_samples(rows[number : number + 1]), 50)
    their_many, *many = per_second(
        (lambda: theirs.score_samples(rows[:50_000]), 50_000),
        (lambda: ours.strangeness(rows, 1), ROWS),
        (lambda: ours.strangeness(rows, 2), ROWS),
    )
    least = 2_000_000 if path == "compiled" else 800_000
    held = [
        line("largest difference to scikit-learn", apart, "", apart <= 1e-9, "<= 1e-9"),
        line(
            f"one row, forest, {path}, p50",
            one,
            "us",
            one <= (5 if path == "compiled" else 25),
            "<= 25 (compiled 5)",
        ),
        line("  scikit-learn beside it", their_one, "us", True, f"{their_one / one:.0f} times ours"),
        line(
            f"many rows, 1 thread, {path}",
            many[0],
            "rows/s",
            True,
            f"{many[0] / their_many:.1f} times scikit-learn",
        ),
        line(
            f"many rows, 2 threads, {path}",
            many[1],
            "rows/s",
            many[1] >= least,
            f">= {least:,}, {many[1] / their_many:.1f} times scikit-learn",
        ),
        line("  scikit-learn beside it", their_many, "rows/s", True, ""),
    ]
    return 0 if all([*held, from_counts(), *whole(random)]) else 1


def from_counts() -> bool:
    """This will measure windows of a real log from their counts to the explanation, each alone."""
    packed = (files("anomaly") / "demo" / "audit.jsonl.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed) as stream:
        lines = stream.read(256 << 20).split(b"\n")[:20_000]
    memory = gather(decode_lines(b"\n".join(lines)), MINUTE_US)
    windows, recipe = memory.windows, RECIPES["small"]
    cut = int(np.quantile(windows.start, recipe.fit_share))
    history = History.of(windows, memory.firsts, memory.entities, cut)
    known, values = extract(windows, history)
    context = Context(
        model_of(known, values, windows, history), history, {e.id: e for e in memory.entities}, 1e-3
    )
    some = np.random.default_rng(0).permutation(windows.n)[:500]
    alone = [windows.take(np.array([number])) for number in some.tolist()]
    for one in alone[:100]:
        appraise(one, context)
    taken = microseconds(lambda number: appraise(alone[number], context), len(alone))
    terms = float(np.median(np.diff(windows.offsets)))
    return line(
        "one window, counts to explanation, p50", taken, "us", taken <= 1_000, f"<= 1,000 ({terms:.0f} terms)"
    )


def model_of(known: Layout, values: NDArray[np.float32], windows: Windows, history: History) -> Model:
    """This will train on all windows, each kind as far as it goes."""
    entity = windows.entity.astype(np.int64)
    kinds = KIND_NAMES[history.peers.kind_of(entity)]
    matrix = Matrix.of(known, values, entity, kinds, history.peers.group_of(entity), windows.start)
    return run(matrix, RECIPES["small"]).model


def whole(random: np.random.Generator) -> list[bool]:
    """This will measure the whole detector: baseline, channels, calibration, explanation."""
    model, matrix = trained(random)
    who = [
        (str(matrix.kind[n]), int(matrix.entity[n]), int(matrix.group[n]), int(matrix.at[n]))
        for n in range(2_000)
    ]
    judged = microseconds(lambda n: model.judge_row(*who[n], matrix.values[n]), 2_000)
    explained = microseconds(lambda n: model.explain(*who[n], matrix.values[n], 0.5), 300)
    parts = matrix.values, matrix.kind, matrix.entity, matrix.group, matrix.at
    (many,) = per_second((lambda: model.judge(*parts, 2), len(matrix)))
    return [
        line("one window, whole detector, p50", judged, "us", judged <= 50, "<= 50"),
        line("one window explained, p50", explained, "us", explained <= 1_000, "<= 1,000"),
        line("many windows, whole detector, 2 threads", many, "windows/s", many >= 50_000, ">= 50,000"),
    ]


def trained(random: np.random.Generator) -> tuple[Model, Matrix]:
    """This will train on made-up windows of 60 features."""
    count, width = 40_000, 60
    layout = Layout.of([f"f{n}" for n in range(width)], families=[f"family{n // 5}" for n in range(width)])
    values = random.poisson(np.exp(random.normal(0, 1, size=width)), size=(count, width))
    entity = random.integers(200, size=count)
    at = 1_700_000_000_000_000 + random.integers(0, 30 * 86_400_000_000, size=count)
    matrix = Matrix.of(layout, values, entity, np.full(count, "human"), entity % 7, at)
    return run(matrix, RECIPES["nightly"]).model, matrix


def microseconds(call: Callable[[int], object], times: int) -> float:
    """This will give the median time of a call, warm."""
    call(0)
    taken: NDArray[np.float64] = np.empty(times)
    for number in range(times):
        start = time.perf_counter()
        call(number)
        taken[number] = time.perf_counter() - start
    return float(np.median(taken)) * 1e6


def per_second(*calls: tuple[Callable[[], object], int]) -> list[float]:
    """This will give the best rate of five runs of each call, taken in turns so that all meet the same machine."""
    best = [np.inf] * len(calls)
    for _ in range(5):
        for place, (call, _) in enumerate(calls):
            start = time.perf_counter()
            call()
            best[place] = min(best[place], time.perf_counter() - start)
    return [count / seconds for (_, count), seconds in zip(calls, best, strict=True)]


def line(what: str, figure: float, unit: str, held: bool, bar: str) -> bool:
    """This will print one figure with its bar."""
    shown = f"{figure:,.1f}" if figure >= 0.1 else f"{figure:.1e}"
    print(f"{what:44s} {shown:>14s} {unit:10s} {'ok    ' if held else 'MISSED'} {bar}")
    return held


if __name__ == "__main__":
    sys.exit(main())
