"""How long the server takes for each page of the console, with 1,000,000 events and 10,000 findings kept, on a real server.

Every page that the route table has is asked for, over one connection, its answer read to the end; the first answer after the
service started is shown beside. In the same run: a route that does nothing. Bar: 150 ms at the 95th percentile, for every page;
for questions to events and the picture above them 300 ms, where the page itself says that no index serves them none.
"""

from __future__ import annotations

import argparse
import http.client
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import psycopg

from benchmarks.bench_search import QUESTIONS, RAW
from benchmarks.filled import CLUSTER, EVENTS, FINDINGS, connected, fill, served, session

BAR_MS: Final = 150.0
SEARCH_BAR_MS: Final = 300.0
NOTHING: Final = "/healthz"
NOT_PAGES: Final = {
    "/oidc/start": "leads to a provider",
    "/oidc/callback": "comes from a provider",
    "/events/export": "a file of up to 100,000 events, sent as it is made",
}
"""Routes of the console that show no page, and why."""
TRIAL: Final = """apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What is asked for one line of the table: URLs in turn, of one route of the route table."""

    label: str
    route: str
    urls: list[str]
    bar: float | None = BAR_MS
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the URLs name. `first` and `last` are the times of the first and last event."""

    first: datetime
    last: datetime
    findings: list[str]
    busy: list[str]
    entities: list[str]
    event: tuple[str, int, str]
    rules: list[str]
    model: int
    other: int

    def span(self, **length: float) -> str:
        """This will return the time that ends with the last event, as parameters of a URL."""
        until = self.last + timedelta(seconds=1)
        since = until - timedelta(**length)
        return urlencode({"since": since.isoformat(), "until": until.isoformat()})


def known(folder: Path) -> Known:
    """This will look up what is in the database."""
    with connected(folder) as connection:
        first, last = connection.execute(
            "SELECT min(received_at), max(received_at) FROM anomaly.event"
        ).fetchone()
        at, key = connection.execute(
            "SELECT received_at, event_key FROM anomaly.event ORDER BY received_at DESC OFFSET 1000 LIMIT 1"
        ).fetchone()
        moment = round(at.timestamp() * 1_000_000)
        return Known(
            first,
            last,
            _texts(connection, "SELECT id FROM anomaly.finding ORDER BY md5(id::text) LIMIT 30"),
            _texts(
                connection,
                "SELECT id FROM anomaly.finding ORDER BY count DESC, start_at DESC LIMIT 10",
            ),
            _texts(
                connection,
                "SELECT username FROM anomaly.entity JOIN (SELECT entity_id, count(*) AS many FROM anomaly.entity_window"
                " GROUP BY 1) w ON w.entity_id = id ORDER BY many DESC, md5(username) LIMIT 20",
            ),
            (CLUSTER, moment, key.hex),
            _texts(
                connection,
                "SELECT name FROM anomaly.finding WHERE kind = 'rule' GROUP BY 1 ORDER BY count(*) DESC LIMIT 10",
            ),
            *(
                int(one)
                for one in _texts(connection, "SELECT id FROM anomaly.model ORDER BY id DESC LIMIT 2")
            ),
        )


def _texts(connection: psycopg.Connection, question: str) -> list[str]:
    return [str(value) for (value,) in connection.execute(question)]


def pages(have: Known, runs: dict[str, int]) -> Iterator[Page]:
    """This will yield every page of the console."""
    hour, day, month = have.span(hours=1), have.span(days=1), have.span(days=30)
    one = have.findings[0]
    yield Page("inbox", "/", ["/"])
    yield Page("inbox, a later page", "/", ["/?tab=all&page=4"])
    yield Page("inbox, newest first", "/", ["/?sort=newest"])
    yield Page("inbox, a day", "/", [f"/?{day}"])
    yield Page(
        "inbox, filtered",
        "/",
        ["/?tab=all&severity=critical&severity=high&span=all&technique=T1609", "/?q=secret", "/?entity=t*"],
    )
    yield Page("inbox, what is new", "/inbox/news", ["/inbox/news?after=2026-11-24T10:00:00Z"])
    yield Page("inbox, tabs after a deed", "/inbox/head", ["/inbox/head"])
    yield Page("inbox, a row", "/inbox/story", [f"/inbox/story?row={one}&finding={one}&tab=all"])
    yield Page("finding", "/findings/{number}", [f"/findings/{one}" for one in have.findings])
    yield Page("finding with most events", "/findings/{number}", [f"/findings/{one}" for one in have.busy])
    yield Page(
        "finding, its events",
        "/findings/{number}/events",
        [f"/findings/{one}/events?first=20" for one in have.busy],
    )
    yield Page("dashboard, an hour", "/dashboard", [f"/dashboard?{hour}"])
    yield Page("dashboard, a day", "/dashboard", [f"/dashboard?{day}"])
    yield Page("dashboard, a month", "/dashboard", [f"/dashboard?{month}"])
    yield Page("entities, a week", "/entities", [f"/entities?{have.span(days=7)}"])
    yield Page("entities, a month", "/entities", [f"/entities?{month}"])
    yield Page(
        "entities, searched", "/entities", [f"/entities?{month}&q=admin", f"/entities?{month}&kind=human"]
    )
    yield Page(
        "entity",
        "/entities/{cluster}/{name:path}",
        [f"/entities/{CLUSTER}/{quote(name, safe='')}" for name in have.entities],
    )
    yield from _events(have, hour, day)
    yield Page("models", "/models", ["/models"])
    yield Page("model", "/models/{model}", [f"/models/{have.model}", f"/models/{have.other}"])
    yield Page(
        "model, compared",
        "/models/{model}/comparisons/{run}",
        [f"/models/{have.other}/comparisons/{runs['comparison']}"],
    )
    yield Page("model, trained", "/models/-/trainings/{run}", [f"/models/-/trainings/{runs['training']}"])
    yield Page("rules", "/rules", ["/rules", "/rules?q=secret&fired=month"])
    yield Page("rule", "/rules/{rule}", [f"/rules/{one}" for one in have.rules])
    yield Page(
        "rule, replayed",
        "/rules/{rule}/replays/{run}",
        [f"/rules/{have.rules[0]}/replays/{runs['replay']}"],
    )
    yield Page("policy", "/policy", ["/policy"])
    yield Page("policy, tried", "/policy/trial/{run}", [f"/policy/trial/{runs['trial']}"])
    yield Page("clusters", "/clusters", ["/clusters"])
    yield Page("clusters, asked again", "/clusters", ["/clusters"], headers={"HX-Request": "true"})
    yield Page("cluster", "/clusters/{cluster}", [f"/clusters/{CLUSTER}"])
    yield Page("cluster, its light", "/clusters/{cluster}/light", [f"/clusters/{CLUSTER}/light"])
    yield Page("cluster, to add", "/clusters/-/add", ["/clusters/-/add"])
    yield Page("doctor", "/doctor", ["/doctor"])
    yield Page("account", "/account", ["/account"])
    yield Page("tokens", "/tokens", ["/tokens"])
    yield Page("login", "/login", ["/login"])
    yield Page("invite that has ended", "/invite/{code}", ["/invite/none"])


def _events(have: Known, hour: str, day: str) -> Iterator[Page]:
    whole = have.span(days=7)
    for text in QUESTIONS:
        about = {"q": text} if text else {}
        asked = urlencode(about)
        yield Page(f"events {text or 'all'}", "/events", [f"/events?{asked}&{whole}"], SEARCH_BAR_MS)
        yield Page(
            f"  over time {text or 'all'}",
            "/events/over-time",
            [f"/events/over-time?{asked}&{whole}"],
            SEARCH_BAR_MS,
        )
    for text in RAW:
        asked = urlencode({"q": text})
        yield Page(f"events {text}", "/events", [f"/events?{asked}&{whole}"], None)
        yield Page(f"  over time {text}", "/events/over-time", [f"/events/over-time?{asked}&{whole}"], None)
    yield Page("events, an hour", "/events", [f"/events?{hour}"])
    yield Page("events, a day", "/events", [f"/events?{day}"])
    yield Page(
        "events, suggestions",
        "/events/suggestions",
        [
            f"/events/suggestions?{urlencode({'q': q, 'caret': len(q)})}"
            for q in ("user:sys", "name:web", "re")
        ],
    )
    cluster, moment, key = have.event
    yield Page(
        "event",
        "/events/{cluster}/{moment}/{key}",
        [f"/events/{cluster}/{moment}/{key}"],
    )


def page_routes() -> set[str]:
    """This will return the paths of all pages, as the route table has them."""
    from anomaly.web import pages as room
    from anomaly.web.app import routers

    return {
        route.path  # type: ignore[attr-defined]
        for router in routers(room)
        for route in router.routes
        if "GET" in route.methods  # type: ignore[attr-defined]
    }


class Asker:
    """One browser: a connection that is kept, and a session."""

    def __init__(self, port: int, secret: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._secret = secret

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[float, int, int]:
        """This will ask for a path; returns milliseconds, status and bytes."""
        began = time.perf_counter()
        given = {"Cookie": f"anomaly={self._secret}", "Accept": "text/html", **(headers or {})}
        self._connection.request("GET", path, headers=given)
        answer = self._connection.getresponse()
        size = len(answer.read())
        return (time.perf_counter() - began) * 1000, answer.status, size

    def post(self, path: str, **fields: str) -> str:
        """This will send a form; returns where it leads, or else the page."""
        from anomaly.store.sessions import csrf_of

        body = urlencode({"csrf": csrf_of(self._secret), **fields})
        headers = {
            "Cookie": f"anomaly={self._secret}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 400:
            raise SystemExit(f"{path}: answer {answer.status}")
        return answer.headers.get("Location") or text


def errands(folder: Path, asker: Asker, have: Known) -> dict[str, int]:
    """This will have the long work done whose results are pages, once."""
    names = {
        "training": "train",
        "comparison": "diff-models",
        "replay": "replay-rules",
        "trial": "simulate-policy",
    }
    found = _runs(folder, names)
    if len(found) == len(names):
        return found
    begun = {
        "training": ("/models/-/trainings", {"of": CLUSTER}),
        "comparison": (f"/models/{have.other}/comparisons", {"other": str(have.model), "days": "30"}),
        "replay": (f"/rules/{have.rules[0]}/replays", {"days": "30", "over": CLUSTER}),
        "trial": ("/policy/trial", {"cluster": CLUSTER, "policy": TRIAL, "span": "30d"}),
    }
    for name, (path, fields) in begun.items():
        if name not in found:
            asker.post(path, **fields)
            while name not in (found := _runs(folder, names)):
                time.sleep(1)
    return found


def _runs(folder: Path, names: dict[str, str]) -> dict[str, int]:
    with connected(folder) as connection:
        rows = connection.execute(
            "SELECT job, max(id) FROM anomaly.job_run WHERE job = ANY(%s) AND finished_at IS NOT NULL GROUP BY job",
            [list(names.values())],
        ).fetchall()
    ended = dict(rows)
    return {name: ended[job] for name, job in names.items() if job in ended}


def measure(asker: Asker, one: Page, times: int) -> bool:
    """This will ask for a page again and again and print a line; returns whether it is within its bar."""
    answers = [asker.get(one.urls[number % len(one.urls)], one.headers) for number in range(times + 3)]
    wrong = {status for _, status, _ in answers} - {200, 404, 410}
    if wrong:
        raise SystemExit(f"{one.label}: answer {wrong}")
    took = sorted(milliseconds for milliseconds, _, _ in answers[3:])
    high = took[max(0, -(-len(took) * 95 // 100) - 1)]
    kept = one.bar is None or high <= one.bar
    bar = "no bar" if one.bar is None else f"bar {one.bar:3.0f} {'kept' if kept else 'MISSED'}"
    print(
        f"{one.label:48} first {answers[0][0]:7.1f}   p50 {statistics.median(took):7.1f}   p95 {high:7.1f} ms"
        f"   {answers[-1][2] / 1024:5.0f} KiB   {bar}",
        flush=True,
    )
    return kept


def main() -> None:
    """Make the data, ask for every page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--findings", type=int, default=FINDINGS)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="keep the data here, and use it again")
    parser.add_argument("--only", default="", help="pages whose name begins so")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        fill(folder, arguments.events, arguments.findings)
        secret = session(folder)
        have = known(folder)
        with served(folder) as port:
            asker = Asker(port, secret)
            listed = list(pages(have, errands(folder, asker, have)))
            forgotten = page_routes() - {one.route for one in listed} - NOT_PAGES.keys()
            if forgotten:
                raise SystemExit(f"not measured: {', '.join(sorted(forgotten))}")
            measure(asker, Page("a route that does nothing", NOTHING, [NOTHING], None), arguments.times)
            kept = [
                measure(asker, one, arguments.times) for one in listed if one.label.startswith(arguments.only)
            ]
        if not kept:
            raise SystemExit(f"no page has a name that begins with {arguments.only!r}")
        print(f"{sum(kept)} of {len(kept)} within their bar: {'holds' if all(kept) else 'FAILS'}")


if __name__ == "__main__":
    main()
