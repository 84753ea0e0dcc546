"""How the embedded server is tuned: bulk ingest on a small machine, nothing acknowledged ever lost."""

from __future__ import annotations

import sys

from anomaly.settings import DatabaseSettings


def server_parameters(settings: DatabaseSettings, name: str) -> dict[str, str]:
    """Put the server's configuration together. This will let `settings.parameters` win."""
    chosen = {
        # Never lose what was acknowledged; kill -9 and power cuts included.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "shared_buffers": _kilobytes(settings.shared_buffers),
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "max_wal_size": _kilobytes(settings.max_wal_size),
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "wal_compression": "on",
        # No replicas follow an embedded server; without them COPY into a new partition writes less log.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        "max_connections": "60",
        "jit": "off",
        "random_page_cost": "1.1",
        "autovacuum": "on",
        "autovacuum_naptime": "30s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # Duplicates of a retried batch are errors that ingest expects: without this every one would be logged
        # in full.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
    }
    if sys.platform == "linux":
        # After a crash every file is synced before recovery: one call for all instead of one for each partition.
        chosen["recovery_init_sync_method"] = "syncfs"
    chosen |= {"listen_addresses": "", "unix_socket_permissions": "0700", "cluster_name": name}
    return chosen | settings.parameters


def _kilobytes(size: int) -> str:
    return f"{size // 1024}kB"
