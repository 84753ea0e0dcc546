"""How well the forests alone rank anomalies, beside scikit-learn's on the same sets: a change of detector is judged here.

    python -m benchmarks.quality_public FOLDER      sets in ADBench's form: npz files with X (n, k) and y (0 quiet, 1 anomaly)
    python -m benchmarks.quality_public             three sets made here, which prove nothing but that the comparison works

Ours must score as scikit-learn does to the last digit but rounding: the command fails when it does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from models.errors import ModelError
from training.public import Comparison, compare, load_public

MOST_DIFFERENT = 1e-9


def made_here(folder: Path) -> None:
    """This will write three small sets: anomalies far away, few columns of many, and against the grain of two clusters."""
    random = np.random.default_rng(7)
    quiet = random.normal(size=(4_000, 12))
    far = random.normal(scale=4.0, size=(80, 12))
    sparse = random.normal(size=(80, 12))
    sparse[:, :2] += 5.0
    blobs = np.concatenate([random.normal(-3, 1, (2_000, 6)), random.normal(3, 1, (2_000, 6))])
    between = random.normal(0, 0.7, (80, 6))
    for name, usual, strange in (
        ("synthetic-far", quiet, far),
        ("synthetic-two-of-twelve-columns", quiet, sparse),
        ("synthetic-between-clusters", blobs, between),
    ):
        labels = np.concatenate([np.zeros(len(usual)), np.ones(len(strange))])
        np.savez(folder / f"{name}.npz", X=np.concatenate([usual, strange]), y=labels)


def compared(paths: list[Path], seeds: int) -> list[list[Comparison]]:
    """This will compare on every set, with several seeds each; a file that is no such set is said and passed over."""
    found = []
    for path in paths:
        try:
            public = load_public(path)
        except ModelError as error:
            print(f"passed over: {error}", file=sys.stderr)
            continue
        found.append([compare(public, seed) for seed in range(seeds)])
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def show(found: list[list[Comparison]]) -> float:
    """This will print a line a set and the means, and return the largest difference from scikit-learn's scores."""
    ways = list(found[0][0].auroc)
    print(
        f"{'set':<36}{'rows':>9}{'cols':>6}{'anom':>7}  AUROC {'  '.join(f'{way:>12}' for way in ways)}  AUPRC of both"
    )
    for runs in found:
        first = runs[0]
        means = [float(np.mean([run.auroc[way] for run in runs])) for way in ways]
        both = float(np.mean([run.auprc["both"] for run in runs]))
        numbers = "  ".join(f"{mean:12.3f}" for mean in means)
        print(
            f"{first.name[:35]:<36}{first.rows:>9,}{first.columns:>6}{first.anomalies:>7,}        {numbers}  {both:.3f}"
        )
    for way in ways:
        auroc = np.mean([run.auroc[way] for runs in found for run in runs])
        auprc = np.mean([run.auprc[way] for runs in found for run in runs])
        print(f"mean of {len(found)} sets, {way:<14} AUROC {auroc:.4f}  AUPRC {auprc:.4f}")
    largest = max(run.difference for runs in found for run in runs)
    print(f"largest difference between our scores and scikit-learn's for the same forest: {largest:.1e}")
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = asked.folder or Path(made)
        if asked.folder is None:
            print("No folder of public sets given: these three are made here (synthetic) and prove little.")
            made_here(folder)
        found = compared(sorted(folder.glob("*.npz")), max(asked.seeds, 1))
    if not found:
        raise SystemExit(f"There is no set in ADBench's form (npz with X and y) in {asked.folder}.")
    if show(found) > MOST_DIFFERENT:
        raise SystemExit(f"Our scores differ from scikit-learn's by more than {MOST_DIFFERENT:g}.")


if __name__ == "__main__":
    main()
