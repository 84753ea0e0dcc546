"""Training on a million windows: time and memory, with scikit-learn's own fit and score on the same rows beside it.

`python benchmarks/bench_fit.py [WINDOWS]` prints one line a figure with its bar; exit status 1 when one is missed.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from sklearn.ensemble import IsolationForest as SklearnForest

from models import Layout
from training import RECIPES, Matrix, run

FEATURES, ENTITIES = 60, 5_000
SECONDS, MEGABYTES = 60.0, 2_000.0
KINDS = np.array(["human", "serviceaccount", "node", "system"])


def main() -> int:
    """This will train once and print the figures; the bars are for a million windows."""
    windows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    matrix = made_up(windows)
    start = time.perf_counter()
    steps: list[tuple[str, float]] = []
    candidate = run(
        matrix, RECIPES["nightly"], progress=lambda said: steps.append((said, time.perf_counter() - start))
    )
    taken = time.perf_counter() - start
    ends = [moment for _, moment in steps[1:]] + [taken]
    for (said, moment), end in zip(steps, ends, strict=True):
        print(f"  {said:42s} {end - moment:8.1f} s")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    size = len(candidate.model.artifact.data) / 1e6
    theirs = sklearn_alone(matrix)
    held = [
        line(f"training on {windows:,} x {FEATURES}", taken, "s", taken <= SECONDS, f"<= {SECONDS:.0f}"),
        line(
            "  scikit-learn's fit and scores on raw rows",
            theirs,
            "s",
            True,
            f"{theirs / taken:.1f} times ours",
        ),
        line("most memory, the matrix included", most, "MB", most <= MEGABYTES, f"<= {MEGABYTES:,.0f}"),
        line("artifact", size, "MB", size <= 50, "<= 50"),
    ]
    return 0 if all(held) else 1


def made_up(windows: int) -> Matrix:
    """This will make up windows of 60 mostly zero counts, in blocks."""
    random = np.random.default_rng(0)
    usual = np.exp(random.normal(0, 1.5, size=FEATURES))
    values = np.empty((windows, FEATURES))
    for start in range(0, windows, 50_000):
        count = min(50_000, windows - start)
        values[start : start + count] = random.poisson(usual, size=(count, FEATURES)) * (
            random.random((count, FEATURES)) < 0.4
        )
    families = [f"family{place // 5}" for place in range(FEATURES - 4)] + ["novelty"] * 2 + ["rarity"] * 2
    layout = Layout.of([f"f{place}" for place in range(FEATURES)], families=families)
    entity = random.integers(ENTITIES, size=windows)
    kind = KINDS[np.digitize(entity % 10, [3, 8, 9])]
    at = 1_700_000_000_000_000 + random.integers(0, 30 * 86_400_000_000, size=windows)
    return Matrix(layout, values, entity, kind, entity % 40, at)


def sklearn_alone(matrix: Matrix) -> float:
    """This will time scikit-learn's forest on the raw rows: fit, and scores of the later tenth, scaled to all."""
    start = time.perf_counter()
    forest = SklearnForest(n_estimators=100, max_samples=256, random_state=0).fit(matrix.values)
    fitted = time.perf_counter() - start
    part = matrix.values[-len(matrix) // 10 :]
    start = time.perf_counter()
    forest.score_samples(part)
    return fitted + (time.perf_counter() - start) * len(matrix) / len(part)


def line(what: str, figure: float, unit: str, held: bool, bar: str) -> bool:
    """This will print one figure with its bar."""
    print(f"{what:44s} {figure:>12,.1f} {unit:4s} {'ok    ' if held else 'MISSED'} {bar}")
    return held


if __name__ == "__main__":
    sys.exit(main())
