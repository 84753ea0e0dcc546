"""How long a training takes from the windows in PostgreSQL to the candidate, and how much memory: `--windows 1000000` for a year.

The windows are synthetic, of the shape of real ones (about 36 entries each): every entity has a role, a role has habits. They are
written by another process into a database of its own, so that the figures are those of the training alone.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from anomaly.events.key import EPOCH
from anomaly.nightly import gather, matrix_of
from anomaly.settings import DatabaseSettings, Settings
from anomaly.store.clusters import ensure_cluster
from anomaly.store.database import Database, open_database
from anomaly.store.embedded import Embedded
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import RECORD
from training import RECIPES, run

HOUR = timedelta(hours=1)
START = EPOCH + timedelta(days=20_000)
SHAPE = {
    Dimension.REQUESTS: (1, 1), Dimension.VERB: (6, 4), Dimension.RESOURCE: (14, 6), Dimension.CODE: (4, 2),
    Dimension.ACTION: (20, 7), Dimension.ADDRESS: (2, 1), Dimension.AGENT: (2, 1), Dimension.TARGET: (18, 6),
    Dimension.NAMESPACE: (4, 2), Dimension.CREDENTIAL: (2, 1), Dimension.GROUP: (2, 2), Dimension.MINUTE: (20, 3),
}  # fmt: skip
"""Of each dimension, terms that a role knows and how many of them a window holds on average."""
ROLES, WINDOWS_EACH = 20, 1_000


def fill(url_of: Settings, windows: int) -> None:
    """This will write so many windows of entities that each have a thousand."""
    random = np.random.default_rng(1)
    with open_database(url_of) as database, database.dedicated() as connection:
        entities = max(windows // WINDOWS_EACH, 1)
        terms = [
            (dimension, f"{verb_of(number)} {dimension.name.lower()}{role}-{number}")
            for role in range(ROLES)
            for dimension, (known, _) in SHAPE.items()
            for number in range(known)
        ]
        connection.execute(
            "INSERT INTO anomaly.term (dimension, value) SELECT * FROM unnest(%s::smallint[], %s::text[])",
            [[int(dimension) for dimension, _ in terms], [text for _, text in terms]],
        )
        rows = connection.execute("SELECT dimension, value, id FROM anomaly.term").fetchall()
        ids = {(int(str(dimension)), str(text)): int(str(number)) for dimension, text, number in rows}
        pools = np.array([ids[int(dimension), text] for dimension, text in terms]).reshape(ROLES, -1)
        chance = np.concatenate([np.full(known, mean / known) for known, mean in SHAPE.values()])
        write(connection, entities, windows, pools, chance, random)
        connection.execute("ANALYZE")
        connection.commit()


def verb_of(number: int) -> str:
    return ("get", "list", "watch", "create", "update", "delete")[number % 6]


def write(connection, entities, windows, pools, chance, random) -> None:  # type: ignore[no-untyped-def]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO anomaly.entity (cluster_id, username) SELECT 1, 'p' || n || '@example.com'"
            " FROM generate_series(1, %s) AS n RETURNING id",
            [entities],
        )
        owners = [int(row[0]) for row in cursor.fetchall()]
        firsts: list[tuple[int, int]] = []
        copied = "COPY anomaly.entity_window (entity_id, start_at, cluster_id, histogram) FROM STDIN (FORMAT BINARY)"
        with cursor.copy(copied) as copy:
            copy.set_types(["int4", "timestamptz", "int2", "bytea"])
            for place, owner in enumerate(owners):
                pool = pools[place % len(pools)]
                mask = random.random((WINDOWS_EACH, len(pool))) < chance
                order = np.argsort(pool)
                row, column = np.nonzero(mask[:, order])
                records = np.empty(len(row), dtype=RECORD)
                records["term"], records["count"] = pool[order][column], 1 + random.poisson(2.0, len(row))
                ends = np.cumsum(mask.sum(axis=1)) * RECORD.itemsize
                data, last = records.tobytes(), 0
                for number, end in enumerate(ends.tolist()[: windows - place * WINDOWS_EACH]):
                    copy.write_row((owner, START + number * HOUR, 1, data[last:end]))
                    last = end
                firsts.extend((owner, int(term)) for term in pool[mask.any(axis=0)])
        with cursor.copy(
            "COPY anomaly.seen (first_at, last_on, entity_id, term_id, cluster_id) FROM STDIN"
        ) as copy:
            for owner, term in firsts + [(0, term) for term in sorted({term for _, term in firsts})]:
                copy.write_row((START, START.date(), owner, term, 1))


def measure(database: Database, windows: int) -> None:
    """This will print seconds of each step and the largest memory of this process."""
    until = START + (WINDOWS_EACH + 1) * HOUR
    began = time.perf_counter()
    with database.connection() as connection:
        gathered = gather(connection, 1, HOUR, None, until)
    read = time.perf_counter()
    assert gathered.windows.n == windows, gathered.windows.n
    matrix, _ = matrix_of(gathered, RECIPES["nightly"])
    made = time.perf_counter()
    shape = matrix.values.shape
    del gathered
    run(matrix, RECIPES["nightly"])
    done = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"windows x features           {shape[0]:,} x {shape[1]}")
    print(f"reading from PostgreSQL      {read - began:6.1f} s")
    print(f"features                     {made - read:6.1f} s")
    print(f"fit, calibrate, evaluate     {done - made:6.1f} s")
    print(f"all                          {done - began:6.1f} s, at most {peak:.2f} GiB of memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100_000)
    windows = max(parser.parse_args().windows // WINDOWS_EACH, 1) * WINDOWS_EACH
    folder = Path(tempfile.mkdtemp(prefix="anomaly-bench-"))
    settings = Settings(
        data_dir=folder / "data",
        database=DatabaseSettings(parameters={"fsync": "off", "full_page_writes": "off"}),
    )
    try:
        with open_database(settings) as database:
            with database.begin() as session:
                ensure_cluster(session, "bench")
            filler = get_context("spawn").Process(target=fill, args=(settings, windows))
            filler.start()
            filler.join()
            if filler.exitcode:
                raise SystemExit("The windows could not be written.")
            measure(database, windows)
    finally:
        Embedded(settings).stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
