"""What a person at the console waits for, in a real Chromium, with 1,000,000 events and 10,000 findings kept.

First paint of every whole page, with nothing in the browser's cache: from the start of the navigation to the first text on screen,
as Chromium's own paint timing has it. Keys in the inbox: from the keystroke to the frame that shows the cursor on the next row,
and from Enter to the first text of the finding. Bars: 1 s for a first paint and for Enter; 33 ms for `j`, which a held-down key
sends thirty times a second.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import bench_pages
from benchmarks.filled import EVENTS, FINDINGS, fill, served, session

PAINT_BAR_MS: Final = 1000.0
KEY_BAR_MS: Final = 33.0
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PARTS: Final = {
    "/inbox/news",
    "/inbox/head",
    "/inbox/story",
    "/findings/{number}/events",
    "/events/over-time",
    "/events/suggestions",
    "/clusters/{cluster}/light",
    "/rules/{rule}/replays/{run}",
    "/models/{model}/comparisons/{run}",
    "/models/-/trainings/{run}",
}
"""Routes of parts, which a page that stands asks for."""
PAINTED: Final = """() => new Promise((tell) => {
  const found = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  const again = () => (found() === undefined ? setTimeout(again, 5) : tell(found()));
  again();
})"""
# A frame's callbacks run before it is drawn, and a message sent by one of them comes after.
NOTED: Final = """() => {
  window.waited = [];
  document.addEventListener("keydown", (event) => {
    sessionStorage.setItem("pressed", String(performance.timeOrigin + event.timeStamp));
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => {
        const row = [...document.querySelectorAll(".story")].findIndex((one) => one.classList.contains("at"));
        window.waited.push([performance.now() - event.timeStamp, row]);
      };
      channel.port2.postMessage(0);
    });
  }, true);
}"""
SINCE_PRESSED: Final = """() => performance.timeOrigin + performance.getEntriesByName("first-contentful-paint")[0].startTime
  - Number(sessionStorage.getItem("pressed"))"""


def visit(browser: Browser, url: str, secret: str) -> Page:
    """This will return a page of a browser that has nothing in its cache, signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([{"name": "anomaly", "value": secret, "url": url}])
    page = context.new_page()
    page.set_default_timeout(30_000)
    return page


def first_paint(browser: Browser, url: str, secret: str, path: str) -> float:
    """This will return the milliseconds from the start of a navigation to the first text on screen."""
    page = visit(browser, url, secret)
    page.goto(url + path, wait_until="commit")
    taken: Any = page.evaluate(PAINTED)
    page.context.close()
    return float(taken)


def keys(browser: Browser, url: str, secret: str, times: int) -> tuple[list[float], list[float]]:
    """This will return the milliseconds of `j`, and of Enter, in the inbox."""
    page = visit(browser, url, secret)
    page.goto(f"{url}/?tab=all")
    page.wait_for_selector("html.scripted")
    page.evaluate(NOTED)
    for number in range(times):
        page.keyboard.press("j")
        page.wait_for_function("count => window.waited.length === count", arg=number + 1)
    waited: Any = page.evaluate("() => window.waited")
    rows = [row for _, row in waited]
    if rows != list(range(times)):
        raise SystemExit(f"the cursor did not go from row to row: {rows}")
    opened = []
    for number in range(max(times // 4, 3)):
        page.goto(f"{url}/?tab=all")
        page.wait_for_selector("html.scripted")
        page.evaluate(NOTED)
        for _ in range(number + 1):
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/findings/**", wait_until="commit")
        page.evaluate(PAINTED)
        taken: Any = page.evaluate(SINCE_PRESSED)
        opened.append(float(taken))
    page.context.close()
    return [float(taken) for taken, _ in waited], opened


def said(label: str, taken: list[float], bar: float) -> bool:
    """This will print a line; returns whether the bar is kept."""
    taken = sorted(taken)
    high = taken[max(0, -(-len(taken) * 95 // 100) - 1)]
    kept = high <= bar
    print(
        f"{label:48} p50 {statistics.median(taken):6.0f}   p95 {high:6.0f} ms   bar {bar:4.0f} {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def main() -> None:
    """Make the data, look at every page, press keys."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--findings", type=int, default=FINDINGS)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keys", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="keep the data here, and use it again")
    arguments = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("There is no Chromium on this machine; on Debian and Ubuntu: apt install chromium")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        fill(folder, arguments.events, arguments.findings)
        secret = session(folder)
        have = bench_pages.known(folder)
        with served(folder) as port, sync_playwright() as playwright:
            runs = bench_pages.errands(folder, bench_pages.Asker(port, secret), have)
            url = f"http://127.0.0.1:{port}"
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            first_paint(browser, url, secret, "/login")
            kept = []
            for one in bench_pages.pages(have, runs):
                if one.route not in PARTS and not one.headers:
                    taken = [
                        first_paint(browser, url, secret, one.urls[number % len(one.urls)])
                        for number in range(arguments.times)
                    ]
                    kept.append(said(f"first paint, {one.label}", taken, PAINT_BAR_MS))
            moved, opened = keys(browser, url, secret, arguments.keys)
            kept.append(said("inbox, j to the cursor on the next row", moved, KEY_BAR_MS))
            kept.append(said("inbox, Enter to the finding", opened, PAINT_BAR_MS))
            browser.close()
        print(f"{sum(kept)} of {len(kept)} within their bar: {'holds' if all(kept) else 'FAILS'}")


if __name__ == "__main__":
    main()
