"""How fast questions about a million events are answered: the newest page, and the picture over time.

`python -m benchmarks.bench_search [FOLDER] [--events N]` fills a data directory as `benchmarks.filled` does, once where a folder is
named, and prints for each question the median and the slowest of some repeats against the bar. The bar is for questions that an
index serves; of the others it is shown what the answer says about that.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from anomaly.cli.moment import clock
from anomaly.query import read
from anomaly.settings import Settings
from anomaly.store.database import Database, open_database
from anomaly.store.histogram import histogram
from anomaly.store.reading import weigh
from anomaly.store.search import Asked, search_events
from anomaly.store.suggest import suggest
from benchmarks.filled import EVENTS, fill

BAR_MS: Final = 300
REPEATS: Final = 5
RAW: Final = ("uri:*labelSelector* resource:pods",)
"""Questions that only raw events answer."""
QUESTIONS: Final = (
    "",
    "user:trent@example.com",
    "user:system:serviceaccount:kube-system:*",
    "verb:get,list",
    "resource:secrets outcome:refused",
    "resource:secrets verb:delete",
    "code:>=500",
    "agent:curl*",
    "name:*frontend*",
    "address:127.0.3.0/24 verb:create",
    "kind:human not verb:get",
    "trent",
)


def measure(database: Database) -> None:
    """This will print a line for each question."""
    now = clock()
    for text in (*QUESTIONS, *RAW):
        asked = Asked(read(text), now)
        pages, pictures = [], []
        for _ in range(REPEATS):
            with database.read() as connection:
                began = time.perf_counter()
                search_events(connection, asked, None, 50)
                pages.append(1000 * (time.perf_counter() - began))
                began = time.perf_counter()
                histogram(connection, asked)
                pictures.append(1000 * (time.perf_counter() - began))
        with database.read() as connection:
            said = weigh(connection, asked).words() or "served by an index"
        kept = "kept" if statistics.median(pages) <= BAR_MS else "missed"
        print(
            f"page {statistics.median(pages):6.0f} ms (slowest {max(pages):6.0f}), over time {statistics.median(pictures):6.0f} ms;"
            f" bar {BAR_MS} ms {kept}: {text or 'everything'!r}: {said}"
        )
    with database.read() as connection:
        began = time.perf_counter()
        suggest(connection, "user", "sys")
        print(f"suggestions {1000 * (time.perf_counter() - began):.0f} ms")


def main() -> None:
    """This will fill a database if need be, and measure."""
    parser = argparse.ArgumentParser(description="Measure search over stored events.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--events", type=int, default=EVENTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = chosen.folder or Path(made)
        fill(folder, chosen.events)
        with open_database(Settings(data_dir=folder)) as database:
            with database.dedicated(autocommit=True) as connection:
                connection.execute("ANALYZE")
            measure(database)


if __name__ == "__main__":
    main()
