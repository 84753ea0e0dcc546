"""Who asks, and whether they may: tokens of programs, sessions of people, and what keeps other pages from using the latter.

A route says what it needs by one dependency, `Annotated[Principal, Depends(need(Right.READ))]`; a page by `need_page`. A
cluster in the path or the query is held against the scope here, so that a route cannot forget to; whatever else a route
shows it must hold against `Principal.may_see`, and `tests/anomaly/web/test_scope.py` looks whether it does.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPBearer

from anomaly.errors import Refused
from anomaly.rights import Principal, Right
from anomaly.settings import AccessSettings
from anomaly.store.certificates import clusters_named
from anomaly.store.clusters import cluster_id, no_cluster
from anomaly.store.database import Database
from anomaly.store.sessions import Lifetime, person_of_session
from anomaly.store.tokens import Holder, digest_of, holder_of, looks_right
from anomaly.web.cookies import SECURE_NAME, session_secret
from anomaly.web.csrf import SAFE, check_unsafe
from anomaly.web.problem import NotAuthenticated, SignInNeeded
from anomaly.web.record import AccessRecord
from anomaly.web.sender import shown_by
from anomaly.web.tls import ClientCertificate

REMEMBERED_SECONDS: Final = 5.0
"""How long a revoked token still opens the door, at most; in return a busy sender costs one look-up in 5 s."""

_MOST: Final = 10_000
_CHANGES: Final = frozenset({Right.TRIAGE, Right.ADMIN})
"""Rights by which something is changed, other than by what API servers send."""
_BEARER: Final = HTTPBearer(scheme_name="token", description="`anomaly token create`", auto_error=False)
_COOKIE: Final = APIKeyCookie(name=SECURE_NAME, scheme_name="session", auto_error=False)


class Doorkeeper:
    """Knows who may come in. For one event loop. Tokens are remembered for a few seconds, sessions not at all."""

    def __init__(
        self, database: Database, clock: Callable[[], datetime], options: AccessSettings | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        options = options or AccessSettings()
        self.lifetime = Lifetime(options.session_idle, options.session_lifetime)
        self.record = AccessRecord(database, clock)
        self._known: dict[bytes, tuple[float, Holder]] = {}
        self._certified: dict[tuple[str, ...], tuple[float, frozenset[str]]] = {}
        self._clusters: dict[str, int] = {}

    async def by_token(self, authorization: str) -> Principal:
        """This will return who shows this header. Raises NotAuthenticated if it is no valid token, revoked or expired."""
        kind, _, text = authorization.partition(" ")
        text = text.strip()
        holder = await self._look_up(text) if kind.lower() == "bearer" and looks_right(text) else None
        if holder is None:
            raise NotAuthenticated
        clusters = None if holder.clusters is None else frozenset(holder.clusters)
        return Principal("token", holder.token_id, holder.name, holder.rights, clusters)

    async def by_certificate(self, shown: ClientCertificate) -> Principal:
        """This will return whom a client certificate stands for: it may send events of the clusters that it names.

        The handshake found that an authority of ours signed it; that it has not ended since is looked at here, since
        connections last. Raises NotAuthenticated if it has, or names no cluster.
        """
        if shown.until <= self._clock():
            raise NotAuthenticated("The client certificate has ended.")
        until, clusters = self._certified.get(shown.names, (0.0, frozenset[str]()))
        if time.monotonic() >= until:
            clusters = await to_thread.run_sync(self._ask_for_names, shown.names)
            if len(self._certified) >= _MOST:
                self._certified.clear()
            self._certified[shown.names] = time.monotonic() + REMEMBERED_SECONDS, clusters
        if not clusters:
            raise NotAuthenticated(
                "The client certificate names no cluster.", hint="`anomaly certificate bind` gives it one."
            )
        return Principal("certificate", 0, shown.names[0], frozenset({Right.INGEST}), clusters)

    async def by_session(self, secret: str) -> Principal:
        """This will return whose session this is. Raises NotAuthenticated if there is no such session, or no longer."""
        found = await to_thread.run_sync(self._ask_for_session, secret)
        if found is None:
            raise NotAuthenticated
        return found

    async def cluster_id(self, name: str) -> int:
        """This will return the id of a cluster. Raises NotFound."""
        if name not in self._clusters:
            # For good: a name is never given to another cluster, and refusals are counted when no database answers.
            self._clusters[name] = await to_thread.run_sync(self._ask_for_cluster, name)
        return self._clusters[name]

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

    def _ask_for_names(self, names: tuple[str, ...]) -> frozenset[str]:
        with self._database.read() as connection:
            return clusters_named(connection, names)

    def _ask_for_session(self, secret: str) -> Principal | None:
        with self._database.begin() as connection:
            return person_of_session(connection, secret, self._clock(), self.lifetime.idle)

    def _ask_for_cluster(self, name: str) -> int:
        with self._database.read() as connection:
            return cluster_id(connection, name)


@cache
def need(right: Right) -> Callable[..., Awaitable[Principal]]:
    """This will return a dependency that answers who asks, once they are found to have this right.

    Raises NotAuthenticated (401) without a valid token or session, Refused (403) without the right or when another page asks
    in a person's name, NotFound (404) for a cluster outside the scope: as for one that there is not.
    """

    async def allowed(
        request: Request,
        _bearer: Annotated[Any, Depends(_BEARER)],
        _cookie: Annotated[Any, Depends(_COOKIE)],
    ) -> Principal:
        request.scope["anomaly.right"] = right
        principal = await (who_sends if right is Right.INGEST else who_asks)(request)
        if not principal.may(right):
            raise Refused(
                f"{principal.name or 'This token'} has no right to {right}.",
                hint="An admin can give it: `anomaly token create --scope`, `anomaly account role`.",
            )
        for name in _clusters_named(request):
            if not principal.may_see(name):
                raise no_cluster(name)
        if request.method not in SAFE and right in _CHANGES:
            await to_thread.run_sync(_doorkeeper(request).record.begin, request.scope, principal)
        return principal

    return allowed


async def need_any(
    request: Request,
    _bearer: Annotated[Any, Depends(_BEARER)],
    _cookie: Annotated[Any, Depends(_COOKIE)],
) -> Principal:
    """This will answer who asks, whatever they may do: for what concerns only themselves. Raises as `need` does."""
    principal = await who_asks(request)
    if request.method not in SAFE:
        await to_thread.run_sync(_doorkeeper(request).record.begin, request.scope, principal)
    return principal


@cache
def need_page(right: Right) -> Callable[..., Awaitable[Principal]]:
    """This will return a dependency like `need` for pages: who is not signed in is sent to the login and back."""
    inner = need(right)

    async def allowed(request: Request) -> Principal:
        try:
            return await inner(request, None, None)
        except NotAuthenticated as unknown:
            raise SignInNeeded(request) from unknown

    return allowed


async def who_asks(request: Request) -> Principal:
    """This will return who asks. Raises NotAuthenticated, and Refused for an unsafe request that another page may have made.

    A token that is shown decides alone: a session or a client certificate beside it is not looked at.
    """
    doorkeeper = _doorkeeper(request)
    if (authorization := request.headers.get("authorization")) is not None:
        principal = await doorkeeper.by_token(authorization)
    elif secret := session_secret(request):
        principal = await doorkeeper.by_session(secret)
        await check_unsafe(request, secret)
    elif isinstance(certificate := request.scope.get("anomaly.certificate"), ClientCertificate):
        principal = await doorkeeper.by_certificate(certificate)
    else:
        raise NotAuthenticated
    request.scope["anomaly.principal"] = principal
    return principal


async def who_sends(request: Request) -> Principal:
    """This will return who sends events: as `who_asks`, or by a token shown in one of the ways of `anomaly.web.sender`.

    Raises Refused for a token in an address that could do more than send events.
    """
    shown = shown_by(request)
    if shown is None:
        return await who_asks(request)
    principal = await _doorkeeper(request).by_token(f"Bearer {shown.token}")
    if shown.in_address and principal.rights != {Right.INGEST}:
        raise Refused(
            "A token in an address is written to many a log: this one may do more than send events.",
            hint="`anomaly cluster token` makes one that can only send events of one cluster.",
        )
    request.scope["anomaly.principal"] = principal
    return principal


def _clusters_named(request: Request) -> list[str]:
    """Clusters in the path and the query."""
    named = [request.path_params["cluster"]] if "cluster" in request.path_params else []
    return named + request.query_params.getlist("cluster")


def _doorkeeper(request: Request) -> Doorkeeper:
    found = request.app.state.shared.doorkeeper
    assert isinstance(found, Doorkeeper)
    return found
