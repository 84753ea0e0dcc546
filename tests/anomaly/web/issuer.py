"""A real OpenID provider on a port of this machine: discovery, keys, codes, PKCE, signed tokens; it can be told to misbehave."""

import base64
import hashlib
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

SECRET = "a secret/with + signs"


class LocalIssuer:
    """Used in `with`. `claims` and `header` change what the next tokens say; `rotate` changes the key."""

    def __init__(self, client_id="anomaly", secret=SECRET):
        self.client_id, self.secret = client_id, secret
        self.claims, self.signs, self.codes, self.asked = {}, "RS256", {}, []
        self.says, self.broken = {}, False
        self.who = {"sub": "42", "preferred_username": "Ann", "groups": ["sre"]}
        self.rotate()

    def rotate(self):
        """From now on tokens are signed by a new key, and only that is published."""
        self.key = RSAKey.generate_key(2048, {"kid": uuid.uuid4().hex, "use": "sig", "alg": "RS256"})

    def __enter__(self):
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer._get(self)

            def do_POST(self):
                issuer._post(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def agree(self, start_url):
        """The person signs in at the provider; returns the code and state that the browser is sent back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(start_url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == self.client_id
        assert "openid" in asked["scope"].split()
        code = uuid.uuid4().hex
        self.codes[code] = asked
        return code, asked["state"]

    def _get(self, handler):
        self.asked.append(handler.path)
        if self.broken:
            self._answer(handler, 500, {})
        elif handler.path == "/realm/.well-known/openid-configuration":
            said = {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
            self._answer(handler, 200, said | self.says)
        elif handler.path == "/realm/keys":
            self._answer(handler, 200, {"keys": [self.key.as_dict(private=False)]})
        else:
            self._answer(handler, 404, {})

    def _post(self, handler):
        self.asked.append(handler.path)
        form = handler.rfile.read(int(handler.headers["content-length"])).decode()
        given = {name: values[0] for name, values in parse_qs(form).items()}
        asked = self.codes.pop(given.get("code"), None)
        if not self._is_client(handler) or asked is None or not self._fits(asked, given):
            self._answer(handler, 400, {"error": "invalid_grant"})
            return
        access = uuid.uuid4().hex
        token = self.token(asked["nonce"])
        self._answer(handler, 200, {"access_token": access, "token_type": "Bearer", "id_token": token})

    def token(self, nonce):
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": nonce, **self.who,
        } | self.claims  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.signs == "none":
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        if self.signs == "HS256":
            key = OctKey.import_key(self.secret)
            return jwt.encode({"alg": "HS256"}, claims, key, algorithms=["HS256"])
        key = RSAKey.generate_key(2048) if self.signs == "forged" else self.key
        header = {"alg": "RS256", "kid": self.key.kid}
        return jwt.encode(header, claims, key)

    def _is_client(self, handler):
        kind, _, value = handler.headers.get("authorization", "").partition(" ")
        name, _, secret = base64.b64decode(value).decode().partition(":")
        return kind == "Basic" and (unquote(name), unquote(secret)) == (self.client_id, self.secret)

    def _fits(self, asked, given):
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return challenge == asked["code_challenge"] and given["redirect_uri"] == asked["redirect_uri"]

    def _answer(self, handler, status, value):
        body = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


def _part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
