"""`python -m tests.acceptance.faults --kills 200`: the fault suite for as many kills as wanted; exit code 1 when anything is wrong."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.acceptance.faults.run import Plan, run


def main():
    """Run and print the ledger."""
    parser = argparse.ArgumentParser(
        description="Kill the service and its database at random under load, and see that nothing is lost."
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--seed", type=int, default=None, help="to do the same again; drawn and printed otherwise"
    )
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument(
        "--embedded", action="store_true", help="the replicas own the database and must revive it"
    )
    parser.add_argument(
        "--rate", type=float, default=60.0, help="events a second of each of three API servers"
    )
    parser.add_argument("--apart", type=float, default=4.0, help="seconds between kills at most")
    parser.add_argument(
        "--pace", type=float, default=0.15, help="waits of the API servers, as a share of the real ones"
    )
    chosen = vars(parser.parse_args())
    seed = secrets.randbelow(1 << 31) if chosen["seed"] is None else chosen["seed"]
    plan = Plan(**(chosen | {"seed": seed}))
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="anomaly-faults-") as folder:
        verdict, report = run(plan, Path(folder), say=lambda said: print(said, flush=True))
    print(json.dumps({**report, "verdict": asdict(verdict)}, indent=2))
    print(
        f"{verdict.lost} lost, {verdict.doubled} doubled, {verdict.in_part} torn, {verdict.foreign} made up,"
        f" {sum(verdict.differs.values())} different from a clean run: {'GOOD' if verdict.good else 'WRONG'} (seed {seed})"
    )
    sys.exit(0 if verdict.good else 1)


if __name__ == "__main__":
    main()
