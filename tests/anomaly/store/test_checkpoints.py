"""How far a source was read is remembered for each cluster and content."""

from anomaly.store.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from anomaly.store.clusters import ensure_cluster


def test_what_was_never_read_is_at_its_beginning(database):
    with database.dedicated() as connection:
        assert load_checkpoint(connection, 1, "abc") == Checkpoint(0, "", False)


def test_the_last_word_counts_and_is_durable(database):
    with database.begin() as connection:
        prod, test = (ensure_cluster(connection, name) for name in ("prod", "test"))
    with database.dedicated() as connection:
        save_checkpoint(connection, prod, "abc", "/var/log/audit.log", Checkpoint(10, "3:ab"))
        save_checkpoint(connection, prod, "abc", "/var/log/audit-\udcff.log", Checkpoint(2**40, "4:cd", True))
    with database.dedicated() as connection:
        assert load_checkpoint(connection, prod, "abc") == Checkpoint(2**40, "4:cd", True)
        assert (
            load_checkpoint(connection, test, "abc")
            == load_checkpoint(connection, prod, "abd")
            == Checkpoint()
        )
        assert connection.execute("SELECT path FROM anomaly.checkpoint").fetchall() == [
            ("/var/log/audit-?.log",)
        ]
