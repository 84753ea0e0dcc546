"""Makes the pictures of the console in `docs/pictures/`: the demonstration's data, a real service, a real Chromium.

Run it with `make screenshots`. It needs Debian's `chromium`, and `pngquant` to make the files small; Chinese texts need a font
such as `fonts-noto-cjk`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

PICTURES: Final = Path(__file__).parent / "pictures"
TALLEST: Final = 1800
"""Pixels of a page that is taken as a whole; what lies below adds size and says nothing new."""
FLAGS: Final = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
)

POLICY: Final = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ["system:kube-proxy"]
    verbs: [watch]
  - level: Metadata
    resources:
      - resources: [secrets, configmaps]
  - level: None
    resources:
      - resources: [pods/exec, events]
  - level: Request
    verbs: [create, update, patch, delete]
  - level: Metadata
"""
"""With a mistake that people make: what runs inside pods is dropped together with the noise."""


@dataclass(frozen=True)
class Picture:
    """One picture: what to open, what to type into its first big field, which keys or button to press, how it is looked at.
    {finding} is the gravest finding; `whole` pages reach down to their end."""

    name: str
    path: str
    keys: tuple[str, ...] = ()
    theme: str = "light"
    width: int = 1280
    language: str = "en-GB"
    whole: bool = False
    typed: str = ""
    button: str = ""


WANTED: Final = (
    Picture("inbox", "/", ("j", "j")),
    Picture("inbox-dark", "/", ("j", "j"), theme="dark"),
    Picture("inbox-phone", "/", width=390),
    Picture("inbox-zh", "/", ("j",), language="zh-CN"),
    Picture("inbox-selected", "/", ("j", "x", "j", "x", "j")),
    Picture("keys", "/", ("?",)),
    Picture("finding", "/findings/{finding}"),
    Picture("finding-whole", "/findings/{finding}", whole=True),
    Picture("finding-dark", "/findings/{finding}", theme="dark"),
    Picture("finding-phone", "/findings/{finding}", width=390),
    Picture("suppress", "/findings/{finding}", ("s",)),
    Picture("dashboard", "/dashboard", whole=True),
    Picture("dashboard-dark", "/dashboard", theme="dark"),
    Picture("events", "/events?span=all&q=outcome:refused", ("j", "o")),
    Picture("events-phone", "/events?span=all&q=outcome:refused", width=390),
    Picture("entities", "/entities?span=all"),
    Picture("entity", "/entities/demo/mallory%40example.com", whole=True),
    Picture("models", "/models"),
    Picture("model", "/models/1"),
    Picture("rules", "/rules"),
    Picture("rule", "/rules/exec-into-pod"),
    Picture("policy", "/policy", whole=True, typed=POLICY, button="Judge it"),
    Picture("clusters", "/clusters"),
    Picture("cluster", "/clusters/demo", whole=True),
    Picture("add-a-cluster", "/clusters/-/add"),
    Picture("doctor", "/doctor", theme="dark"),
    Picture("tokens", "/tokens"),
    Picture("account", "/account"),
    Picture("login", "/login"),
)


def main() -> None:
    """Make every picture, or those named."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("There is no Chromium on this machine; on Debian and Ubuntu: apt install chromium")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"ANOMALY_DATA_DIR": folder, "ANOMALY_LOG__FORMAT": "json"}
        program = [sys.executable, "-P", "-m", "anomaly"]
        subprocess.run([*program, "demo"], env=environment, check=True)
        config = ["--config", str(Path(folder) / "demo" / "demo.toml")]
        secret, finding = _prepare(Path(folder) / "demo")
        service = subprocess.Popen(
            [*program, *config, "serve", "--port", "0"], env=environment, stderr=subprocess.PIPE
        )
        try:
            url = _listening(service)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
                for picture in WANTED:
                    if not sys.argv[1:] or picture.name in sys.argv[1:]:
                        _take(browser, picture, url, secret, finding)
                browser.close()
        finally:
            service.terminate()
            service.wait(20)
            subprocess.run(
                [*program, *config, "db", "stop"], env=environment, check=False, capture_output=True
            )


def _prepare(folder: Path) -> tuple[str, str]:
    """Somebody who looks, and the finding that is looked at."""
    from anomaly.rights import Role
    from anomaly.settings import Settings
    from anomaly.store.database import open_database
    from anomaly.store.findings import Wanted, list_findings
    from anomaly.store.people import Reach, add_person
    from anomaly.store.sessions import Lifetime, begin_session
    from anomaly.web.clock import clock

    week = timedelta(days=7)
    with open_database(Settings(data_dir=folder)) as database, database.begin() as connection:
        found = list_findings(connection, Wanted(name="secrets_enumerated"))
        number = add_person(connection, "erika", Reach(Role.ADMIN, None), "screenshots")
        secret = begin_session(connection, number, clock(), Lifetime(week, week), "127.0.0.1", "screenshots")
    return secret, str(found[0].id)


def _listening(service: subprocess.Popen[bytes]) -> str:
    assert service.stderr is not None
    for line in service.stderr:
        said = json.loads(line) if line.startswith(b"{") else {}
        if said.get("message") == "listening":
            threading.Thread(target=service.stderr.read, daemon=True).start()
            return str(said["url"])
    raise SystemExit("the service did not start")


def _take(browser: Browser, picture: Picture, url: str, secret: str, finding: str) -> None:
    context = browser.new_context(
        viewport={"width": picture.width, "height": 844 if picture.width < 500 else 900},
        color_scheme="dark" if picture.theme == "dark" else "light",
        locale=picture.language,
        timezone_id="UTC",
        device_scale_factor=2 if picture.width < 500 else 1,
    )
    if picture.name != "login":
        context.add_cookies([{"name": "anomaly", "value": secret, "url": url}])
    page = context.new_page()
    page.goto(url + picture.path.format(finding=finding))
    page.wait_for_load_state("networkidle")
    for key in picture.keys:
        page.keyboard.press(key)
    if picture.typed:
        page.locator("textarea").first.fill(picture.typed)
    if picture.button:
        page.get_by_role("button", name=picture.button).click()
        page.wait_for_load_state("networkidle")
    page.wait_for_timeout(400)
    path = PICTURES / f"{picture.name}.png"
    if picture.whole:
        high = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
        page.set_viewport_size({"width": picture.width, "height": max(high, 900)})
        page.wait_for_timeout(200)
    page.screenshot(path=path)
    context.close()
    _pack(path)
    print(path)  # noqa: T201 -- says what it made


def _pack(path: Path) -> None:
    """Colours of a page fit into a palette of 256; the file is a quarter of what it was."""
    if pngquant := shutil.which("pngquant"):
        command = [pngquant, "--force", "--skip-if-larger", "--strip", "--speed", "1", "--output", path, path]
        # 98: it would have become larger, and stays as it is.
        assert subprocess.run(command, check=False).returncode in {0, 98}


if __name__ == "__main__":
    main()
