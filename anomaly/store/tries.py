"""Failed tries to sign in: how many there may be from one address, on one account, and by one on the other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from anomaly.errors import AnomalyError
from anomaly.store.tables import failed_try

WITHIN: Final = timedelta(minutes=15)
LIMITS: Final = {"both": 5, "account": 30, "address": 50}
"""Failures within 15 minutes. Few by one address on one account; more on an account, since otherwise anybody could keep its owner
out; most from an address, since an office may share one. 30 an account are 2,880 guesses a day, which a password withstands."""
_LOCK: Final = 0x7472


class TooManyTries(AnomalyError):
    """There were too many failed tries to sign in."""

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, round(wait.total_seconds()))
        minutes = -(-self.seconds // 60)
        super().__init__(
            f"There were too many failed tries to sign in; try again in {minutes} minute{'s' if minutes > 1 else ''}."
        )


@dataclass(frozen=True, slots=True)
class Try:
    """A try to sign in: which account, from which address."""

    name: str
    address: str

    def keys(self) -> dict[str, bytes]:
        """This will return what it counts against, as digests: people type passwords where the name belongs."""
        name = self.name.strip().lower()
        texts = {
            "both": f"{name}\n{self.address}",
            "account": f"{name}\n",
            "address": f"\n{self.address}",
        }
        return {kind: hashlib.sha256(text.encode()).digest() for kind, text in texts.items()}


def begin_try(connection: Connection, given: Try, now: datetime) -> None:
    """This will count a try as failed until `forget_tries` says otherwise, so that many at once are not more than many in a row.

    Raises TooManyTries, and then counts nothing: who is kept out must not be able to prolong it.
    """
    keys = given.keys()
    for digest in sorted(keys.values()):
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK, int.from_bytes(digest[:4], signed=True))))
    for kind, digest in keys.items():
        times = (
            connection.execute(
                select(failed_try.c.made_at)
                .where(failed_try.c.whose == digest, failed_try.c.made_at > now - WITHIN)
                .order_by(failed_try.c.made_at.desc())
                .limit(LIMITS[kind])
            )
            .scalars()
            .all()
        )
        if len(times) >= LIMITS[kind]:
            raise TooManyTries(times[-1] + WITHIN - now)
    connection.execute(failed_try.insert(), [{"whose": one, "made_at": now} for one in keys.values()])


def forget_tries(connection: Connection, given: Try, now: datetime) -> None:
    """This will take back the try of `now`, which succeeded, and all of this address on this account."""
    keys = given.keys()
    connection.execute(failed_try.delete().where(failed_try.c.whose == keys["both"]))
    for kind in ("account", "address"):
        connection.execute(
            failed_try.delete().where(failed_try.c.whose == keys[kind], failed_try.c.made_at == now)
        )


def drop_tries(connection: Connection, now: datetime) -> int:
    """This will let go of tries that count no longer, and return how many rows that were."""
    return connection.execute(failed_try.delete().where(failed_try.c.made_at <= now - WITHIN)).rowcount
