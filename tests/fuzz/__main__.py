"""`python -m tests.fuzz --seconds 60`: each decoder is fuzzed so long, guided by coverage (atheris), one after the other.

What is found stays in `tests/fuzz/found/<decoder>/`, where the tests run it again for ever; exit code 1 when something was.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.decoders import DECODERS
from tests.fuzz.seeds import seeds

FOUND = Path(__file__).parent / "found"
HANG_SECONDS = 10
MEMORY_MB = 2_048

_CHILD = """
import sys, atheris
with atheris.instrument_imports(include=["anomaly", "models", "training"]):
    from tests.fuzz.decoders import DECODERS
atheris.Setup(sys.argv, DECODERS[{name!r}])
atheris.Fuzz()
"""


def fuzz(name, seconds, corpus):
    """Fuzz one decoder in a process of its own; returns whether nothing was found. `corpus` is kept between runs."""
    corpus.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(seeds(name)):
        (corpus / f"seed-{place}").write_bytes(seed)
    found = FOUND / name
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}", f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={MEMORY_MB}",
        "-max_len=40000", f"-artifact_prefix={found}/", "-print_final_stats=1",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(name=name), *options, str(corpus)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    lines = done.stdout.splitlines()
    runs = next((one.rpartition(" ")[2] for one in lines if "number_of_executed_units" in one), "?")
    covered = next(
        (one.split()[3] for one in reversed(lines) if " cov: " in one and len(one.split()) > 3), "?"
    )
    print(
        f"{name:12} {runs:>10} inputs, {covered:>6} places: {'nothing found' if not done.returncode else 'FOUND'}"
    )
    if done.returncode:
        print("\n".join(lines[-60:]))
    if not any(found.iterdir()):
        found.rmdir()
    return not done.returncode


def main():
    """Fuzz those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("decoders", nargs="*", choices=[[], *DECODERS], default=[])
    parser.add_argument("--seconds", type=int, default=60, help="for each decoder")
    parser.add_argument(
        "--corpus", type=Path, default=None, help="a folder that keeps what widened the coverage"
    )
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        corpus = chosen.corpus or Path(scratch)
        results = [fuzz(name, chosen.seconds, corpus / name) for name in chosen.decoders or DECODERS]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
