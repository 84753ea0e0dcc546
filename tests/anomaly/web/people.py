"""People and tokens for tests of who may do what."""

import re
from datetime import timedelta

from anomaly.rights import Right, Role
from anomaly.store.passwords import hashed
from anomaly.store.people import Reach, add_person, set_password
from anomaly.store.sessions import Lifetime, begin_session
from anomaly.store.tokens import Grant, make
from anomaly.web.server import clock
from tests.anomaly.web.asking import ask

LIFETIME = Lifetime(timedelta(hours=2), timedelta(hours=12))
PASSWORD = "four words are good"
_HASHED = {}


def a_token(database, *scopes, clusters=None, expires_at=None, name="robot"):
    """The Authorization header of a new token; `clusters` by id, None is every one."""
    with database.begin() as connection:
        grant = Grant(name, frozenset(map(Right, scopes)), clusters and frozenset(clusters), expires_at)
        return f"Bearer {make(connection, grant)[1]}"


def a_person(database, name="ann", role=Role.VIEWER, clusters=None, password=None):
    """The id of a new account; hashing takes a while, so each password is hashed once."""
    with database.begin() as connection:
        person = add_person(connection, name, Reach(role, clusters and frozenset(clusters)), "test")
        if password is not None:
            if password not in _HASHED:
                _HASHED[password] = hashed(password, "")
            set_password(connection, person, _HASHED[password])
    return person


def a_session(database, name="ann", role=Role.VIEWER, clusters=None, now=None):
    """The secret of a session of a new account."""
    person = a_person(database, name, role, clusters)
    with database.begin() as connection:
        return begin_session(connection, person, now or clock(), LIFETIME, "127.0.0.1", "test")


class Browser:
    """Keeps cookies between requests as a browser does, and sends what one sends."""

    def __init__(self, app, scheme="http", address="127.0.0.1"):
        self.app, self.scheme, self.cookies, self.address = app, scheme, {}, address
        self.set_cookies = []

    def get(self, path, **headers):
        return self._ask("GET", path, b"", headers)

    def post(self, path, **fields):
        """Post a form with the token that the last page had."""
        from urllib.parse import urlencode

        headers = {
            "content_type": "application/x-www-form-urlencoded",
            "origin": f"{self.scheme}://anomaly.test",
            "sec_fetch_site": "same-origin",
        }
        headers |= fields.pop("headers", {})
        body = urlencode({"csrf": getattr(self, "csrf", "")} | fields).encode()
        return self._ask("POST", path, body, headers)

    def sign_in(self, name="ann", password=PASSWORD, next="/"):
        self.get("/login")
        return self.post("/login", name=name, password=password, next=next)

    def _ask(self, method, path, body, headers):
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = ({"cookie": jar} if jar else {}) | headers
        status, given, text, raw = ask(
            self.app, method, path, body=body, scheme=self.scheme, client=self.address, raw=True, **headers
        )
        self.set_cookies = [value.decode() for name, value in raw if name == b"set-cookie"]
        for one in self.set_cookies:
            name, _, value = one.partition(";")[0].partition("=")
            if "Max-Age=0" in one:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        if found := re.search(rb'name="csrf" value="(\w+)"', text):
            self.csrf = found[1].decode()
        return status, given, text
