"""Who sends: the bearer token of a request, looked up by its digest and remembered for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from anyio import to_thread

from anomaly.errors import Refused
from anomaly.store.database import Database
from anomaly.store.tokens import Holder, Scope, digest_of, holder_of, looks_right
from anomaly.web.problem import NotAuthenticated

REMEMBERED_SECONDS: Final = 5.0
"""How long a revoked token still opens the door, at most; in return a busy sender costs one look-up in 5 s."""

_MOST: Final = 10_000


class Doorkeeper:
    """Knows who may come in. For one event loop."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[bytes, tuple[float, Holder]] = {}

    async def admit(self, authorization: str | None, cluster: str, scope: Scope) -> Holder:
        """This will return the holder of the token if it is of this cluster and scope.

        Raises NotAuthenticated for a missing, unknown, revoked or expired token and Refused for one of another cluster. Which
        of them depends on the token alone, so the answer does not tell whether a cluster exists.
        """
        kind, _, text = (authorization or "").partition(" ")
        text = text.strip()
        holder = await self._look_up(text) if kind.lower() == "bearer" and looks_right(text) else None
        if holder is None:
            raise NotAuthenticated
        if holder.cluster != cluster or holder.scope is not scope:
            raise Refused("The token is not for this cluster.", hint="Each cluster has its own token.")
        return holder

    async def _look_up(self, text: str) -> Holder | None:
        digest = digest_of(text)
        until, holder = self._known.get(digest, (0.0, None))
        if holder is not None and time.monotonic() < until and not self._expired(holder):
            return holder
        holder = await to_thread.run_sync(self._ask, digest)
        if holder is None:
            self._known.pop(digest, None)
        else:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[digest] = time.monotonic() + REMEMBERED_SECONDS, holder
        return holder

    def _expired(self, holder: Holder) -> bool:
        return holder.expires_at is not None and holder.expires_at <= self._clock()

    def _ask(self, digest: bytes) -> Holder | None:
        with self._database.read() as connection:
            return holder_of(connection, digest, self._clock())
