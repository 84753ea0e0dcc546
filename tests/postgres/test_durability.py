"""Nothing acknowledged is lost when the server is killed in the middle of the work; the real server, fsync on."""

import os
import signal
import threading
import time

import psycopg

from anomaly.settings import Settings
from anomaly.store.database import Database
from anomaly.store.embedded import Embedded


def test_rows_acknowledged_before_kill_9_are_there_after_it(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    embedded = Embedded(settings)
    database = Database(embedded.ensure_running(), settings.database, revive=embedded.ensure_running)
    with database.connection() as connection:
        connection.execute("CREATE TABLE kept (writer int, number int)")
    acknowledged, tried, killed = [0] * 3, [0] * 3, threading.Event()

    def write(writer):
        while not killed.is_set():
            try:
                with database.connection() as connection, connection.cursor() as cursor:
                    tried[writer] += 1
                    with cursor.copy("COPY kept FROM STDIN") as copy:
                        for number in range(50):
                            copy.write_row([writer, number])
                acknowledged[writer] += 1
            except psycopg.Error:
                return

    writers = [threading.Thread(target=write, args=[number]) for number in range(3)]
    try:
        for writer in writers:
            writer.start()
        deadline = time.monotonic() + 60
        while min(acknowledged) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(embedded.status().pid, signal.SIGKILL)
        killed.set()
        for writer in writers:
            writer.join(timeout=60)

        with database.dedicated() as connection:
            found = dict(
                connection.execute("SELECT writer, count(*) / 50 FROM kept GROUP BY writer").fetchall()
            )
            whole = connection.execute("SELECT count(*) % 50 FROM kept").fetchone()
        # A commit may have been made durable without its answer reaching us, never the other way round.
        assert all(acknowledged[writer] <= found[writer] <= tried[writer] for writer in range(3))
        assert whole == (0,)
    finally:
        database.close()
        embedded.stop()
