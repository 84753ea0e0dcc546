"""Signing in by OpenID Connect: authorization code with PKCE (S256), state and nonce, and ID tokens that are verified to the letter.

The issuer comes from the settings alone; no request names an address that would be asked. What the issuer says of itself
(discovery) must name the same issuer, and its endpoints must be as safe as it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import httpx
import msgspec
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from anomaly.errors import Refused
from anomaly.rights import Role
from anomaly.settings import OidcSettings
from anomaly.web.problem import IssuerUnavailable, SignInRefused

log = logging.getLogger(__name__)

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures by a key that only the issuer has. Neither `none` nor HS256, whose key would be our own client secret."""
_TIMEOUT: Final = httpx.Timeout(5.0)
_MOST_BYTES: Final = 1 << 20
_KNOWN_SECONDS: Final = 3600.0
_KEYS_AGAIN_SECONDS: Final = 10.0
"""A token of an unknown key has the keys fetched anew, but not for each of a flood of them."""
_LEEWAY: Final = 60
_RANKS: Final = (Role.ADMIN, Role.ANALYST, Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the issuer vouches for, with a role and the names of clusters; None means every cluster."""

    subject: str
    name: str
    role: Role
    clusters: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signing in between its start and its end: all of it follows from a secret that only this browser has."""

    secret: str
    wanted: str

    @classmethod
    def new(cls, wanted: str) -> Attempt:
        """This will begin one; `wanted` is the path to go on to."""
        return cls(secrets.token_urlsafe(32), wanted)

    @classmethod
    def read(cls, text: str | None) -> Attempt:
        """This will read one from its cookie. Raises SignInRefused when there is none."""
        secret, dot, wanted = (text or "").partition(".")
        if not secret or not dot:
            raise SignInRefused("This browser did not begin a signing in, or too long ago.")
        return cls(secret, unquote(wanted))

    def write(self) -> str:
        """This will return it as the value of a cookie."""
        return f"{self.secret}.{quote(self.wanted, safe='')}"

    def part(self, purpose: str) -> str:
        """This will return its state, nonce or verifier: different ones, and none tells another."""
        made = hmac.new(self.secret.encode(), purpose.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    def check_state(self, state: str) -> None:
        """This will pass the state of this attempt alone. Raises SignInRefused."""
        if not hmac.compare_digest(state.encode(), self.part("state").encode()):
            raise SignInRefused("The answer belongs to another signing in than the one begun here.")


class Issuer:
    """An identity provider, by the settings. Safe to share between threads; asks it when it has to."""

    def __init__(self, options: OidcSettings) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._said: Mapping[str, Any] = {}
        self._said_until = 0.0
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    def start_url(self, attempt: Attempt, callback: str) -> str:
        """This will return where to send the browser. Raises IssuerUnavailable."""
        asked = {
            "response_type": "code",
            "client_id": self._options.client_id,
            "redirect_uri": callback,
            "scope": " ".join(self._options.scopes),
            "state": attempt.part("state"),
            "nonce": attempt.part("nonce"),
            "code_challenge": create_s256_code_challenge(attempt.part("verifier")),
            "code_challenge_method": "S256",
        }
        return str(add_params_to_uri(self._endpoint("authorization_endpoint"), list(asked.items())))

    def finish(self, attempt: Attempt, code: str, callback: str) -> Known:
        """This will trade the code for an ID token and return whom it vouches for.

        Raises IssuerUnavailable, SignInRefused for a code or token that does not hold, Refused for who has no role here.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": attempt.part("verifier"),
            "client_id": self._options.client_id,
        }
        secret = self._options.client_secret
        # Names and secrets are form-encoded before they become a header (RFC 6749, 2.3.1).
        auth = (
            (quote(self._options.client_id, safe=""), quote(secret.get_secret_value(), safe=""))
            if secret
            else None
        )
        given = self._asked("POST", self._endpoint("token_endpoint"), form, auth)
        claims = self._verified(given, attempt.part("nonce"))
        role, clusters = self._mapped(claims)
        name = claims.get(self._options.name_claim) or claims.get("email") or claims["sub"]
        return Known(str(claims["sub"]), str(name), role, clusters)

    def _verified(self, given: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        token = given.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused("The identity provider sent no ID token.")
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        try:
            try:
                read = jwt.decode(token, self._key_set(), registry=registry)
            except InvalidKeyIdError:
                read = jwt.decode(token, self._key_set(anew=True), registry=registry)
            said = {"iss": {"essential": True, "value": self._options.issuer}}
            wanted: dict[str, Any] = said | {"nonce": {"essential": True, "value": nonce}}
            client = {"nonce": nonce, "client_id": self._options.client_id}
            more = {"access_token": given["access_token"]} if "access_token" in given else {}
            claims = CodeIDToken(read.claims, read.header, wanted, client | more)
            claims.validate(leeway=_LEEWAY)
            self._check_audience(read.claims)
        except (JoseError, ValueError, TypeError, KeyError) as wrong:
            raise SignInRefused(f"The ID token does not hold: {type(wrong).__name__}.") from wrong
        return dict(read.claims)

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        ours = self._options.client_id
        several = audience if isinstance(audience, list) else [audience]
        if ours not in several or (len(several) > 1 and claims.get("azp") != ours):
            raise ValueError("another audience")

    def _mapped(self, claims: Mapping[str, Any]) -> tuple[Role, frozenset[str] | None]:
        said = claims.get(self._options.groups_claim, [])
        groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        given = [mapped(self._options.groups[one]) for one in groups if one in self._options.groups]
        for role in _RANKS:
            scopes = [clusters for has, clusters in given if has is role]
            if scopes:
                named = [one for one in scopes if one is not None]
                return role, frozenset().union(*named) if len(named) == len(scopes) else None
        raise Refused(
            "You are known to the identity provider, but none of your groups has a role here.",
            hint="An admin adds the group to the setting oidc.groups.",
        )

    def _endpoint(self, name: str) -> str:
        url = self._discovered().get(name)
        if not isinstance(url, str) or not _as_safe(url, self._options.issuer or ""):
            raise IssuerUnavailable(f"The identity provider names no usable {name}.")
        return url

    def _discovered(self) -> Mapping[str, Any]:
        with self._lock:
            if time.monotonic() < self._said_until:
                return self._said
        issuer = self._options.issuer or ""
        said = self._asked("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if said.get("issuer") != issuer:
            raise IssuerUnavailable(
                "The identity provider calls itself otherwise than the setting oidc.issuer does.",
                hint="The setting must be the same to the letter, a / at its end included.",
            )
        with self._lock:
            self._said, self._said_until = said, time.monotonic() + _KNOWN_SECONDS
        return said

    def _key_set(self, *, anew: bool = False) -> KeySet:
        with self._lock:
            age = time.monotonic() - self._keys_at
            if self._keys is not None and age < (_KEYS_AGAIN_SECONDS if anew else _KNOWN_SECONDS):
                return self._keys
        found = self._asked("GET", self._endpoint("jwks_uri"))
        try:
            keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError) as unusable:
            raise IssuerUnavailable("The identity provider's keys cannot be read.") from unusable
        with self._lock:
            self._keys, self._keys_at = keys, time.monotonic()
        return keys

    def _asked(
        self,
        method: str,
        url: str,
        form: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Redirects are not followed: an address is asked only if the settings or the issuer itself name it."""
        try:
            with (
                httpx.Client(timeout=_TIMEOUT) as client,
                client.stream(method, url, data=form, auth=auth) as answer,
            ):
                held = bytearray()
                for piece in answer.iter_bytes():
                    held += piece
                    if len(held) > _MOST_BYTES:
                        raise ValueError("the answer is too long")
            if form is not None and 400 <= answer.status_code < 500:
                raise SignInRefused("The identity provider did not accept the code.")
            answer.raise_for_status()
            return msgspec.json.decode(bytes(held), type=dict[str, Any])
        except (httpx.HTTPError, ValueError) as away:
            log.warning(
                "the identity provider does not answer", extra={"url": url, "reason": str(away)[:300]}
            )
            raise IssuerUnavailable from away


def mapped(text: str) -> tuple[Role, frozenset[str] | None]:
    """This will read what a group gives: `admin`, or `analyst:shop+bank` for some clusters. Raises ValueError."""
    role, colon, names = text.partition(":")
    clusters = frozenset(name.strip() for name in names.split("+") if name.strip())
    if colon and not clusters:
        raise ValueError(f"{text!r} names no cluster after the colon")
    return Role(role.strip()), clusters if colon else None


def _as_safe(url: str, issuer: str) -> bool:
    return urlsplit(url).scheme in {"https", urlsplit(issuer).scheme} and bool(urlsplit(url).netloc)
