"""How many stored events a second a rule is replayed over, beside plainly decoding and matching them in one process.

Bar: 200,000 events/s on two cores. Run: python -m benchmarks.bench_replay [--events N] [--folder DIR], where DIR keeps the
database for the next run. Rules: one that columns decide nearly alone, one over bodies, one over names in every event, one
that must see the user's groups of every event, a correlation, and the whole pack.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from anomaly.rules import RuleSet, pack
from anomaly.rules.document import read_text
from anomaly.rules.pack import parse_all, rule_set
from anomaly.rules.replay import Replay
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import Database, open_database
from anomaly.store.replay import Period, replay, stored_batches
from benchmarks.realistic import SAMPLE, make

BAR = 200_000
RULES = {
    "verb and resource": "resource: secrets\n    verb: list\n    allowed: true",
    "pod bodies": "pod.containers[].securityContext.privileged: true",
    "names of everything": "objectRef.name|startswith: nobody-is-called-so",
    "groups of everybody": "user.groups: nobody-is-in-it",
}
CORRELATION = """
title: refused
name: refused
detection: {s: {refused: true}, condition: s}
---
title: burst of refusals
correlation: {type: event_count, rules: [refused], group-by: [entity.username], timespan: 10m, condition: {gte: 20}}
"""


def rules() -> dict[str, RuleSet]:
    """The rules to replay, by what is hard about them."""
    found = {}
    for name, lines in RULES.items():
        text = f"title: {name}\ndetection:\n  selection:\n    {lines}\n  condition: selection\n"
        found[name] = rule_set(parse_all(read_text(text, "bench.yml"))[0])
    found["correlation"] = rule_set(parse_all(read_text(CORRELATION, "bench.yml"))[0])
    found[f"the pack, {len(pack().rules)} rules"] = pack()
    return found


def fill(database: Database, folder: Path, events: int) -> None:
    """Store events once."""
    from anomaly.pipeline import Reading, crew_for
    from anomaly.sources.files import open_source

    with database.begin() as connection:
        cluster = ensure_cluster(connection, "bench")
    with database.dedicated() as connection:
        (there,) = connection.execute("SELECT count(*) FROM anomaly.event").fetchone() or (0,)
    if int(str(there)) >= events:
        return
    log = folder / "events.jsonl"
    made = make(SAMPLE, log, 1 << 40, events_wanted=events)
    print(f"{made.events:,} events made; storing them", flush=True)
    with (
        open_source(log) as file,
        crew_for(database.dedicated, pack(), 3_600_000_000, cluster, "bench", 2) as crew,
        database.dedicated() as connection,
    ):
        for _ in Reading(cluster, file, connection).run(crew):
            pass
    log.unlink()


def plainly(database: Database, chosen: RuleSet, events: int) -> float:
    """Events a second decoded and matched in this process, all of them, from the store."""
    state = Replay(chosen)
    began, count = time.perf_counter(), 0
    with database.dedicated() as connection:
        for batch in stored_batches(connection, Period()):
            state.feed(1, batch)
            count += len(batch.events)
            if count >= events:
                break
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, default=None)
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="bench-replay-"))
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings(data_dir=folder / "data", database=DatabaseSettings(parameters={"fsync": "off"}))
    with open_database(settings) as database:
        fill(database, folder, arguments.events)
        print(
            f"{'rule':28} {'events/s':>12} {'decoded':>9} {'findings':>9}   beside: one process, all decoded"
        )
        for name, chosen in rules().items():
            began = time.perf_counter()
            made = replay(database.dedicated, chosen, Period(), 2)
            rate = made.events / (time.perf_counter() - began)
            beside = plainly(database, chosen, 100_000)
            share = made.decoded / max(made.events, 1)
            verdict = "ok" if rate >= BAR else "BELOW THE BAR"
            print(
                f"{name:28} {rate:>12,.0f} {share:>9.1%} {len(made.findings):>9,}   {beside:>9,.0f}  {verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()
